"""Downscaling as senders do it, and compression with real codecs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsr.data.color_convert import COLOR, frame_to_rgb, image_to_frame
from vidsr.data.degradation import Degradation
from vidsr.data.photos import Image
from vidsr.frames import Frame
from vidsr.resize import resize
from vidsr.video.convert.qp import from_av1_crf, from_x265_qp
from vidsr.video.convert.recode import recode
from vidsr.video.convert.resizer import Resizer

KERNELS = {"bicubic": 0.5, "lanczos": 0.2, "area": 0.1, "swscale bicubic": 0.1, "swscale lanczos": 0.1}
"""Downscaling kernels and how often each is drawn."""

SMALLEST = 64  # pixels a side that every codec accepts: x265 refuses under 16, SVT-AV1 is made for 64 and more


@dataclass(frozen=True, slots=True)
class Compressed:
    """Consecutive images after a codec."""

    images: list[Image]
    qps: list[float]
    """QP of each image on H.264's scale, 0 to 51."""
    codec: str
    crf: float
    """As passed to the codec; for x265 it is a QP."""


def downscale(run: Sequence[Image], scale: int, rng: np.random.Generator) -> list[Image]:
    """Downscale images by a factor of `scale` with one kernel drawn from KERNELS.

    run: (height, width) or (height, width, 3) uint8, sides divisible by `scale`.
    """
    name = rng.choice(list(KERNELS), p=list(KERNELS.values()))
    height, width = run[0].shape[0] // scale, run[0].shape[1] // scale
    if name.startswith("swscale"):
        resizer = Resizer("bicubic" if name.endswith("bicubic") else "lanczos", threads=1)
        return [_downscale_by_swscale(image, height, width, resizer) for image in run]
    return [resize(image, height, width, kernel=name) for image in run]


def _downscale_by_swscale(image: Image, height: int, width: int, resizer: Resizer) -> Image:
    planes = [image] if image.ndim == 2 else list(image.transpose(2, 0, 1))
    small = [resizer.resize(Frame((plane,), COLOR), width, height).planes[0] for plane in planes]
    return np.array(small[0] if image.ndim == 2 else np.stack(small, axis=2), np.uint8)


def compress(run: Sequence[Image], settings: Degradation, rng: np.random.Generator) -> Compressed:
    """Compress consecutive images as one clip, with a codec and a quality drawn from the settings.

    run: (height, width) limited-range luma or (height, width, 3) RGB, uint8, even sides. RGB is compressed as BT.601
    4:2:0 and converted back.
    """
    quality = float(rng.uniform(*settings.crf))
    drawn = rng.random()
    if drawn < settings.x265:
        # One QP for frames of every type, since the decoder does not report HEVC's.
        params = f"log-level=none:qp={quality:.0f}:ipratio=1:pbratio=1:pools=none:frame-threads=1"
        images, _ = recompress("libx265", run, None, {"preset": "veryfast", "x265-params": params})
        return Compressed(images, [from_x265_qp(round(quality))] * len(images), "libx265", round(quality))
    if drawn < settings.x265 + settings.av1:
        crf = round(1.5 * quality)
        images, _ = recompress("libsvtav1", run, crf, {"preset": "9"})
        return Compressed(images, [from_av1_crf(crf)] * len(images), "libsvtav1", crf)
    preset = str(rng.choice(["veryfast", "medium", "slow"]))
    return Compressed(*recompress("libx264", run, quality, {"preset": preset}), "libx264", quality)


def recompress(
    codec: str, run: Sequence[Image], crf: float | None, options: Mapping[str, str] | None = None
) -> tuple[list[Image], list[float]]:
    """Encode and decode consecutive images with one codec on one thread; return them and their QPs.

    A QP is 0 if the decoder does not report it. Images smaller than SMALLEST are padded for the codec.
    """
    height, width = run[0].shape[:2]
    resizer = Resizer("bicubic", threads=1)
    frames = [image_to_frame(_padded(image), resizer) for image in run]
    decoded, _ = recode(frames, codec=codec, crf=crf, options={"threads": "1", **(options or {})})
    luma_only = run[0].ndim == 2
    images = [f.planes[0].astype(np.uint8, copy=False) if luma_only else frame_to_rgb(f, resizer) for f in decoded]
    return [image[:height, :width] for image in images], [frame.qp or 0.0 for frame in decoded]


def _padded(image: Image) -> Image:
    height, width, *channels = image.shape
    if min(height, width) >= SMALLEST:
        return image
    missing = [(0, max(SMALLEST - height, 0)), (0, max(SMALLEST - width, 0)), *[(0, 0) for _ in channels]]
    return np.pad(image, missing, mode="edge")
