"""Animated images: GIF, APNG and WebP, written and read again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.video.videos import make_video, resize_video
from vidsr.context import Code
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.pipeline.video import upscale_video
from vidsr.verify import verify_video
from vidsr.video.read.source import open_source


def pages(count: int = 3, *, alpha: bool = False) -> list[Image.Image]:
    images = []
    for index in range(count):
        rgb = np.zeros((24, 32, 4 if alpha else 3), np.uint8)
        rgb[..., :3] = (40 * index, 200, 90)
        rgb[4:20, 4 + 5 * index : 14 + 5 * index, :3] = (255, 30, 60)
        if alpha:
            rgb[..., 3] = 255
            rgb[:8, :8, 3] = 0
        images.append(Image.fromarray(rgb))
    return images


def saved(path: Path, images: list[Image.Image], **options: Any) -> Path:
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


def frames_of(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return [item for item in source if isinstance(item, Frame)]


def upscaled(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)[..., :3].repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("source", ["gif", "png", "webp", "avif"])
@pytest.mark.parametrize("target", ["gif", "png", "webp", "apng"])
@pytest.mark.parametrize("alpha", [False, True])
def test_an_animation_stays_one(tmp_path: Path, source: str, target: str, alpha: bool) -> None:
    exact = {"webp": {"lossless": True}, "avif": {"quality": 100, "subsampling": "4:4:4"}}.get(source, {})
    images, durations = pages(alpha=alpha), [100, 50, 200]
    given = saved(tmp_path / f"a.{source}", images, duration=durations, loop=0, **exact)
    summary = upscale_video(given, tmp_path / f"b.{target}", model="nearest")
    found = frames_of(tmp_path / f"b.{target}")
    assert [round(frame.duration * 1000) for frame in found] == durations
    with Image.open(tmp_path / f"b.{target}") as image:
        assert image.info.get("loop") == 0
    for frame, image in zip(found, images, strict=True):
        apart = np.abs(frame.to_ndarray().astype(int) - upscaled(image))
        assert apart[24:].mean() < 4  # below the transparent corner; WebP is lossy
        assert (frame.alpha is not None and frame.alpha[2, 2] == 0) == alpha
    verified = verify_video(given, tmp_path / f"b.{target}", notices=summary.notices)
    assert verified.faithful, verified.differences


@pytest.mark.parametrize("target", ["gif", "webp", "apng"])
def test_a_rotated_video_becomes_an_upright_animation(tmp_path: Path, target: str) -> None:
    video = make_video(tmp_path / "a.mp4", pts=range(4), decorate=lambda _, stream: stream.set_display_rotation(90))
    notices = resize_video(video, tmp_path / f"b.{target}")
    assert (frames_of(tmp_path / f"b.{target}")[0].width, frames_of(video)[0].width) == (96, 64)
    found = verify_video(video, tmp_path / f"b.{target}", notices=notices)
    assert found.faithful, found.differences


def test_how_often_it_plays_is_kept(tmp_path: Path) -> None:
    once = saved(tmp_path / "a.gif", pages(), duration=50)
    thrice = saved(tmp_path / "b.png", pages(), duration=50, loop=3)
    upscale_video(once, tmp_path / "c.gif", model="nearest")
    upscale_video(thrice, tmp_path / "d.gif", model="nearest")
    upscale_video(once, tmp_path / "e.webp", model="nearest")
    loops = []
    for name in ("c.gif", "d.gif", "e.webp"):
        with Image.open(tmp_path / name) as image:
            loops.append(image.info.get("loop"))
    assert loops == [None, 2, 1]  # a GIF states how often it is repeated


def test_repeated_frames_are_joined_and_announced(tmp_path: Path) -> None:
    images = pages(2)
    given = saved(tmp_path / "a.avif", [images[0], images[0], images[1]], duration=40, quality=100)
    summary = upscale_video(given, tmp_path / "b.gif", model="nearest")
    assert [round(frame.duration * 1000) for frame in frames_of(tmp_path / "b.gif")] == [80, 40]
    assert any(Code.FRAMES in notice.codes for notice in summary.notices)


def test_the_comment_of_a_gif_is_kept_or_announced(tmp_path: Path) -> None:
    given = saved(tmp_path / "a.gif", pages(), duration=50, comment=b"made by hand")
    for target in ("b.gif", "b.webp"):
        summary = upscale_video(given, tmp_path / target, model="nearest")
        assert verify_video(given, tmp_path / target, notices=summary.notices).faithful
    with Image.open(tmp_path / "b.gif") as image:
        assert image.info["comment"] == b"made by hand"


def test_one_frame_is_an_image(tmp_path: Path) -> None:
    pages(1)[0].save(tmp_path / "a.png")
    for target in ("b.gif", "b.apng", "b.webp"):
        upscale_video(tmp_path / "a.png", tmp_path / target, model="nearest")
        with Image.open(tmp_path / target) as image:
            assert getattr(image, "n_frames", 1) == 1 and image.size == (64, 48)


def test_a_video_is_no_png(tmp_path: Path) -> None:
    from tests.clips import video

    with pytest.raises(OutputError, match="can hold one image"):
        upscale_video(video(tmp_path / "a.mp4"), tmp_path / "b.png", model="nearest")


def test_a_gif_of_one_frame_is_an_image(tmp_path: Path) -> None:
    pages(1, alpha=True)[0].save(tmp_path / "a.gif")
    pages(1, alpha=True)[0].save(tmp_path / "a.png")
    for source in ("a.gif", "a.png"):
        for target in ("b.gif", "b.png", "b.webp"):
            summary = upscale_video(tmp_path / source, tmp_path / target, model="nearest", overwrite=True)
            verified = verify_video(tmp_path / source, tmp_path / target, notices=summary.notices)
            assert verified.faithful, verified.differences
    upscale_video(tmp_path / "a.gif", tmp_path / "b.tif", model="nearest")
