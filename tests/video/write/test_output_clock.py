"""Timestamps: rising ones are kept, and others are made to rise."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.video.videos import codes_of, facts_of, make_video, resize_video
from vidsr.context import Code
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.verify import verify_video
from vidsr.video.read.source import open_source
from vidsr.video.write.output_clock import DtsCorrector, check_gap, output_time_base

HOUR = 3600
SIDE = 16  # pixels
DENOMINATORS = [1, 2, 24, 25, 30, 50, 600, 1000, 1001, 24_000, 48_000, 90_000, 1_000_000]
FAST = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def clocks(draw: st.DrawFn, *, finest: Fraction, hours: int) -> tuple[Fraction, list[int]]:
    """A time base and rising time stamps: at least a tick of the output apart, at most some hours."""
    tick = Fraction(1, draw(st.sampled_from(DENOMINATORS) | st.integers(1, 1_000_000)))
    least = max(-(-finest // tick), 1)
    most = max(least, int(hours * HOUR / tick))
    start = draw(st.sampled_from([0, 1, HOUR, 27 * HOUR, 1_700_000_000]) | st.integers(0, 100 * HOUR))
    gap = st.integers(least, 10 * least) | st.integers(least, max(least, int(1 / tick))) | st.integers(least, most)
    times = [int(start / tick)]
    for step in draw(st.lists(gap, min_size=8, max_size=12)):
        times.append(times[-1] + step)
    return tick, times


def nut(path: Path, tick: Fraction, times: list[int]) -> Path:
    return make_video(path, size=(SIDE, SIDE), pts=times, time_base=tick, codec="ffv1")


CONTAINERS = {
    "nut": ("libx264", Fraction(0), 5),
    "mkv": ("libx264", Fraction(1, 1000), 5),
    "mp4": ("libx264", Fraction(1, 90_000), 5),
    "mov": ("mpeg4", Fraction(1, 90_000), 5),
    "webm": ("libvpx-vp9", Fraction(1, 1000), 5),
    "ts": ("libx264", Fraction(1, 90_000), 5),
    "flv": ("libx264", Fraction(1, 1000), 5),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_rising_time_stamps_come_through(container: str, tmp_path: Path) -> None:
    codec, finest, hours = CONTAINERS[container]

    @FAST
    @given(clocks(finest=finest, hours=hours))
    def check(clock: tuple[Fraction, list[int]]) -> None:
        tick, times = clock
        source, target = nut(tmp_path / "a.nut", tick, times), tmp_path / f"b.{container}"
        notices = resize_video(source, target, codec=codec, overwrite=True)
        found, wanted = facts_of(target), facts_of(source)
        assert len(found.times) == len(wanted.times) == len(times)
        shift = found.times[0] - wanted.times[0]
        moved = Code.START in codes_of(notices)
        # These begin their clock where decoding does; sound and picture move alike.
        assert abs(shift) <= found.tick / 2 or moved or container in ("nut", "ts", "flv")
        slack = max(found.tick / (1 if shift else 2), Fraction(1, 180_000) if container in ("mp4", "mov") else 0)
        assert all(abs(a - b - shift) <= slack for a, b in zip(found.times, wanted.times, strict=True))

    check()


def test_a_video_of_a_frame_each_millisecond_goes_into_webm(tmp_path: Path) -> None:
    source = nut(tmp_path / "a.nut", Fraction(1, 1000), list(range(9)))  # FFmpeg takes it for one of 64000 a second
    resize_video(source, tmp_path / "b.webm", codec="libvpx-vp9")
    assert facts_of(tmp_path / "b.webm").times == [Fraction(index, 1000) for index in range(9)]


def test_a_gap_that_a_container_cannot_store_is_refused(tmp_path: Path) -> None:
    source = nut(tmp_path / "a.nut", Fraction(1, 90_000), [0, 3600, 8 * HOUR * 90_000])
    with pytest.raises(OutputError, match=r"pauses for 8\.0 hours at 0\.04 s, longer than mp4 can store; use \.mkv"):
        resize_video(source, tmp_path / "b.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nut"]
    check_gap("matroska", 0, 1 << 40, Fraction(1, 1000))


def test_the_time_base_of_the_input_is_kept_where_possible() -> None:
    for tick in (Fraction(1, 25), Fraction(1001, 24_000), Fraction(1, 90_000)):
        for muxer in ("nut", "matroska", "mp4", "mpegts"):
            assert output_time_base(muxer, "libx264", tick) == tick
    assert output_time_base("mp4", "libx264", Fraction(1, 1_000_000)) == Fraction(1, 90_000)
    fine = output_time_base("webm", "libvpx-vp9", Fraction(1, 10))
    assert (Fraction(1, 10) / fine).denominator == 1 and fine <= Fraction(1, 1000)


@given(st.integers(2, 9), st.lists(st.integers(1, 10**9), min_size=20, max_size=20), st.integers(-(10**12), 10**12))
def test_decoding_times_rise_and_never_pass_the_picture(depth: int, gaps: list[int], start: int) -> None:
    """An encoder that reorders as x264 does, with any gaps."""
    shown = [start]
    for gap in gaps:
        shown.append(shown[-1] + gap)
    order = DtsCorrector(Fraction(1, 1000))
    for pts in shown:
        order.sent(pts)
    given_times = [shown[i] - (shown[depth] - shown[0]) if i < depth else shown[i - depth] for i in range(len(shown))]
    packets = [shown[0], shown[depth], *shown[1:depth], *shown[depth + 1 :]]
    found = [order.dts(pts, dts) for pts, dts in zip(packets, given_times, strict=True)]
    assert all(a < b for a, b in pairwise(found))
    assert all(dts <= pts for dts, pts in zip(found, packets, strict=True))
    assert shown[0] - found[0] <= 10_000 + depth


PACKET, FRAMES = 188, 10
damaged_times = st.lists(
    st.none() | st.integers(0, (1 << 33) - 1) | st.integers(0, 20).map(lambda frame: frame * 3600),
    min_size=FRAMES, max_size=FRAMES,
)  # fmt: skip


def headers(content: bytes) -> Iterator[int]:
    """Where each picture's PES header begins in an MPEG-TS; ISO/IEC 13818-1, 2.4.3."""
    for start in range(0, len(content), PACKET):
        begins, adaptation = content[start + 1] & 0x40, content[start + 3] & 0x20
        payload = start + 4 + (1 + content[start + 4] if adaptation else 0)
        if begins and content[payload : payload + 4] == b"\0\0\1\xe0":
            yield payload


def stamped(content: bytes, times: list[int | None]) -> bytes:
    """An MPEG-TS of the same pictures with other time stamps, of 33 bits, or with none."""
    changed = bytearray(content)
    for place, time in zip(headers(content), times, strict=True):
        changed[place + 7] &= 0x3F  # neither pts nor dts
        length = changed[place + 8]
        changed[place + 9 : place + 9 + length] = b"\xff" * length
        if time is not None:
            changed[place + 7] |= 0x80
            high, middle, low = time >> 30 & 7, time >> 15 & 0x7FFF, time & 0x7FFF
            struct.pack_into(">BHH", changed, place + 9, 0x21 | high << 1, middle << 1 | 1, low << 1 | 1)
    return bytes(changed)


@pytest.fixture(scope="module")
def transport(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Key pictures only, so that each has a time stamp of its own."""
    path = make_video(
        tmp_path_factory.mktemp("ts") / "a.ts",
        pts=range(FRAMES), codec="mpeg2video", decorate=lambda _, stream: setattr(stream.codec_context, "gop_size", 1),
    )  # fmt: skip
    content = path.read_bytes()
    assert len(list(headers(content))) == FRAMES
    return content


def times_read(path: Path) -> list[Fraction]:
    with open_source(path) as source:
        return [item.pts * item.time_base for item in source if isinstance(item, Frame)]


def test_damaged_time_stamps_of_a_transport_stream_are_made_to_rise(transport: bytes, tmp_path: Path) -> None:
    @FAST
    @given(damaged_times, st.sampled_from(["mkv", "mp4"]))
    def check(times: list[int | None], container: str) -> None:
        path = tmp_path / "a.ts"
        path.write_bytes(stamped(transport, times))
        found = times_read(path)
        assert len(found) == FRAMES and all(a < b for a, b in pairwise(found))
        try:
            resize_video(path, tmp_path / f"b.{container}", kernel="nearest", codec="mpeg4", overwrite=True)
        except OutputError as exc:
            assert "pauses for" in str(exc)
            return
        written = facts_of(tmp_path / f"b.{container}").times
        assert len(written) == FRAMES and all(a <= b for a, b in pairwise(written))

    check()


@FAST
@given(st.integers(-12, 12), st.lists(st.integers(1, 900_000), min_size=FRAMES - 1, max_size=FRAMES - 1))
def test_a_clock_that_wraps_runs_on(transport: bytes, tmp_path: Path, before: int, gaps: list[int]) -> None:
    times = [(1 << 33) + before * 3600]
    for gap in gaps:
        times.append(times[-1] + gap)
    path = tmp_path / "a.ts"
    path.write_bytes(stamped(transport, [time % (1 << 33) for time in times]))
    found = times_read(path)
    ticks = [(time - found[0]) * 90_000 for time in found]
    assert ticks == [time - times[0] for time in times]


def blocks(content: bytes) -> Iterator[int]:
    """Where the 16 bits stand that tell each SimpleBlock's time, of a video of one track; Matroska, 4.1."""
    place = content.index(b"\x1f\x43\xb6\x75")
    while (place := content.find(b"\xa3", place + 1)) >= 0:
        for width in (1, 2, 3, 4):
            if content[place + 1] >> (8 - width) == 1 and content[place + 1 + width] == 0x81:
                yield place + 2 + width
                break


def test_a_video_that_starts_before_0_is_moved_with_a_warning(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", size=(SIDE, SIDE), pts=range(FRAMES), codec="ffv1")
    content = bytearray(path.read_bytes())
    for index, place in enumerate(blocks(bytes(content))):
        struct.pack_into(">h", content, place, 40 * index - 50)
    path.write_bytes(content)
    assert times_read(path)[0] == Fraction(-50, 1000)
    for container in ("mp4", "mkv", "nut"):
        target = tmp_path / f"b.{container}"
        (notice,) = resize_video(path, target, codec="mpeg4", overwrite=True)
        assert notice.codes == (Code.START, Code.CHAPTERS) and "-0.05 s" in notice.message
        assert facts_of(target).times == [Fraction(i, 25) for i in range(FRAMES)]


def test_damaged_time_stamps_of_a_matroska_are_made_to_rise(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", size=(SIDE, SIDE), pts=range(FRAMES), codec="ffv1")
    content = video.read_bytes()
    places = list(blocks(content))
    assert len(places) >= FRAMES

    @FAST
    @given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=FRAMES, max_size=FRAMES))
    def check(times: list[int]) -> None:
        changed = bytearray(content)
        for place, time in zip(places, times, strict=False):
            struct.pack_into(">h", changed, place, time)
        video.write_bytes(changed)
        found = times_read(video)
        assert len(found) == FRAMES and all(a < b for a, b in pairwise(found))
        resize_video(video, tmp_path / "b.mp4", kernel="nearest", codec="mpeg4", overwrite=True)
        assert len(facts_of(tmp_path / "b.mp4").times) == FRAMES

    check()


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_last_frame_that_lasts_longer_does_so_in_spite_of_b_frames(container: str, tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mkv", pts=range(24), last=3)
    notices = resize_video(source, tmp_path / f"b.{container}")
    with av.open(str(tmp_path / f"b.{container}")) as written:
        assert any(packet.dts != packet.pts for packet in written.demux() if packet.size)
    assert facts_of(tmp_path / f"b.{container}").end == Fraction(26, 25)
    assert verify_video(source, tmp_path / f"b.{container}", notices=notices).faithful
