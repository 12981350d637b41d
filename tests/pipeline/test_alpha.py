"""Transparent videos and images: alpha is upscaled by Lanczos where the output can store it, else warned of."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.networks import network, save
from tests.pipeline.test_round_trip import noise, video_stream_of
from tests.video.videos import codes_of, drawing, frames_of, make_video, messages_of
from vidsr.color import ColorSpec
from vidsr.context import Code
from vidsr.frames import Frame
from vidsr.pipeline import upscale_video
from vidsr.resize import resize
from vidsr.video.read.source import open_source

DATA = os.environ.get("VIDSR_DATA")
SIZE = 64, 48


def veil(bits: int = 8, index: int = 0) -> NDArray[Any]:
    """A soft disc that moves with `index`: (h, w) at that depth."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    opaque = np.clip(1.3 - np.hypot(x - 24 - 3 * index, y - 24) / 20, 0, 1)
    codes: NDArray[Any] = np.rint(opaque * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    return codes


def veiled(layout: tuple[int, int], bits: int, *, gray: bool = False) -> list[Frame]:
    """Four frames of noise, each with its own alpha."""
    frames = noise(ColorSpec(6, False, 1, 1, layout), bits=bits, gray=gray, size=SIZE, count=4)
    return [replace(frame, alpha=veil(bits, index)) for index, frame in enumerate(frames)]


def levels(alpha: NDArray[Any], bits: int = 10) -> NDArray[np.float64]:
    """Alpha of 8 bits, or of so many, from 0 to 255."""
    return alpha * (255 / ((1 << bits) - 1 if alpha.dtype == np.uint16 else 255))


def by_lanczos(alpha: NDArray[Any], factor: int = 2, bits: int = 10) -> NDArray[np.float64]:
    height, width = alpha.shape
    return resize(levels(alpha, bits), height * factor, width * factor, kernel="lanczos").clip(0, 255)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("layout", [(1, 1), (1, 0), (0, 0)], ids=["4:2:0", "4:2:2", "4:4:4"])
def test_alpha_is_upscaled_and_colours_do_not_change(layout: tuple[int, int], bits: int, tmp_path: Path) -> None:
    given = veiled(layout, bits)
    video = video_stream_of(given, tmp_path / "a.mkv")
    upscale_video(
        video_stream_of([replace(f, alpha=None) for f in given], tmp_path / "p.mkv"), tmp_path / "q.mkv", codec="ffv1"
    )
    assert upscale_video(video, tmp_path / "b.mkv", codec="ffv1").notices == ()
    read, plain, after = frames_of(video), frames_of(tmp_path / "q.mkv"), frames_of(tmp_path / "b.mkv")
    for small, opaque, large, source in zip(read, plain, after, given, strict=True):
        assert np.array_equal(small.alpha, source.alpha), "alpha was not even read as it was written"
        assert all(np.array_equal(a, b) for a, b in zip(large.planes, opaque.planes, strict=True))
        assert (large.color, large.bits) == (small.color, small.bits) and large.alpha is not None
        assert np.abs(levels(large.alpha) - by_lanczos(small.alpha)).max() < 1.5


def test_nearest_repeats_alpha_too(tmp_path: Path) -> None:
    video = video_stream_of(veiled((1, 1), 10), tmp_path / "a.mkv")
    upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1")
    for small, large in zip(frames_of(video), frames_of(tmp_path / "b.mkv"), strict=True):
        assert small.alpha is not None
        assert np.array_equal(large.alpha, small.alpha.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("name", "options", "near"),
    [
        ("b.webm", {}, 3),
        ("b.mkv", {"codec": "libvpx-vp9"}, 3),
        ("b.mov", {"codec": "prores_ks"}, 2),
        ("c.mkv", {"codec": "ffv1"}, 1.5),
        ("b.nut", {"codec": "rawvideo"}, 1.5),
    ],
)
@pytest.mark.parametrize("origin", ["ffv1", "libvpx-vp9", "libvpx"])
def test_every_output_that_can_keeps_alpha(
    origin: str, name: str, options: dict[str, Any], near: float, tmp_path: Path
) -> None:
    video = video_stream_of(veiled((1, 1), 8), tmp_path / "a.mkv", origin, crf=5)
    summary = upscale_video(video, tmp_path / name, model="bicubic", crf=5, **options)
    assert Code.ALPHA not in codes_of(summary.notices)
    before, after = frames_of(video), frames_of(tmp_path / name)
    assert len(after) == len(before) == 4
    for small, large in zip(before, after, strict=True):
        assert small.alpha is not None and large.alpha is not None
        assert np.abs(levels(large.alpha, large.bits) - by_lanczos(small.alpha)).mean() < near


@pytest.mark.parametrize(("name", "codec"), [("b.mp4", "libx264"), ("b.mkv", "libx265"), ("b.nut", "libvpx-vp9")])
def test_alpha_that_is_left_out_is_warned_of_once(name: str, codec: str, tmp_path: Path) -> None:
    video = video_stream_of(veiled((1, 1), 8), tmp_path / "a.mkv")
    notices = upscale_video(video, tmp_path / name, model="bicubic", codec=codec).notices
    assert codes_of(notices).count(Code.ALPHA) == 1
    assert all(frame.alpha is None for frame in frames_of(tmp_path / name))


def test_an_opaque_video_loses_nothing_and_one_that_turns_transparent_warns(tmp_path: Path) -> None:
    solid = [replace(frame, alpha=np.full_like(frame.planes[0], 255)) for frame in veiled((1, 1), 8)]
    opaque = upscale_video(video_stream_of(solid, tmp_path / "a.mkv"), tmp_path / "a.mp4", model="bicubic")
    assert opaque.notices == ()
    late = [*solid[:2], *veiled((1, 1), 8)[2:]]
    transparent = upscale_video(video_stream_of(late, tmp_path / "b.mkv"), tmp_path / "b.mp4", model="bicubic")
    assert [notice.codes for notice in transparent.notices] == [(Code.ALPHA,)]


def test_a_network_and_an_odd_size_keep_alpha_in_its_place(tmp_path: Path) -> None:
    video = video_stream_of(veiled((1, 1), 8), tmp_path / "a.mkv")
    tiny = save(network(channels=3), tmp_path / "tiny.onnx")
    for size in ((128, 96), (128, 94), (96, 72)):
        upscale_video(
            video, tmp_path / "b.mkv", model=tiny, width=size[0], height=size[1], codec="ffv1", overwrite=True
        )
        for index, frame in enumerate(frames_of(tmp_path / "b.mkv")):
            assert frame.alpha is not None and frame.alpha.shape == size[::-1]
            exact = resize(levels(veil(8, index)), size[1], size[0], kernel="lanczos")
            assert np.abs(levels(frame.alpha) - exact).mean() < 3


def test_gray_film_keeps_alpha(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([drawing(*SIZE)[..., 0], veil()])).save(tmp_path / "a.png")
    upscale_video(tmp_path / "a.png", tmp_path / "b.mkv", model="nearest", codec="ffv1")
    (frame,) = frames_of(tmp_path / "b.mkv")
    assert np.array_equal(levels(frame.alpha), veil().repeat(2, 0).repeat(2, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_stills_keep_alpha(kind: str, mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([drawing(*SIZE), veil()]))
    if mode == "P":
        image = image.quantize(8)
    elif mode == "LA":
        image = image.convert(mode)
    image.save(tmp_path / "a.png")
    summary = upscale_video(tmp_path / "a.png", tmp_path / f"b.{kind}", model="bicubic")
    with Image.open(tmp_path / f"b.{kind}") as large, Image.open(tmp_path / "a.png") as small:
        assert large.mode in (("LA", "RGBA") if mode == "LA" else ("RGBA",))
        assert summary.notices == ()
        alpha = np.asarray(large.convert("RGBA"))[..., 3].astype(float)
        assert np.abs(alpha - by_lanczos(np.asarray(small.convert("RGBA"))[..., 3])).mean() < 2


def test_a_kind_of_image_without_alpha_is_warned_of(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([drawing(*SIZE), veil()])).save(tmp_path / "a.png")
    notices = upscale_video(tmp_path / "a.png", tmp_path / "b.jpg", model="bicubic").notices
    assert messages_of(notices) == ["the alpha channel is left out: JPEG cannot store it; use .png, .webp or .tif"]
    assert codes_of(notices) == [Code.ALPHA]


def test_a_transparent_gif_keeps_its_holes(tmp_path: Path) -> None:
    pages = [
        Image.fromarray(np.dstack([drawing(*SIZE, i), np.where(veil(8, i) > 127, 255, 0).astype(np.uint8)]))
        for i in range(3)
    ]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=[50, 200, 30], disposal=2)
    upscale_video(tmp_path / "a.gif", tmp_path / "b.webm", model="nearest", crf=5)
    frames = frames_of(tmp_path / "b.webm")
    assert [frame.pts * frame.time_base for frame in frames] == [0, Fraction(1, 20), Fraction(1, 4)]
    for index, frame in enumerate(frames):
        expected = np.where(veil(8, index) > 127, 255, 0).repeat(2, 0).repeat(2, 1)
        assert frame.alpha is not None and np.abs(frame.alpha - expected.astype(float)).mean() < 6


def test_vp9_without_alpha_keeps_its_own_decoder(tmp_path: Path) -> None:
    with open_source(make_video(tmp_path / "a.webm", codec="libvpx-vp9")) as source:
        assert not source.info.alpha and source.first.qp is not None


@pytest.mark.skipif(DATA is None, reason="VIDSR_DATA names no folder with odd films")
def test_prores_4444_goes_in_and_comes_out_with_its_alpha(tmp_path: Path) -> None:
    video = Path(str(DATA)) / "media" / "alpha_prores4444.mov"
    upscale_video(video, tmp_path / "b.mov", model="bicubic", codec="prores_ks")
    before, after = frames_of(video), frames_of(tmp_path / "b.mov")
    assert len(after) == len(before) == 10
    for small, large in zip(before, after, strict=True):
        assert small.alpha is not None and large.alpha is not None
        expected = by_lanczos(small.alpha, bits=small.bits)
        assert np.abs(levels(large.alpha, large.bits) - expected).mean() < 1
    with av.open(str(tmp_path / "b.mov")) as out:
        assert "yuva444p" in out.streams.video[0].codec_context.pix_fmt
