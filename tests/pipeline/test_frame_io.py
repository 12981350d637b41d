"""The public way to read and write videos frame by frame."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vidsr
from tests.clips import size_of, sound_of, times_of, video
from vidsr.errors import DataError, TargetExists, WrongOption


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "in.mp4")


def test_the_metadata_are_those_of_the_file(clip: Path) -> None:
    with vidsr.open_video(clip) as opened:
        known = opened.metadata
    assert (known.width, known.height, known.codec, known.bits) == (64, 48, "h264", 8)
    assert known.duration == pytest.approx(0.48, abs=0.05)
    assert [stream.kind for stream in known.streams] == ["audio"]


def test_frames_are_upscaled_and_everything_else_is_copied(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with (
        vidsr.load_upscaler("bicubic") as upscaler,
        vidsr.open_video(clip) as opened,
        vidsr.create_video(target, like=opened, scale=2) as out,
    ):
        for frame in opened.frames():
            out.write(upscaler(frame))
        assert not target.exists()
    assert size_of(target) == (128, 96)
    assert times_of(target) == times_of(clip)
    assert sound_of(target) == sound_of(clip)


def test_a_frame_knows_its_time_in_seconds_and_ticks(clip: Path) -> None:
    with vidsr.open_video(clip) as opened:
        frames = list(opened)
    assert [frame.time for frame in frames] == pytest.approx([0.04 * index for index in range(12)])
    assert frames[1].duration == pytest.approx(0.04)
    assert frames[1].duration_ticks * frames[1].time_base == Fraction(1, 25)


def test_frames_become_arrays_and_images(clip: Path) -> None:
    with vidsr.open_video(clip) as opened:
        frame = next(opened.frames())
    rgb, gray, yuv = (frame.to_ndarray(kind) for kind in ("rgb24", "gray", "yuv420p"))
    assert (rgb.shape, gray.shape, yuv.shape) == ((48, 64, 3), (48, 64), (72, 64))
    np.testing.assert_array_equal(yuv[:48], frame.planes[0])
    assert np.abs(rgb.mean(2) - gray).mean() < 2  # the clip is gray
    assert frame.to_image().size == (64, 48)
    with pytest.raises(ValueError, match="expected one of rgb24, gray, yuv420p"):
        frame.to_ndarray("rgba")  # type: ignore[arg-type]


def test_a_video_of_drawn_frames_needs_no_input(tmp_path: Path) -> None:
    target = tmp_path / "drawn.mkv"
    with vidsr.create_video(target, codec="ffv1") as out:
        for index in range(3):
            image = np.full((32, 48, 3), 80 * index, np.uint8)
            out.write(vidsr.Frame.from_rgb(image, pts=index, duration_ticks=1))
    with vidsr.open_video(target) as opened:
        back = list(opened.frames())
    assert [int(frame.to_ndarray().mean().round()) for frame in back] == [0, 80, 160]
    assert [frame.time for frame in back] == pytest.approx([0, 0.04, 0.08])


def test_a_failure_leaves_nothing_behind(clip: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        vidsr.open_video(clip) as opened,
        vidsr.create_video(tmp_path / "out.mp4", like=opened) as out,
    ):
        out.write(next(opened.frames()))
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_what_a_user_does_wrong_is_a_sentence(clip: Path, tmp_path: Path) -> None:
    with vidsr.open_video(clip) as opened:
        next(opened.frames())
        with pytest.raises(WrongOption, match="create the output first"):
            vidsr.create_video(tmp_path / "late.mp4", like=opened)
    with vidsr.open_video(clip) as opened:
        (tmp_path / "there.mp4").touch()
        with pytest.raises(TargetExists), vidsr.create_video(tmp_path / "there.mp4", like=opened):
            pass
    with pytest.raises(DataError, match="expected a Frame"), vidsr.create_video(tmp_path / "a.mkv") as out:
        out.write(np.zeros((4, 4, 3), np.uint8))  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 12), (8, 12, 3)])
def test_an_array_keeps_its_dtype_and_a_flat_one_its_level(dtype: type, shape: tuple[int, ...]) -> None:
    level = 100 if dtype is np.uint8 else 0.4
    with vidsr.load_upscaler("lanczos") as upscaler:
        larger = upscaler(np.full(shape, level, dtype))
    assert larger.dtype == dtype and larger.shape == (16, 24, *shape[2:])
    np.testing.assert_allclose(larger, level, atol=1 if dtype is np.uint8 else 0.003)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_an_image_keeps_its_mode(mode: str) -> None:
    with vidsr.load_upscaler("bicubic") as upscaler:
        larger = upscaler(Image.new(mode, (12, 8)))
    assert (larger.mode, larger.size) == (mode, (24, 16))


def test_the_models_and_the_version_have_names() -> None:
    assert {"live-x2", "fast-x4", "bicubic"} <= set(vidsr.available_models())
    assert vidsr.__version__.count(".") == 2
