"""A video that changes in the middle is written as it began, with every frame, and warns of what is lost."""

import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.networks import network, save
from tests.video.videos import drawing, facts_of, frame_from, frames_of, info_of, make_video, messages_of
from vidsr.color import ColorSpec, rgb_to_yuv
from vidsr.context import Code, Context, Notice, ignore
from vidsr.frames import Frame
from vidsr.options import EncodeOptions
from vidsr.pipeline import upscale_video
from vidsr.video.write.image_sink import rgb_of
from vidsr.video.write.sink import open_sink

DATA = os.environ.get("VIDSR_DATA")
LIMITED_601 = ColorSpec(6, full_range=False, primaries=1, transfer=1, subsampling=(0, 0))


def coded(color: ColorSpec) -> Frame:
    """The drawing in 8-bit 4:4:4 of any matrix and range."""
    yuv = drawing(64, 48) / 255 @ rgb_to_yuv(color.matrix).T
    zeros, spans = ([0, 128, 128], [255, 255, 255]) if color.full_range else ([16, 128, 128], [219, 224, 224])
    codes = np.rint(yuv * spans + zeros).clip(0, 255).astype(np.uint8)
    return Frame(tuple(np.ascontiguousarray(codes[..., i]) for i in range(3)), color, duration_ticks=1)


def joined(folder: Path, frames: Sequence[Frame]) -> Path:
    """A bare H.264 stream of six pictures of each frame, with new headers where it changes."""
    parts = []
    for number, frame in enumerate(frames):
        path = folder / f"{number}.h264"
        with open_sink(
            path, info_of(frame), EncodeOptions(format="h264", preset="ultrafast", crf=1), context=Context(ignore)
        ) as sink:
            for index in range(6):
                sink.write(frame.at(index, 1))
        parts.append(path.read_bytes())
    video = folder / "joined.h264"
    video.write_bytes(b"".join(parts))
    return video


def enlarged(video: Path, target: Path, model: Any = "bicubic") -> tuple[Sequence[Notice], list[Frame]]:
    summary = upscale_video(video, target, model=model, preset="ultrafast", crf=1)
    return summary.notices, frames_of(target)


def difference(one: Frame, other: Frame) -> float:
    return float(np.abs(rgb_of(one).astype(int) - rgb_of(other)).mean())


@pytest.mark.parametrize("by_network", [False, True])
def test_a_new_size_is_stretched_to_the_first_one(by_network: bool, tmp_path: Path) -> None:
    video = joined(tmp_path, [frame_from(size) for size in ((64, 48), (96, 72), (64, 48))])
    model = save(network(residual=0), tmp_path / "tiny.onnx") if by_network else "bicubic"
    notices, frames = enlarged(video, tmp_path / "b.mkv", model)
    assert messages_of(notices) == ["the frame size changes from 128x96 to 192x144: the video keeps its first size"]
    assert len(frames) == 18 and {(frame.width, frame.height) for frame in frames} == {(128, 96)}
    assert all(b.pts > a.pts for a, b in pairwise(frames))
    (tmp_path / "alone").mkdir()
    alone = joined(tmp_path / "alone", [frame_from((96, 72))])
    upscale_video(alone, tmp_path / "c.mkv", model=model, width=128, height=96, crf=1)
    assert difference(frames[8], frames_of(tmp_path / "c.mkv")[2]) < 6, "the other size shows another picture"
    assert difference(frames[2], frames[14]) < 1, "the first size came back another"


@pytest.mark.parametrize(
    ("before", "after"),
    [("yuv420p", "yuv444p"), ("yuv420p", "yuv420p10le"), ("yuv444p10le", "yuv420p"), ("yuv422p10le", "yuv420p10le")],
)
def test_a_new_depth_or_chroma_becomes_the_first_and_looks_the_same(before: str, after: str, tmp_path: Path) -> None:
    video = joined(tmp_path, [frame_from(pixel_format=layout) for layout in (before, after)])
    notices, frames = enlarged(video, tmp_path / "b.mkv")
    assert [notice.codes for notice in notices] == [(Code.PIXEL_FORMAT,)]
    assert len(frames) == 12 and len({(frame.bits, frame.color) for frame in frames}) == 1
    assert difference(frames[1], frames[10]) < 5


@pytest.mark.parametrize("now", [(1, False), (6, True), (9, True), (7, False)])
def test_a_new_matrix_or_range_becomes_the_first_and_looks_the_same(now: tuple[int, bool], tmp_path: Path) -> None:
    colors = [LIMITED_601, ColorSpec(*now, primaries=1, transfer=1, subsampling=(0, 0))]
    notices, frames = enlarged(joined(tmp_path, [coded(color) for color in colors]), tmp_path / "b.mkv")
    assert not notices and len(frames) == 12
    assert {(frame.color.matrix, frame.color.full_range) for frame in frames} == {(6, False)}
    assert difference(frames[1], frames[10]) < 2.5


def test_new_primaries_and_transfer_cannot_be_stored_and_are_warned_of(tmp_path: Path) -> None:
    colors = [LIMITED_601, ColorSpec(6, False, primaries=9, transfer=16, subsampling=(0, 0))]
    notices, frames = enlarged(joined(tmp_path, [coded(color) for color in colors]), tmp_path / "b.mkv")
    assert [notice.codes for notice in notices] == [(Code.PRIMARIES,), (Code.TRANSFER,)]
    assert {(frame.color.primaries, frame.color.transfer) for frame in frames} == {(1, 1)}


def test_a_broadcast_that_changes_its_size_keeps_its_times_and_sound(tmp_path: Path) -> None:
    parts = [make_video(tmp_path / f"{w}.ts", size=(w, 48), sound="mp2", pts=range(25)) for w in (64, 96)]
    video = tmp_path / "a.ts"
    video.write_bytes(b"".join(part.read_bytes() for part in parts))
    before = frames_of(video)
    notices, frames = enlarged(video, tmp_path / "b.mkv")
    assert "the frame size changes from 128x96 to 192x96: the video keeps its first size" in messages_of(notices)
    assert {frame.width for frame in before} == {64, 96} and len(frames) == len(before) == 50
    times = [frame.pts * frame.time_base for frame in frames]
    shift = times[0] - before[0].pts * before[0].time_base
    worst = max(abs(t - f.pts * f.time_base - shift) for t, f in zip(times, before, strict=True))
    assert worst <= Fraction(1, 1000)
    assert list(facts_of(tmp_path / "b.mkv").sound.values()) == list(facts_of(video).sound.values())


@pytest.mark.skipif(DATA is None, reason="VIDSR_DATA names no folder with odd films")
def test_the_odd_film_that_changes_its_size_is_whole(tmp_path: Path) -> None:
    video = Path(str(DATA)) / "media" / "size_change.h264"
    before = frames_of(video)
    notices, frames = enlarged(video, tmp_path / "b.mkv")
    assert messages_of(notices) == ["the frame size changes from 640x360 to 960x540: the video keeps its first size"]
    assert len(frames) == len(before) == 24 and {(frame.width, frame.height) for frame in frames} == {(640, 360)}
