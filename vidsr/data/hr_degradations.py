"""What film does to a picture before anybody shrinks it: the truth looks so too, and must stay so."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vidsr.data.codec_pass import through
from vidsr.data.degradation import Degradation
from vidsr.data.photos import Picture
from vidsr.resize import Kernel, resize

Levels = NDArray[np.float32]
"""(height, width) or (height, width, 3), 0 for black."""
Look = Callable[[Levels], Levels]


def look_like_video(
    run: Sequence[Picture], settings: Degradation, rng: np.random.Generator
) -> tuple[list[Picture], list[str]]:
    """Make sharp photos soft, sharpened, dark, noisy and worn as film is, and name what was done, in order.

    run: (height, width) luma of limited range or (height, width, 3) RGB, uint8, sides even; the same comes out. One
    draw serves the whole run.
    """
    looks: list[tuple[str, Look]] = []
    if rng.random() < settings.soft:
        looks.append(("soft", _blurring(settings, rng) if rng.random() < 0.5 else _enlarging(settings, rng)))
        looks += [("sharpened", _sharpening(rng))] if rng.random() < settings.sharpened else []
    if rng.random() < settings.dark:
        light = np.float32(rng.uniform(0.15, 0.8))
        looks.append(("dark", lambda levels: levels * light))
    if rng.random() < settings.noisy:
        looks.append(("noisy", _noising(settings, rng)))
    names = [name for name, _ in looks]
    frames = [_apply([look for _, look in looks], frame) for frame in run] if looks else list(run)
    if rng.random() < settings.worn:
        frames, _ = through("libx264", frames, float(rng.uniform(*settings.wear)))
        names.append("worn")
    return frames, names


def _apply(looks: Sequence[Look], frame: Picture) -> Picture:
    black = 16 if frame.ndim == 2 else 0
    levels = frame.astype(np.float32) - black
    for look in looks:
        levels = look(levels)
    return np.asarray(np.rint(levels + black).clip(0, 255).astype(np.uint8))


def _blurring(settings: Degradation, rng: np.random.Generator) -> Look:
    sigma = float(rng.uniform(*settings.blur))
    return lambda levels: _blur(levels, sigma)


def _enlarging(settings: Degradation, rng: np.random.Generator) -> Look:
    factor = float(rng.uniform(*settings.enlarged))
    kernel: Kernel = "lanczos" if rng.random() < 0.5 else "bicubic"

    def look(levels: Levels) -> Levels:
        height, width = levels.shape[:2]
        return resize(resize(levels, round(height / factor), round(width / factor)), height, width, kernel=kernel)

    return look


def _sharpening(rng: np.random.Generator) -> Look:
    amount, sigma = np.float32(rng.uniform(0.3, 1.5)), float(rng.uniform(0.7, 2))
    return lambda levels: levels + amount * (levels - _blur(levels, sigma))


def _noising(settings: Degradation, rng: np.random.Generator) -> Look:
    sigma = np.float32(rng.uniform(*settings.noise))

    def look(levels: Levels) -> Levels:
        grain = rng.standard_normal(levels.shape, np.float32) * sigma
        return levels + grain * np.sqrt(levels.clip(8, None) / 110)

    return look


def _blur(levels: Levels, sigma: float) -> Levels:
    if levels.ndim == 3:  # a colour at a time: planes are read in order, three times as fast
        return np.stack([_blur(levels[..., i], sigma) for i in range(levels.shape[2])], axis=2)
    radius = int(3 * sigma + 1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(levels, [(radius, radius) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis)
        levels = views @ weights
    return levels
