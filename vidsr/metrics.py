"""How near one picture is to another: PSNR, SSIM, and the luma they are taken on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]

WINDOW, SIGMA = 11, 1.5  # of SSIM, as its authors set them


def luma_of_rgb(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the BT.601 studio luma of an RGB picture, not rounded.

    rgb: (height, width, 3) uint8. Returns (height, width), 16 for black to 235 for white.
    """
    luma: NDArray[np.float64] = rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255) + 16
    return luma


def psnr(a: Picture, b: Picture, *, peak: float = 255, border: int = 0) -> float:
    """Give the peak signal-to-noise ratio in dB; infinite for equal pictures.

    a, b: (height, width) or (height, width, channels) on a scale of 0 to `peak`; `border` pixels on every side do
    not count. Raises ValueError where the shapes differ.
    """
    a, b = _inner(a, b, border)
    error = np.mean(np.square(a - b))
    return float(10 * np.log10(peak**2 / error)) if error else float("inf")


def ssim(a: Picture, b: Picture, *, peak: float = 255, border: int = 0) -> float:
    """Give the mean structural similarity: 11x11 Gaussian window of sigma 1.5, only where it fits inside.

    a, b: (height, width) on a scale of 0 to `peak`, at least 11 pixels on a side within `border`.
    Raises ValueError where the shapes differ or the pictures are too small.
    """
    a, b = _inner(a, b, border)
    if a.ndim != 2 or min(a.shape) < WINDOW:
        raise ValueError(f"SSIM takes one plane of at least {WINDOW}x{WINDOW} pixels, got shape {a.shape}")
    stable_mean, stable_spread = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _blur(a), _blur(b)
    spread_a, spread_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    shared = _blur(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + stable_mean) * (2 * shared + stable_spread)
    below = (mean_a**2 + mean_b**2 + stable_mean) * (spread_a + spread_b + stable_spread)
    return float(np.mean(above / below))


def _inner(a: Picture, b: Picture, border: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if a.shape != b.shape:
        raise ValueError(f"pictures to compare have one shape, got {a.shape} and {b.shape}")
    if 2 * border >= min(a.shape[:2]):
        raise ValueError(f"nothing is left of a picture of shape {a.shape} within a border of {border} pixels")
    inside = (slice(border, a.shape[0] - border), slice(border, a.shape[1] - border))
    return a[inside].astype(np.float64), b[inside].astype(np.float64)


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    rows, columns = plane.shape[0] - WINDOW + 1, plane.shape[1] - WINDOW + 1
    tall = sum(weight * plane[i : i + rows] for i, weight in enumerate(weights))
    blurred: NDArray[np.float64] = sum(weight * tall[:, i : i + columns] for i, weight in enumerate(weights))
    return blurred
