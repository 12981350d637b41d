"""From a good image to the low-resolution image that a network is given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidsr.data.codec_pass import Compressed, compress, downscale
from vidsr.data.degradation import Degradation
from vidsr.data.hr_degradations import degrade_ground_truth
from vidsr.data.lr_degradations import apply, draw_lr_degradations
from vidsr.data.photos import Image


@dataclass(frozen=True, slots=True)
class DegradedRun:
    """Consecutive ground truth images and what a network is given instead of them."""

    low: list[Image]
    """Low-resolution images, each (height, width, channels) uint8."""
    high: list[Image]
    """Ground truth, `scale` times larger."""
    qps: list[float]
    """QP of each low-resolution image on H.264's scale, 0 to 51; 0 if it was never compressed."""
    kind: str
    """Codec of the low-resolution images: libx264, libx265 or libsvtav1; jpeg without a video codec, else clean."""
    crf: float | None
    """CRF or QP as passed to the video codec; None without one."""
    looks: tuple[str, ...]
    """Other degradations in order: soft, sharpened, dark, noisy and recompressed of both; blurred, resized, grainy
    and jpeg of the low-resolution images; `again` if the latter were applied twice."""


def degrade(
    run: Sequence[Image],
    settings: Degradation,
    scale: int,
    rng: np.random.Generator,
    *,
    coded: bool,
) -> DegradedRun:
    """Degrade consecutive images as videos, their senders and networks do; equal generators give equal bytes.

    run: (height, width, channels) uint8, sides divisible by 2 * scale: limited-range luma or RGB. All images get the
    same degradations and, if `coded`, are compressed as one clip.
    """
    height, width, channels = run[0].shape
    assert height % (2 * scale) == width % (2 * scale) == 0, f"{width}x{height} at scale {scale}"
    high, looks = degrade_ground_truth([image[..., 0] if channels == 1 else image for image in run], settings, rng)
    extra = draw_lr_degradations(settings, scale, rng.spawn(1)[0])  # spawned: it does not change what is drawn next
    low = apply(extra.after, downscale(apply(extra.before, high), scale, rng))
    kind = "jpeg" if "jpeg" in extra.names else "clean"
    result = compress(low, settings, rng) if coded else Compressed(low, [0.0] * len(low), kind, 0.0)
    return DegradedRun(
        low=[image.reshape(*image.shape[:2], channels) for image in result.images],
        high=[image.reshape(*image.shape[:2], channels) for image in high],
        qps=result.qps,
        kind=result.codec,
        crf=result.crf if coded else None,
        looks=(*looks, *extra.names),
    )
