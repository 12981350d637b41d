"""Degradations that videos have before they are downscaled; upscaling keeps them, so the ground truth has them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vidsr.data.codec_pass import recompress
from vidsr.data.degradation import Degradation
from vidsr.data.photos import Image
from vidsr.resize import Kernel, resize

Levels = NDArray[np.float32]
"""(height, width) or (height, width, 3), black is 0."""
Change = Callable[[Levels], Levels]


def degrade_ground_truth(
    run: Sequence[Image], settings: Degradation, rng: np.random.Generator
) -> tuple[list[Image], list[str]]:
    """Make sharp images soft, sharpened, dark, noisy and recompressed; return them and what was done, in order.

    run: (height, width) limited-range luma or (height, width, 3) RGB, uint8, even sides; returned in the same form. All
    images get the same degradations.
    """
    changes: list[tuple[str, Change]] = []
    if rng.random() < settings.soft:
        changes.append(("soft", _blurring(settings, rng) if rng.random() < 0.5 else _upscaling(settings, rng)))
        changes += [("sharpened", _sharpening(rng))] if rng.random() < settings.sharpened else []
    if rng.random() < settings.dark:
        light = np.float32(rng.uniform(0.15, 0.8))
        changes.append(("dark", lambda levels: levels * light))
    if rng.random() < settings.noisy:
        changes.append(("noisy", _noising(settings, rng)))
    names = [name for name, _ in changes]
    images = [_apply([change for _, change in changes], image) for image in run] if changes else list(run)
    if rng.random() < settings.recompressed:
        images, _ = recompress("libx264", images, float(rng.uniform(*settings.recompressed_crf)))
        names.append("recompressed")
    return images, names


def _apply(changes: Sequence[Change], image: Image) -> Image:
    black = 16 if image.ndim == 2 else 0
    levels = image.astype(np.float32) - black
    for change in changes:
        levels = change(levels)
    return np.asarray(np.rint(levels + black).clip(0, 255).astype(np.uint8))


def _blurring(settings: Degradation, rng: np.random.Generator) -> Change:
    sigma = float(rng.uniform(*settings.blur))
    return lambda levels: _blur(levels, sigma)


def _upscaling(settings: Degradation, rng: np.random.Generator) -> Change:
    factor = float(rng.uniform(*settings.upscaled))
    kernel: Kernel = "lanczos" if rng.random() < 0.5 else "bicubic"

    def change(levels: Levels) -> Levels:
        height, width = levels.shape[:2]
        return resize(resize(levels, round(height / factor), round(width / factor)), height, width, kernel=kernel)

    return change


def _sharpening(rng: np.random.Generator) -> Change:
    amount, sigma = np.float32(rng.uniform(0.3, 1.5)), float(rng.uniform(0.7, 2))
    return lambda levels: levels + amount * (levels - _blur(levels, sigma))


def _noising(settings: Degradation, rng: np.random.Generator) -> Change:
    sigma = np.float32(rng.uniform(*settings.noise))

    def change(levels: Levels) -> Levels:
        grain = rng.standard_normal(levels.shape, np.float32) * sigma
        return levels + grain * np.sqrt(levels.clip(8, None) / 110)

    return change


def _blur(levels: Levels, sigma: float) -> Levels:
    if levels.ndim == 3:  # one channel at a time: contiguous planes are three times as fast
        return np.stack([_blur(levels[..., i], sigma) for i in range(levels.shape[2])], axis=2)
    radius = int(3 * sigma + 1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(levels, [(radius, radius) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        levels = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis) @ weights
    return levels
