"""Reading: times, damage, sizes, pieces, and what is said of files that cannot be read."""

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.video.videos import codes_of, drawing, facts_of, frames_of, make_video, resize_video
from vidsr.context import Code, Context, Notice
from vidsr.errors import InputError, NotAVideo, NoVideoStream, StreamBroken
from vidsr.frames import Carried, Frame
from vidsr.options import ReadOptions
from vidsr.video.convert.qp import Estimator
from vidsr.video.read import source as reading
from vidsr.video.read.source import open_source

UNEVEN = (0, 2, 3, 8, 9, 20, 21, 22, 40, 41)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.nut", "a.ts", "a.mov", "a.avi"])
def test_frames_come_once_in_order_with_their_times(name: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / name)
    frames = frames_of(video)
    assert len(frames) == 12
    times = [frame.pts * frame.time_base for frame in frames]
    assert np.allclose(np.diff([float(t) for t in times]), 0.04, atol=1e-3)


def test_an_uneven_video_keeps_every_gap_and_the_last_duration(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=UNEVEN, last=13)
    frames = frames_of(video)
    ticks = [int(frame.pts * frame.time_base / Fraction(1, 25)) for frame in frames]
    assert ticks == list(UNEVEN)
    assert frames[-1].duration == pytest.approx(13 / 25)
    with open_source(video) as source:
        assert source.copy_info().is_variable()


@pytest.mark.parametrize("delay", [0, 50])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_frames_of_an_mp4_last_until_the_next_is_shown_whatever_the_order_they_are_decoded_in(
    name: str, delay: int, tmp_path: Path
) -> None:
    pts = [delay + time for time in (0, 8, 10, 11, 12, 17, 18, 20, 21, 22, 23)]
    video = make_video(tmp_path / name, pts=pts, last=5, b_frames=3, sound="aac")
    with av.open(str(video)) as told:
        assert any(packet.pts != packet.dts for packet in told.demux(video=0) if packet.size)
    tick = Fraction(1, 25)
    frames = frames_of(video)
    assert [frame.pts * frame.time_base / tick for frame in frames] == pts
    lengths = [frame.duration_ticks * frame.time_base / tick for frame in frames]
    assert lengths[:-1] == [b - a for a, b in pairwise(pts)]
    assert delay or lengths[-1] == 5  # FFmpeg does not tell where a film ends that begins late
    with open_source(video, ReadOptions(start=2 * tick, duration=(pts[-1] - 2) * tick)) as source:
        piece = [item for item in source if isinstance(item, Frame)]
    shown = [b - a for a, b in pairwise(pts) if a >= 2]
    assert [frame.duration_ticks * frame.time_base / tick for frame in piece] == shown


@pytest.mark.parametrize(("live", "packets"), [(True, 1), (False, 2)])
def test_only_frames_of_a_live_mp4_do_not_wait_for_the_next(
    live: bool, packets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(tmp_path / "a.mp4", codec="mjpeg", pixel_format="yuvj420p")
    sent: list[Any] = []
    monkeypatch.setattr(Estimator, "sent", lambda self, packet: sent.append(packet.pts))
    with open_source(video, ReadOptions(live=live)):
        assert len(sent) == packets


@pytest.mark.parametrize("room", [0, 1000, 8 << 20])
def test_packets_pass_at_most_one_frame_of_an_mp4(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_AHEAD", room)
    video = make_video(tmp_path / "a.mp4", pts=range(100), sound="aac")
    frames: list[list[int]] = []  # how many frames came before each packet
    for live in (True, False):
        with open_source(video, ReadOptions(live=live)) as source:
            kinds = [isinstance(item, Frame) for item in source]
        frames.append([sum(kinds[:index]) for index, is_frame in enumerate(kinds) if not is_frame])
    early = [a - b for a, b in zip(*frames, strict=True)]
    assert set(early) <= {0, 1} and sum(early) == (0 if room == 0 else pytest.approx(len(early), abs=3))


def test_a_frame_that_lasts_long_is_not_held_back_while_all_packets_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MOST_AHEAD", 4000)
    with open_source(make_video(tmp_path / "a.mp4", pts=[0], last=500, sound="aac")) as source:
        assert len(source._early) < 40
        assert sum(isinstance(item, Carried) for item in source) > 900


def test_an_mp4_that_was_cut_off_does_not_hold_its_last_frame_until_the_end(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=range(100), options={"movflags": "faststart"}, b_frames=2)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    frames = frames_of(video)
    assert 20 < len(frames) < 80 and frames[-1].duration == pytest.approx(1 / 25)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_an_even_video_is_told_from_an_uneven_one_by_its_first_packets(name: str, tmp_path: Path) -> None:
    with open_source(make_video(tmp_path / name, pts=range(30))) as source:
        assert not source.copy_info().is_variable()
    with open_source(make_video(tmp_path / f"b{name}", pts=UNEVEN)) as source:
        assert source.copy_info().is_variable()


def test_info_says_what_the_container_does(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", size=(80, 60), sound="aac")
    notices: list[Notice] = []
    with open_source(video, context=Context(notices.append)) as source:
        info = source.info
        assert (info.width, info.height, info.bits, info.codec) == (80, 60, 8, "h264")
        assert (info.rate, info.frames, info.duration) == (25, 12, Fraction(12, 25))
        assert not info.still and not info.gray and info.color.subsampling == (1, 1)
        assert [stream.type for stream in source.copy_info().streams] == ["audio"] and notices == []


def test_packets_of_other_streams_travel_between_the_frames(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", sound="aac", pts=range(50))
    with open_source(video) as source:
        items = list(source)
    carried = [i for i, item in enumerate(items) if isinstance(item, Carried)]
    assert len(carried) > 50 and carried[0] < 20 < carried[-1], "sound comes with the picture"


def test_qp_come_with_the_frames_or_from_the_user(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    assert all(0 < (frame.qp or 0) < 51 for frame in frames_of(video))
    with open_source(video, ReadOptions(source_qp=33.0)) as source:
        assert {item.qp for item in source if isinstance(item, Frame)} == {33.0}


def test_a_cover_is_no_video_and_is_carried(tmp_path: Path) -> None:
    video = with_cover(tmp_path)
    with open_source(video) as source:
        assert source.info.codec == "h264" and source.info.width == 64
        cover_art = [item for item in source if isinstance(item, Carried)]
    assert len(cover_art) == 1
    sound = make_video(tmp_path / "b.mp4", sound="aac")
    with av.open(str(sound)) as inp, av.open(str(tmp_path / "c.m4a"), "w", format="mp4") as out:
        tone = out.add_stream_from_template(inp.streams.audio[0], opaque=True)
        cover = picture_stream(out)
        out.mux(cover_packet(cover))
        for packet in inp.demux(inp.streams.audio[0]):
            if packet.size:
                packet.stream = tone
                out.mux(packet)
    with pytest.raises(NoVideoStream, match="holds only cover art"):
        open_source(tmp_path / "c.m4a")


def picture_stream(container: Any) -> Any:
    cover = container.add_mux_stream("mjpeg", width=16, height=16)
    cover.disposition = av.stream.Disposition.attached_pic
    return cover


def cover_packet(cover: Any) -> Any:
    buffer = io.BytesIO()
    Image.fromarray(drawing(16, 16)).save(buffer, "JPEG")
    packet = av.Packet(buffer.getvalue())
    packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 90000)
    return packet


def with_cover(folder: Path) -> Path:
    plain = make_video(folder / "plain.mp4")
    target = folder / "covered.mp4"
    with av.open(str(plain)) as inp, av.open(str(target), "w") as out:
        cover = picture_stream(out)
        video = out.add_stream_from_template(inp.streams.video[0], opaque=True)
        out.mux(cover_packet(cover))
        for packet in inp.demux(inp.streams.video[0]):
            if packet.size:
                packet.stream = video
                out.mux(packet)
    return target


def test_a_second_video_is_copied_and_said_so(tmp_path: Path) -> None:
    a, b = make_video(tmp_path / "a.mkv", size=(96, 64)), make_video(tmp_path / "b.mkv", size=(32, 32))
    with av.open(str(a)) as one, av.open(str(b)) as two, av.open(str(tmp_path / "both.mkv"), "w") as out:
        copies = [out.add_stream_from_template(inp.streams.video[0], opaque=True) for inp in (one, two)]
        for inp, copy in zip((one, two), copies, strict=True):
            for packet in inp.demux():
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
    (notice,) = resize_video(tmp_path / "both.mkv", tmp_path / "out.mkv")
    assert "stream 1 (video, h264)" in notice.message and notice.codes == ()


def test_raw_streams_get_times_from_their_rate(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.h264", format="h264", pts=range(10))
    frames = frames_of(video)
    steps = {b.pts - a.pts for a, b in pairwise(frames)}
    assert len(frames) == 10 and len(steps) == 1 and frames[0].pts == 0


def test_a_clock_that_was_set_back_runs_on_for_picture_and_sound(tmp_path: Path) -> None:
    parts = [make_video(tmp_path / f"{i}.ts", sound="mp2", pts=range(25)).read_bytes() for i in range(2)]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    resize_video(tmp_path / "joined.ts", tmp_path / "out.mp4")
    facts = facts_of(tmp_path / "out.mp4")
    assert len(facts.times) == 50
    gaps = [float(b - a) for a, b in pairwise(facts.times)]
    assert max(gaps) < 0.2 and min(gaps) > 0.01


def test_pts_never_stand_still_or_go_back(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", codec="ffv1", pts=range(6))
    with av.open(str(video)) as inp, av.open(str(tmp_path / "b.mkv"), "w") as out:
        copy = out.add_stream_from_template(inp.streams.video[0], opaque=True)
        for packet, time in zip(inp.demux(), (0, 40, 40, 120, 80, 200), strict=False):
            packet.dts = (packet.pts or 0) - 1000
            packet.stream, packet.pts = copy, time
            out.mux(packet)
    pts = [frame.pts for frame in frames_of(tmp_path / "b.mkv")]
    assert len(pts) == 6 and all(b > a for a, b in pairwise(pts))


def test_damage_is_counted_and_survived(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.ts", size=(160, 120), pts=range(60), codec="mpeg2video")
    data = bytearray(video.read_bytes())
    for position in np.random.default_rng(3).integers(len(data) // 4, len(data), 60):
        data[position] ^= 0xFF
    (tmp_path / "b.ts").write_bytes(data)
    with open_source(tmp_path / "b.ts") as source:
        frames = [item for item in source if isinstance(item, Frame)]
        assert len(frames) > 20 and {(frame.width, frame.height) for frame in frames} == {(160, 120)}


def test_frames_of_a_new_size_are_handed_out_as_they_are(tmp_path: Path) -> None:
    parts = [make_video(tmp_path / f"{w}.h264", format="h264", size=(w, 48)).read_bytes() for w in (64, 96)]
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    assert [frame.width for frame in frames_of(tmp_path / "a.h264")] == [64] * 12 + [96] * 12
    resize_video(tmp_path / "a.h264", tmp_path / "out.mp4")
    assert {frame.width for frame in frames_of(tmp_path / "out.mp4")} == {128}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.nut"])
def test_a_piece_begins_at_its_start_and_ends_in_time(name: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / name, pts=range(75), sound="mp2")
    notices = resize_video(video, tmp_path / "out.mkv", start=Fraction(1), duration=Fraction(3, 2))
    facts, whole = facts_of(tmp_path / "out.mkv"), facts_of(video)
    inside = [t for t in whole.times if 0 <= t - whole_start(video) - 1 < Fraction(3, 2)]
    assert notices == [] and abs(len(facts.times) - len(inside)) <= 1
    assert 0 <= facts.times[0] <= Fraction(1, 25) and facts.times[-1] < Fraction(3, 2)
    assert abs(facts.sound_starts[0] - facts.times[0]) < Fraction(1, 10)


def whole_start(path: Path) -> Fraction:
    with av.open(str(path)) as video:
        return Fraction(video.start_time or 0, 1_000_000)


def test_a_piece_shows_the_same_pictures_as_the_whole(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=range(75))
    whole = frames_of(video)
    with open_source(video, ReadOptions(start=Fraction(2), duration=Fraction(1, 5))) as source:
        piece = [item for item in source if isinstance(item, Frame)]
        assert source.info.duration == Fraction(1, 5)
    assert [frame.pts for frame in piece] == [frame.pts - whole[50].pts for frame in whole[50:55]]
    assert all(np.array_equal(a.planes[0], b.planes[0]) for a, b in zip(piece, whole[50:55], strict=True))


def test_a_piece_beyond_the_end_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="no frame between 9 s and its end"):
        open_source(video, ReadOptions(start=Fraction(9)))


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "bmp"])
def test_a_still_is_one_frame(kind: str, tmp_path: Path) -> None:
    Image.fromarray(drawing(40, 30)).save(tmp_path / f"a %d.{kind}")
    with open_source(tmp_path / f"a %d.{kind}") as source:
        assert source.info.still and source.info.frames == 1
        (frame,) = list(source)
    assert isinstance(frame, Frame) and (frame.width, frame.height) == (40, 30)


def test_a_gif_keeps_its_uneven_delays(tmp_path: Path) -> None:
    pages = [Image.fromarray(drawing(32, 24, i)) for i in range(4)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=[50, 200, 30, 500])
    frames = frames_of(tmp_path / "a.gif")
    assert [float(frame.pts * frame.time_base) for frame in frames] == [0, 0.05, 0.25, 0.28]
    notices: list[Notice] = []
    with open_source(tmp_path / "a.gif", context=Context(notices.append)) as source:
        assert not source.info.still and notices == []


def test_a_file_object_is_read_too(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    with open_source(io.BytesIO(video.read_bytes())) as source:
        assert sum(isinstance(item, Frame) for item in source) == 12


def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film at all\n" * 40)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(NotAVideo, match=r"text\.mp4: FFmpeg finds no video or image in it"):
        open_source(tmp_path / "text.mp4")
    with pytest.raises(NotAVideo, match=r"empty\.mp4: FFmpeg finds"):
        open_source(tmp_path / "empty.mp4")
    with pytest.raises(StreamBroken, match=r"gone\.mp4 is not there"):
        open_source(tmp_path / "gone.mp4")
    with pytest.raises(StreamBroken, match="is a folder"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="the name of the input is empty; give a path, or - for stdin"):
        open_source("")
    with pytest.raises(InputError, match="'nonsense' is not an input format"):
        open_source(tmp_path / "text.mp4", ReadOptions(input_format="nonsense"))
    with pytest.raises(StreamBroken, match="unknown protocol"):
        open_source("nonsense://example/film")


def test_a_read_error_in_the_middle_ends_the_video_with_its_reason(tmp_path: Path) -> None:
    data = make_video(tmp_path / "a.mkv", size=(160, 120), codec="ffv1", pts=range(40)).read_bytes()

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > len(data) * 3 // 4:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with (
        open_source(Failing(data), ReadOptions(live=False)) as source,
        pytest.raises(StreamBroken, match="broke off: Input"),
    ):
        list(source)


def test_a_source_can_be_left_early_and_closed_twice(tmp_path: Path) -> None:
    source = open_source(make_video(tmp_path / "a.mp4", pts=range(100)))
    next(iter(source))
    source.close()
    source.close()
    assert list(source) == []


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_pngs_with_a_colour_profile_and_exif_are_read(mode: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(drawing(61, 47)).convert("L" if mode == "I;16" else "RGB").convert(mode)
    image.save(tmp_path / "a.png", icc_profile=profile, exif=exif)
    (frame,) = frames_of(tmp_path / "a.png")
    expected = np.asarray(image) / 257 if mode == "I;16" else np.asarray(image.convert("RGB"))
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert np.abs(frame.to_rgb() * 255 - expected).max() < 1


def test_an_interlaced_video_is_spoken_of(tmp_path: Path) -> None:
    def interlaced(container: Any, stream: Any) -> None:
        stream.codec_context.options = {"flags": "+ilme+ildct"}

    notices: list[Notice] = []
    path = make_video(tmp_path / "a.mkv", codec="mpeg2video", decorate=interlaced)
    with open_source(path, context=Context(notices.append)):
        assert codes_of(notices) == [Code.FIELDS]


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "pgm", "jp2"])
def test_gray_photos_span_all_codes(extension: str, tmp_path: Path) -> None:
    image = Image.fromarray(drawing(64, 48)).convert("L")
    image.save(tmp_path / f"a.{extension}", **({"quality": 100} if extension == "jpg" else {}))
    (frame,) = frames_of(tmp_path / f"a.{extension}")
    expected = np.asarray(Image.open(tmp_path / f"a.{extension}"))
    assert len(frame.planes) == 1
    assert np.abs(frame.to_rgb()[..., 0] * 255 - expected).max() < 2


@pytest.mark.parametrize("options", [{"source_qp": 52}, {"source_qp": float("nan")}, {"start": -1}])
def test_a_quality_or_piece_that_makes_no_sense_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"QP from 0 to 51|negative number"):
        open_source(make_video(tmp_path / "a.mkv"), ReadOptions(**options))


def test_the_shape_of_a_pixel_is_read_where_only_the_container_tells_it(tmp_path: Path) -> None:
    def wide(container: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    video = make_video(tmp_path / "a.mp4", codec="libvpx-vp9", decorate=wide)
    with open_source(video) as source:
        assert source.info.aspect == Fraction(4, 3)
    resize_video(video, tmp_path / "b.mkv")
    assert facts_of(tmp_path / "b.mkv").aspect == Fraction(4, 3)
