"""Interlaced video: made whole before it is upscaled, every frame at its own time; progressive video left alone."""

import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.clips import times_of
from tests.video.videos import codes_of, facts_of, frames_of, make_video
from vidsr.color import BT709
from vidsr.context import Code, Context, Notice
from vidsr.frames import Carried, Frame
from vidsr.options import ReadOptions
from vidsr.pipeline import upscale_video
from vidsr.video.convert.av_filter import Filter
from vidsr.video.convert.deinterlace import Deinterlace, Deinterlacer
from vidsr.video.convert.from_av import frame_of
from vidsr.video.read.source import open_source

DATA = os.environ.get("VIDSR_DATA")
SIZE = 96, 64
FIELDS = [Code.FIELDS, Code.FRAMES, Code.PTS, Code.DURATION]
Y4M_LAYOUTS = {"yuv420p": ("420mpeg2", 1, 1, 1), "yuv422p10le": ("422p10", 2, 1, 0), "yuv444p": ("444", 1, 0, 0)}


def instant(half: int) -> NDArray[np.uint8]:
    """A dark bar on a slope, at the time of one field: (h, w)."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return np.where(abs(columns - 10 - 3 * half) < 5, 40, 90 + rows + columns // 2).astype(np.uint8)


def woven(index: int) -> NDArray[np.uint8]:
    """The picture of two instants, the earlier one on the upper lines."""
    picture = instant(2 * index)
    picture[1::2] = instant(2 * index + 1)[1::2]
    return picture


def interlaced_video(path: Path, layout: str = "yuv420p", count: int = 6, flag: str = "t") -> Path:
    """A raw video, top field first, whose chroma is gray."""
    name, size, across, down = Y4M_LAYOUTS[layout]
    chroma = np.full((2, SIZE[1] >> down, SIZE[0] >> across), 128 << 2 * (size - 1), f"<u{size}").tobytes()
    pictures = b"".join(
        b"FRAME\n" + (woven(i).astype(f"<u{size}") << 2 * (size - 1)).tobytes() + chroma for i in range(count)
    )
    path.write_bytes(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F25:1 I{flag} A1:1 C{name}\n".encode() + pictures)
    return path


def read(path: Path, way: Deinterlace) -> tuple[list[Frame], list[Notice]]:
    notices: list[Notice] = []
    with open_source(path, ReadOptions(deinterlace=way), context=Context(notices.append)) as source:
        return [item for item in source if isinstance(item, Frame)], notices


def combed(luma: NDArray[Any]) -> float:
    """How much more neighbouring lines differ than those of one field."""
    lines = luma.astype(float)
    return float(np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean())


def mpeg2(path: Path, *, interlaced: bool, size: tuple[int, int] = SIZE, **options: Any) -> Path:
    def decorate(container: Any, stream: Any) -> None:
        stream.codec_context.options = {"flags": "+ilme+ildct"} if interlaced else {}
        stream.codec_context.colorspace = BT709

    return make_video(path, codec="mpeg2video", size=size, decorate=decorate, **options)


def joined(path: Path, parts: Sequence[Path]) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("layout", list(Y4M_LAYOUTS))
def test_each_interlaced_picture_becomes_one_whole_frame_at_its_own_time(layout: str, tmp_path: Path) -> None:
    video = interlaced_video(tmp_path / "a.y4m", layout)
    left, _ = read(video, "off")
    frames, notices = read(video, "frames")
    assert codes_of(notices) == [Code.FIELDS]
    assert [(f.pts, f.duration_ticks, f.time_base) for f in frames] == [
        (f.pts, f.duration_ticks, f.time_base) for f in left
    ]
    assert [(f.bits, f.color) for f in frames] == [(f.bits, f.color) for f in left]
    for index, frame in enumerate(frames):
        lift = frame.bits - 8
        assert combed(frame.planes[0] >> lift) < combed(woven(index)) / 4
        error = np.abs((frame.planes[0] >> lift).astype(int) - instant(2 * index))
        assert error.mean() < 1.5, "the frame shows another instant than its first field"


def test_each_field_becomes_a_frame_half_a_picture_later(tmp_path: Path) -> None:
    frames, notices = read(interlaced_video(tmp_path / "a.y4m"), "fields")
    assert codes_of(notices) == FIELDS
    assert [f.pts * f.time_base for f in frames] == [Fraction(i, 50) for i in range(12)]
    assert {f.duration for f in frames} == {0.02}
    for half, frame in enumerate(frames):
        assert np.abs(frame.planes[0].astype(int) - instant(half)).mean() < 1.5
    with open_source(tmp_path / "a.y4m", ReadOptions(deinterlace="fields")) as source:
        assert source.info.rate == 50 and source.info.time_base == Fraction(1, 50)


def test_video_is_left_woven_where_that_is_asked_for(tmp_path: Path) -> None:
    frames, notices = read(interlaced_video(tmp_path / "a.y4m"), "off")
    assert codes_of(notices) == [Code.FIELDS]
    assert all(np.array_equal(frame.planes[0], woven(i)) for i, frame in enumerate(frames))


@pytest.mark.parametrize("way", ["frames", "fields"])
def test_a_progressive_video_never_meets_the_filter(
    way: Deinterlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidsr.video.convert.deinterlace._Bwdif", None)
    frames, notices = read(interlaced_video(tmp_path / "a.y4m", flag="p"), way)
    assert notices == [] and len(frames) == 6
    assert [f.pts * f.time_base for f in frames] == [Fraction(i, 25) for i in range(6)]


@pytest.mark.parametrize("way", ["frames", "fields"])
def test_only_the_interlaced_pictures_of_a_mixed_video_are_touched(way: Deinterlace, tmp_path: Path) -> None:
    whole = mpeg2(tmp_path / "p.m2v", interlaced=False, format="mpeg2video")
    fields = mpeg2(tmp_path / "i.m2v", interlaced=True, format="mpeg2video")
    video = joined(tmp_path / "mixed.m2v", [whole, fields, whole])
    left, _ = read(video, "off")
    frames, notices = read(video, way)
    flags = [frame.av_frame.interlaced_frame for frame in left]
    assert flags == [False] * 12 + [True] * 12 + [False] * 12
    assert len(notices) == 1 and len(frames) == (48 if way == "fields" else 36)
    assert sum(frame.qp is not None for frame in frames) > 30
    by_time = {frame.pts * frame.time_base: frame for frame in frames}
    for frame, flag in zip(left, flags, strict=True):
        now = by_time[frame.pts * frame.time_base]
        assert now.color == frame.color and now.qp == frame.qp
        assert np.array_equal(now.planes[0], frame.planes[0]) is not flag


def test_a_new_size_gets_a_filter_of_its_own(tmp_path: Path) -> None:
    parts = [mpeg2(tmp_path / f"{w}.m2v", interlaced=True, size=(w, 64), format="mpeg2video") for w in (96, 128)]
    frames, notices = read(joined(tmp_path / "a.m2v", parts), "frames")
    left, _ = read(tmp_path / "a.m2v", "off")
    assert [(frame.width, frame.pts) for frame in frames] == [(frame.width, frame.pts) for frame in left]
    assert {frame.width for frame in frames} == {96, 128} and len(notices) == 1
    assert all(b.pts > a.pts for a, b in pairwise(frames))


def test_the_second_field_does_not_wait_out_a_gap(tmp_path: Path) -> None:
    video = mpeg2(tmp_path / "a.mkv", interlaced=True, pts=(0, 1, 50, 51))
    with av.open(str(video)) as source, av.open(str(tmp_path / "b.mkv"), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.size:
                packet.duration, packet.stream = 40, copy
                target.mux(packet)
    frames, _ = read(tmp_path / "b.mkv", "fields")
    assert [round(f.pts * f.time_base * 50) for f in frames] == [0, 1, 2, 3, 100, 101, 102, 103]


@pytest.mark.parametrize("count", [1, 2])
def test_a_video_of_one_or_two_interlaced_pictures_is_whole(count: int, tmp_path: Path) -> None:
    video = interlaced_video(tmp_path / "a.y4m", count=count)
    assert [len(read(video, way)[0]) for way in ("frames", "fields", "off")] == [count, 2 * count, count]


def test_pictures_without_room_for_two_fields_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W8 H2 F25:1 It A1:1 C444\nFRAME\n" + bytes(48))
    frames, notices = read(tmp_path / "a.y4m", "frames")
    assert len(frames) == 1 and codes_of(notices) == [Code.FIELDS]


def test_sound_keeps_its_packets_and_the_video_its_times(tmp_path: Path) -> None:
    video = mpeg2(tmp_path / "a.ts", interlaced=True, sound="mp2", pts=range(25))
    with open_source(video) as source:
        carried = sum(isinstance(item, Carried) for item in source)
    for way in ("frames", "fields"):
        target = tmp_path / f"{way}.mkv"
        summary = upscale_video(video, target, model="bicubic", preset="ultrafast", deinterlace=way)
        before, after = facts_of(video), facts_of(target)
        assert list(after.sound.values()) == list(before.sound.values()) and carried > 10
        step = {"frames": 1, "fields": 2}[way]
        offset = after.times[0] - before.times[0]
        assert summary.frames == len(after.times) == step * 25
        kept = zip(after.times[::step], before.times, strict=True)
        assert max(abs(a - b - offset) for a, b in kept) <= Fraction(1, 1000)
    halves = [b - a for a, b in pairwise(times_of(tmp_path / "fields.mkv"))]
    assert set(halves) == {Fraction(20, 1000)}


def test_a_way_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frames, fields, off for deinterlace; got 'blend'"):
        open_source(interlaced_video(tmp_path / "a.y4m"), ReadOptions(deinterlace="blend"))  # type: ignore[arg-type]


@pytest.mark.skipif(DATA is None, reason="VIDSR_DATA names no folder with odd films")
def test_broadcast_video_is_deinterlaced_at_its_own_times() -> None:
    video = Path(str(DATA)) / "media" / "interlaced_tff_mpeg2.ts"
    left, _ = read(video, "off")
    frames, notices = read(video, "frames")
    assert [frame.pts for frame in frames] == [frame.pts for frame in left] and len(frames) == 24
    assert codes_of(notices) == [Code.FIELDS]
    assert np.mean([combed(f.planes[0]) for f in frames]) < np.mean([combed(f.planes[0]) for f in left])
    assert len(frames_of(video)) == 24


@pytest.mark.parametrize("layout", ["uyvy422", "nv12", "yuva444p12le", "yuv422p", "yuv420p12le", "bgra"])
def test_pixel_formats_that_the_filter_does_not_take_keep_their_matrix(layout: str) -> None:
    mark, notices = Filter("setparams", field_mode="tff"), list[Notice]()
    deinterlacer, ready = Deinterlacer("frames", notices.append), list[av.VideoFrame]()
    color = np.full((16, 32, 3), (12, 217, 68), np.uint8)
    for index in range(3):
        av_frame = av.VideoFrame.from_ndarray(color, format="rgb24")
        av_frame = av_frame.reformat(format=layout, dst_colorspace=1, dst_color_range=1)
        if not av_frame.format.is_rgb:
            av_frame.colorspace, av_frame.color_range = 1, 1
        av_frame = mark(av_frame)
        av_frame.pts = index
        ready += deinterlacer.push(av_frame)
    for av_frame in [*ready, *deinterlacer.flush()]:
        assert av_frame.format.is_rgb or int(av_frame.colorspace) == 1
        assert np.abs(np.rint(frame_of(av_frame).to_rgb() * 255) - color).max() <= 2
    said = [notice for notice in notices if Code.PIXEL_FORMAT in notice.codes]
    assert bool(said) == (layout in ("uyvy422", "nv12", "yuva444p12le"))
