"""One clock for all streams: it begins at 0 where the input's means nothing, and runs on where that one breaks."""

import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.verify.remuxed import remux
from tests.video.videos import drawing, facts_of, make_video, resize_video
from tests.video.write.test_output_clock import headers, stamped
from vidsr.frames import Carried, Frame
from vidsr.verify import verify_video
from vidsr.video.read.source import open_source
from vidsr.video.timing import rational

FRAME = Fraction(1, 25)
WRAP = Fraction(1 << 33, 90_000)


def part(path: Path, clock: float, *, frames: int = 25, sound: str | None = "aac", **options: Any) -> Path:
    """A part of a broadcast whose clock begins at `clock` seconds, and is 1.4 s ahead as FFmpeg's muxer makes it."""
    return make_video(path, pts=range(frames), sound=sound, options={"output_ts_offset": str(clock)}, **options)


def joined(folder: Path, clocks: Sequence[float], *, kind: str = "file", **options: Any) -> Any:
    """Parts with these clocks one after the other: a file, a pipe, or a playlist with discontinuities."""
    parts = [part(folder / f"{index}.ts", clock, **options) for index, clock in enumerate(clocks)]
    if kind == "playlist":
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", *(f"#EXTINF:1.0,\n{each.name}" for each in parts)]
        text = "\n#EXT-X-DISCONTINUITY\n".join(["\n".join(lines[:3]), *lines[3:]]) + "\n#EXT-X-ENDLIST\n"
        (folder / "a.m3u8").write_text(text)
        return folder / "a.m3u8"
    content = b"".join(each.read_bytes() for each in parts)
    if kind == "pipe":
        return io.BytesIO(content)
    (folder / "joined.ts").write_bytes(content)
    return folder / "joined.ts"


def times_of(source: Any) -> tuple[list[Fraction], list[Fraction]]:
    """Seconds at which the frames and the packets of sound are shown."""
    frames, sounds = [], []
    with open_source(source) as video:
        for item in video:
            if isinstance(item, Frame):
                frames.append(item.pts * item.time_base)
            elif item.packet.stream.type == "audio":
                sounds.append(item.packet.pts * (rational(item.packet.time_base) or FRAME))
    return frames, sounds


@pytest.mark.parametrize("container", ["mkv", "mp4", "ts", "nut"])
def test_a_clock_that_means_nothing_begins_at_0(container: str, tmp_path: Path) -> None:
    video, target = part(tmp_path / "a.ts", 40_000), tmp_path / f"b.{container}"
    notices = resize_video(video, target)
    before, after = facts_of(video), facts_of(target)
    assert notices == [] and before.times[0] >= 40_000
    moved = before.times[0] - after.times[0]
    assert min(after.times[0], after.sound_starts[0]) < Fraction(1, 10)
    slack = 2 * max(after.tick, after.sound_tick)
    assert abs(before.sound_starts[0] - after.sound_starts[0] - moved) <= slack
    assert all(abs(b - a - FRAME) <= slack for a, b in pairwise(after.times))
    assert verify_video(video, target).faithful


def test_a_matroska_keeps_the_time_it_begins_at(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pts=range(90_000, 90_005))
    assert times_of(video)[0][0] == 3600


@pytest.mark.parametrize("kind", ["file", "pipe", "playlist"])
@pytest.mark.parametrize("clocks", [(5000, 10, 5004), (10, 5000), (95_000, 3), (0, 0, 0)])
def test_a_clock_that_breaks_runs_on(clocks: Sequence[float], kind: str, tmp_path: Path) -> None:
    frames, sounds = times_of(joined(tmp_path, clocks, kind=kind))
    assert len(frames) == 25 * len(clocks)
    assert {b - a for a, b in pairwise(frames)} == {FRAME}
    assert all(Fraction(1, 1000) <= b - a < FRAME for a, b in pairwise(sounds))
    alone = times_of(tmp_path / "0.ts")
    assert frames[-1] - sounds[-1] == alone[0][-1] - alone[1][-1]  # in step at the end, too


@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
def test_what_becomes_of_joined_parts_is_faithful(container: str, tmp_path: Path) -> None:
    video = joined(tmp_path, (5000, 10, 5004), kind="playlist")
    notices = resize_video(video, tmp_path / f"b.{container}")
    assert notices == [] and verify_video(video, tmp_path / f"b.{container}").faithful
    with open_source(video) as source:
        list(source)
        assert not source.damage


def test_parts_with_and_without_b_frames_follow_each_other(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / f"{index}.ts", clock, b_frames=b_frames).read_bytes()
        for index, (clock, b_frames) in enumerate([(100, 0), (0, 2), (50, 0)])
    ]
    frames, _ = times_of(io.BytesIO(b"".join(parts)))
    assert len(frames) == 75 and {b - a for a, b in pairwise(frames)} == {FRAME}


@pytest.mark.parametrize("sound", ["aac", None])
def test_a_clock_that_wraps_around_loses_nothing(sound: str | None, tmp_path: Path) -> None:
    video = part(tmp_path / "a.ts", float(WRAP) - 1.9, sound=sound, b_frames=2)
    plain = part(tmp_path / "b.ts", 0, sound=sound, b_frames=2)
    for found, wanted in zip(times_of(video), times_of(plain), strict=True):
        assert len(found) == len(wanted) and all(
            abs(a - b) <= Fraction(1, 45_000) for a, b in zip(found, wanted, strict=True)
        )


@pytest.mark.parametrize("skipped", [5, 60])
def test_a_gap_stays_and_a_jump_does_not(skipped: int, tmp_path: Path) -> None:
    frames, _ = times_of(joined(tmp_path, (0, 1 + skipped)))
    assert abs(max(b - a for a, b in pairwise(frames)) - FRAME - (skipped if skipped < 10 else 0)) < Fraction(1, 20)


def test_sound_that_pauses_does_not_move(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pts=range(350), sound="mp2", size=(16, 16))
    remux(video, tmp_path / "b.ts", packets=lambda packet, index: not packet.stream.index or not 10 <= index < 550)
    sounds, whole = times_of(tmp_path / "b.ts")[1], times_of(video)[1]
    assert len(sounds) == len(whole) - 540 and abs(sounds[-1] - sounds[0] - whole[-1] + whole[0]) < FRAME


def with_data(path: Path, clock: int, times: Sequence[int]) -> bytes:
    """A second of pictures and, at these frames, packets of metadata (KLV), which come before their picture."""
    with av.open(str(path), "w", container_options={"output_ts_offset": str(clock)}) as out:
        picture: Any = out.add_stream("mpeg2video", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        data: Any = out.add_data_stream("klv")
        for index in range(25):
            if index in times:
                packet: Any = av.Packet(bytes.fromhex("060e2b34") + bytes([index] * 20))
                packet.stream, packet.pts, packet.dts, packet.time_base = data, index, index, FRAME
                out.mux(packet)
            frame = av.VideoFrame.from_ndarray(drawing(64, 48, index), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, FRAME
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("clocks", [(0, 0), (5000, 10), (10, 5000)])
def test_a_sparse_stream_does_not_measure_a_join(clocks: tuple[int, int], tmp_path: Path) -> None:
    parts = [with_data(tmp_path / f"{index}.ts", clock, [0, 10]) for index, clock in enumerate(clocks)]
    with open_source(io.BytesIO(b"".join(parts))) as video:
        items = list(video)
    frames = [item.pts * item.time_base for item in items if isinstance(item, Frame)]
    data = [
        float(item.packet.pts * (rational(item.packet.time_base) or FRAME))
        for item in items
        if isinstance(item, Carried)
    ]
    assert len(frames) == 50 and {b - a for a, b in pairwise(frames)} == {FRAME}
    assert data == pytest.approx([0, 0.4, 1, 1.4], abs=0.05)


def test_a_time_stamp_that_is_wrong_moves_nothing_after_it(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.ts", pts=range(10), codec="mpeg2video")
    content = video.read_bytes()
    times = [3600 * index for index in range(len(list(headers(content))))]
    video.write_bytes(stamped(content, [*times[:5], 1 << 32, *times[6:]]))
    frames, _ = times_of(video)
    assert frames == [index * FRAME for index in range(10)]
