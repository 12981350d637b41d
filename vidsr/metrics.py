"""How near one picture is to another: PSNR, SSIM and their kin, and the luma they are taken on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
Floats = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5  # of SSIM, as its authors set them
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of MS-SSIM, from fine to coarse
LEAST_MS_SSIM = WINDOW << (len(SCALE_WEIGHTS) - 1)  # pixels on a side
STEEP = 0.01  # of full scale: what counts as a gradient
STRATA = {"flat": (0, 50), "texture": (50, 90), "edge": (90, 100)}  # percentiles of the local gradient
STILL = 4  # levels that a pixel may change within a few frames and still be called static


def luma_of_rgb(rgb: NDArray[np.uint8]) -> Floats:
    """Give the BT.601 studio luma of an RGB picture, not rounded.

    rgb: (height, width, 3) uint8. Returns (height, width), 16 for black to 235 for white.
    """
    luma: Floats = rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255) + 16
    return luma


def psnr(a: Picture, b: Picture, *, peak: float = 255, border: int = 0) -> float:
    """Give the peak signal-to-noise ratio in dB; infinite for equal pictures.

    a, b: (height, width) or (height, width, channels) on a scale of 0 to `peak`; `border` pixels on every side do
    not count. Raises ValueError where the shapes differ.
    """
    a, b = _inner(a, b, border)
    return _decibels(np.mean(np.square(a - b)), peak)


def ssim(a: Picture, b: Picture, *, peak: float = 255, border: int = 0) -> float:
    """Give the mean structural similarity: 11x11 Gaussian window of sigma 1.5, only where it fits inside.

    a, b: (height, width) on a scale of 0 to `peak`, at least 11 pixels on a side within `border`.
    Raises ValueError where the shapes differ or the pictures are too small. Wang et al. 2004.
    """
    a, b = _inner(a, b, border)
    if a.ndim != 2 or min(a.shape) < WINDOW:
        raise ValueError(f"SSIM takes one plane of at least {WINDOW}x{WINDOW} pixels, got shape {a.shape}")
    return _similarity(a, b, peak)[0]


def ms_ssim(a: Picture, b: Picture, *, peak: float = 255, border: int = 0) -> float:
    """Give the structural similarity over five scales, each half as large as the one before (2x2 means).

    a, b: as for `ssim`, at least 176 pixels on a side within `border`, so that the window fits the coarsest scale.
    A negative term counts as 0. Raises ValueError where the shapes differ or the pictures are too small.
    Wang, Simoncelli and Bovik 2003.
    """
    a, b = _inner(a, b, border)
    if a.ndim != 2 or min(a.shape) < LEAST_MS_SSIM:
        raise ValueError(f"MS-SSIM takes one plane of at least {LEAST_MS_SSIM} pixels a side, got shape {a.shape}")
    *finer, coarsest = SCALE_WEIGHTS
    product = 1.0
    for weight in finer:
        product *= max(_similarity(a, b, peak)[1], 0) ** weight
        a, b = _halved(a), _halved(b)
    return float(product * max(_similarity(a, b, peak)[0], 0) ** coarsest)


def sharpness(ours: Picture, truth: Picture, *, peak: float = 255) -> float:
    """Give the mean gradient of `ours` over that of `truth`, where that is steep: below 1 is blurred, above sharpened.

    ours, truth: (height, width) on a scale of 0 to `peak`. Steep: at least 0.01 of `peak` a pixel. Gradients are the
    lengths of forward differences. Not a number where the truth is steep nowhere.
    """
    ours, truth = _inner(ours, truth, 0)
    steepness = _gradient(truth)
    steep = steepness >= STEEP * peak
    return float(_gradient(ours)[steep].mean() / steepness[steep].mean()) if steep.any() else float("nan")


def strata(truth: Picture) -> dict[str, NDArray[np.bool_]]:
    """Part a picture by its local gradient: the lower half is flat, the steepest tenth edge, the rest texture.

    truth: (height, width), at least 12 pixels on a side. The local gradient is the length of forward differences,
    averaged by SSIM's window. Returns masks by name of the shape that `within_strata` cuts out.
    """
    local = _blurred(_gradient(truth.astype(np.float64)))
    limits = np.percentile(local, [STRATA["flat"][1], STRATA["edge"][0]])
    flat, edge = local <= limits[0], local > limits[1]
    return {"flat": flat, "texture": ~flat & ~edge, "edge": edge}


def stratified_psnr(
    ours: Picture, truth: Picture, masks: dict[str, NDArray[np.bool_]], *, peak: float = 255
) -> dict[str, float]:
    """Give the PSNR in dB of each stratum of the truth; not a number for an empty one.

    masks: `strata(truth)`. Raises ValueError where the shapes differ.
    """
    ours, truth = _inner(ours, truth, 0)
    half = WINDOW // 2
    errors = np.square(ours - truth)[half : -half - 1, half : -half - 1]  # where gradient and window fit
    return {name: _decibels(errors[mask].mean(), peak) if mask.any() else float("nan") for name, mask in masks.items()}


def flicker_variance(ours: Picture, truth: Picture) -> NDArray[np.float32]:
    """Give the variance over time of the error, at every pixel where the truth stands still.

    ours, truth: (frames, height, width) in levels, a few consecutive frames, at least 2. Still: within 4 levels in all
    of them. Returns (static pixels,) in squared levels, unbiased, so that windows of any length can be averaged.
    """
    static = truth.max(axis=0) - truth.min(axis=0) <= STILL
    errors = ours[:, static].astype(np.float32) - truth[:, static]  # (frames, static pixels)
    return np.asarray(errors.var(axis=0, ddof=1))


def _decibels(error: Any, peak: float) -> float:
    return float(10 * np.log10(peak**2 / error)) if error else float("inf")


def _inner(a: Picture, b: Picture, border: int) -> tuple[Floats, Floats]:
    if a.shape != b.shape:
        raise ValueError(f"pictures to compare have one shape, got {a.shape} and {b.shape}")
    if 2 * border >= min(a.shape[:2]):
        raise ValueError(f"nothing is left of a picture of shape {a.shape} within a border of {border} pixels")
    inside = (slice(border, a.shape[0] - border), slice(border, a.shape[1] - border))
    return a[inside].astype(np.float64), b[inside].astype(np.float64)


def _similarity(a: Floats, b: Floats, peak: float) -> tuple[float, float]:
    """The mean of SSIM, and of its contrast and structure without its luminance."""
    stable_mean, stable_spread = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _blurred(a), _blurred(b)
    shared = _blurred(a * b) - mean_a * mean_b
    squares = mean_a**2 + mean_b**2
    spread = _blurred(a * a + b * b) - squares
    contrast = (2 * shared + stable_spread) / (spread + stable_spread)
    luminance = (2 * mean_a * mean_b + stable_mean) / (squares + stable_mean)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def _blurred(plane: Floats) -> Floats:
    """(height, width) -> (height - 10, width - 10): SSIM's window wherever it fits."""
    return _blurred_lines(_blurred_lines(plane).T).T


def _blurred_lines(plane: Floats, step: int = 16) -> Floats:
    """Multiply strips of lines by a band matrix: much faster than to add eleven shifted pictures."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    band = np.zeros((step, step + WINDOW - 1))
    for i in range(step):
        band[i, i : i + WINDOW] = weights / weights.sum()
    out = np.empty((len(plane) - WINDOW + 1, plane.shape[1]))
    for start in range(0, len(out), step):
        count = min(step, len(out) - start)
        out[start : start + count] = band[:count, : count + WINDOW - 1] @ plane[start : start + count + WINDOW - 1]
    return out


def _halved(plane: Floats) -> Floats:
    height, width = (side // 2 * 2 for side in plane.shape)
    even = plane[:height, :width]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def _gradient(plane: Floats) -> Floats:
    """(height, width) -> (height - 1, width - 1): how steep the plane is, in levels a pixel."""
    right, down = np.diff(plane, axis=1)[:-1], np.diff(plane, axis=0)[:, :-1]
    return np.sqrt(right * right + down * down)
