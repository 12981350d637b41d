"""The bar for colour: upscaled by repeating pixels and encoded losslessly, every plane is repeated exactly."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.video.videos import codes_of, frames_of, info_of
from vidsr.color import LUMA_WEIGHTS, YCGCO, ChromaLocation, ColorSpec
from vidsr.context import Code, Context, ignore
from vidsr.frames import Frame, Plane
from vidsr.options import EncodeOptions
from vidsr.pipeline import upscale_video
from vidsr.video.write.sink import open_sink

PIXEL_FORMATS: dict[str, tuple[int, int] | None] = {"4:2:0": (1, 1), "4:2:2": (1, 0), "4:4:4": (0, 0), "gray": None}
ICTCP = 14  # a matrix that swscale does not know
MATRICES = [*LUMA_WEIGHTS, YCGCO, ICTCP]
SIZE = 46, 34


def noise(
    color: ColorSpec, *, bits: int = 8, gray: bool = False, size: tuple[int, int] = SIZE, count: int = 2
) -> list[Frame]:
    """Frames of every code there is."""
    rng = np.random.default_rng(bits)
    across, down = color.subsampling
    shapes = [size[::-1]] + ([] if gray else [((size[1] + down) >> down, (size[0] + across) >> across)] * 2)
    kind: Any = np.uint8 if bits == 8 else np.uint16
    frames = []
    for index in range(count):
        planes: tuple[Plane, ...] = tuple(rng.integers(0, 1 << bits, shape, kind) for shape in shapes)
        frames.append(Frame(planes, color, bits, pts=index, duration_ticks=1, time_base=Fraction(1, 25)))
    return frames


def video_stream_of(frames: Sequence[Frame], path: Path, codec: str = "ffv1", **options: Any) -> Path:
    with open_sink(
        path, info_of(frames[0]), EncodeOptions(codec=codec, overwrite=True, **options), context=Context(ignore)
    ) as sink:
        for frame in frames:
            sink.write(frame)
    return path


def assert_repeated(before: Sequence[Frame], after: Sequence[Frame], factor: int = 2) -> None:
    for small, large in zip(before, after, strict=True):
        assert (large.color, large.bits) == (small.color, small.bits)
        assert large.pts * large.time_base == small.pts * small.time_base
        for a, b in zip(small.planes, large.planes, strict=True):
            assert np.array_equal(b, a.repeat(factor, 0).repeat(factor, 1)[: b.shape[0], : b.shape[1]])


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("layout", list(PIXEL_FORMATS))
def test_every_matrix_and_range_comes_through_untouched(
    layout: str, bits: int, full_range: bool, tmp_path: Path
) -> None:
    subsampling = PIXEL_FORMATS[layout]
    for matrix in MATRICES:
        color = ColorSpec(matrix, full_range, primaries=9, transfer=16, subsampling=subsampling or (0, 0))
        given = noise(color, bits=bits, gray=subsampling is None)
        video = video_stream_of(given, tmp_path / "a.mkv")
        read = frames_of(video)
        assert_repeated(given, read, 1)
        summary = upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1", overwrite=True)
        assert_repeated(read, frames_of(tmp_path / "b.mkv"))
        assert summary.notices == ()


BARE = ColorSpec(6, False)  # what is guessed of a small film without tags
TAGGED = ColorSpec(1, False, 1, 1)
# What codes without loss: options, crf, depths, and colours that the container can tell.
LOSSLESS: dict[str, tuple[str, dict[str, str], float, tuple[int, ...], ColorSpec]] = {
    "a.mp4": ("libx264", {}, 0, (8,), TAGGED),
    "a.nut": ("libx264", {}, 0, (8,), TAGGED),
    "b.mp4": ("libx265", {"x265-params": "lossless=1"}, 20, (8, 10), TAGGED),
    "a.webm": ("libvpx-vp9", {"lossless": "1"}, 0, (8,), TAGGED),
    "b.mkv": ("ffv1", {}, 20, (8, 10), replace(TAGGED, full_range=True)),
    "a.avi": ("utvideo", {}, 20, (8,), replace(BARE, matrix=5)),
    "b.nut": ("rawvideo", {}, 20, (8, 10), BARE),
    "a.y4m": ("libx264", {}, 20, (8, 10), BARE),
}


@pytest.mark.parametrize("name", list(LOSSLESS))
def test_every_lossless_codec_gives_the_planes_back(name: str, tmp_path: Path) -> None:
    codec, options, crf, depths, color = LOSSLESS[name]
    for bits in depths:
        for subsampling in ((1, 1), (1, 0), (0, 0)):
            given = noise(replace(color, subsampling=subsampling), bits=bits)
            video = video_stream_of(given, tmp_path / "in.mkv")
            summary = upscale_video(
                video, tmp_path / name, model="nearest", codec=codec, crf=crf, preset="ultrafast", overwrite=True,
                encoder_options=options,
            )  # fmt: skip
            after = [
                replace(frame, color=replace(frame.color, chroma_location="left"))
                for frame in frames_of(tmp_path / name)
            ]
            assert summary.notices == () and len(after) == len(given)
            assert_repeated(given, after)


@pytest.mark.parametrize("chroma_location", ["left", "center", "topleft"])
def test_chroma_location_is_kept(chroma_location: ChromaLocation, tmp_path: Path) -> None:
    color = ColorSpec(9, False, 9, 18, (1, 1), chroma_location)
    video = video_stream_of(noise(color), tmp_path / "a.mp4", "libx264", crf=0)
    upscale_video(video, tmp_path / "b.mp4", model="nearest", crf=0, preset="ultrafast")
    read = frames_of(video)
    assert read[0].color == color
    assert_repeated(read, frames_of(tmp_path / "b.mp4"))


COLOURS = (Code.MATRIX, Code.RANGE, Code.PRIMARIES, Code.TRANSFER, Code.CHROMA_LOCATION)


@pytest.mark.parametrize(
    ("name", "codec", "full_range", "lost"),
    [
        ("a.nut", "ffv1", True, ["matrix", "range", "primaries", "transfer"]),
        ("a.nut", "libvpx-vp9", True, ["primaries", "transfer"]),
        ("a.nut", "libx264", True, []),
        ("a.avi", "mpeg4", False, ["matrix", "primaries", "transfer"]),
        ("a.mkv", "mpeg2video", True, ["range"]),
        ("a.mkv", "mjpeg", False, ["matrix", "chroma location"]),
        ("a.mov", "mpeg4", True, ["range"]),
        ("a.y4m", "libx264", True, ["matrix", "primaries", "transfer"]),
    ],
)
def test_colour_tags_that_cannot_be_stored_are_warned_of(
    name: str, codec: str, full_range: bool, lost: list[str], tmp_path: Path
) -> None:
    color = ColorSpec(9, full_range, 9, 16)
    video = video_stream_of(noise(color, size=(64, 48)), tmp_path / "in.mkv")
    notices = upscale_video(video, tmp_path / name, model="nearest", codec=codec).notices
    assert [code for code in codes_of(notices) if code in COLOURS] == lost
    now = frames_of(tmp_path / name)[0].color
    kept = {"matrix": now.matrix == 9, "range": now.full_range is full_range}
    kept |= {
        "primaries": now.primaries == 9,
        "transfer": now.transfer == 16,
        "chroma location": now.chroma_location == "left",
    }
    assert [what for what, same in kept.items() if not same] == lost
