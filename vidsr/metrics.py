"""Image quality metrics on luma planes: PSNR, SSIM, MS-SSIM, sharpness, PSNR by stratum, flicker."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Floats = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5  # of SSIM's Gaussian window, as in the paper
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of MS-SSIM, from fine to coarse
MIN_MS_SSIM_SIDE = WINDOW << (len(SCALE_WEIGHTS) - 1)  # pixels
STEEP = 0.01  # of full scale: the smallest gradient that `sharpness` counts
STRATA = {"flat": (0, 50), "texture": (50, 90), "edge": (90, 100)}  # percentiles of the local gradient
STATIC_LEVELS = 4  # a pixel that changes by no more within a few frames is static


def luma_of_rgb(rgb: NDArray[np.uint8]) -> Floats:
    """Return the limited-range BT.601 luma of an RGB image, not rounded.

    rgb: (height, width, 3). Returns (height, width), 16 for black to 235 for white.
    """
    luma: Floats = rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255) + 16
    return luma


def psnr(a: Image, b: Image, *, peak: float = 255, border: int = 0) -> float:
    """Return the peak signal-to-noise ratio in dB; infinity for equal images.

    a, b: (height, width) or (height, width, channels), from 0 to `peak`. border: pixels on every side to leave out.
    Raises ValueError if the shapes differ.
    """
    a, b = _without_border(a, b, border)
    return _decibels(np.mean(np.square(a - b)), peak)


def ssim(a: Image, b: Image, *, peak: float = 255, border: int = 0) -> float:
    """Return the mean structural similarity (Wang et al. 2004), over the positions where the window fits inside.

    a, b: (height, width), from 0 to `peak`, at least 11 pixels a side without `border`.
    Raises ValueError if the shapes differ or the images are too small.
    """
    a, b = _without_border(a, b, border)
    if a.ndim != 2 or min(a.shape) < WINDOW:
        raise ValueError(f"SSIM expects one plane of at least {WINDOW}x{WINDOW} pixels; got shape {a.shape}")
    return _similarity(a, b, peak)[0]


def ms_ssim(a: Image, b: Image, *, peak: float = 255, border: int = 0) -> float:
    """Return the structural similarity over five scales (Wang, Simoncelli and Bovik 2003), each half the one before.

    a, b: as for `ssim`, at least 176 pixels a side without `border`, so that the window fits the coarsest scale.
    Negative terms count as 0. Raises ValueError if the shapes differ or the images are too small.
    """
    a, b = _without_border(a, b, border)
    if a.ndim != 2 or min(a.shape) < MIN_MS_SSIM_SIDE:
        raise ValueError(f"MS-SSIM expects one plane of at least {MIN_MS_SSIM_SIDE} pixels a side; got {a.shape}")
    *finer, coarsest = SCALE_WEIGHTS
    product = 1.0
    for weight in finer:
        product *= max(_similarity(a, b, peak)[1], 0) ** weight
        a, b = _halved(a), _halved(b)
    return float(product * max(_similarity(a, b, peak)[0], 0) ** coarsest)


def sharpness(ours: Image, truth: Image, *, peak: float = 255) -> float:
    """Return the mean gradient of `ours` over that of `truth`: below 1 is blurred, above 1 is sharpened.

    ours, truth: (height, width), from 0 to `peak`. Only pixels where the truth's gradient, the length of its forward
    differences, is at least 0.01 of `peak` count; NaN if there are none.
    """
    ours, truth = _without_border(ours, truth, 0)
    steepness = _gradient(truth)
    steep = steepness >= STEEP * peak
    return float(_gradient(ours)[steep].mean() / steepness[steep].mean()) if steep.any() else float("nan")


def strata(truth: Image) -> dict[str, NDArray[np.bool_]]:
    """Divide an image by its local gradient: the lower half is flat, the steepest tenth edge, the rest texture.

    truth: (height, width), at least 12 pixels a side. The local gradient is the length of the forward differences,
    averaged with SSIM's window. Returns the masks that `stratified_psnr` takes, by name.
    """
    local = _blurred(_gradient(truth.astype(np.float64)))
    limits = np.percentile(local, [STRATA["flat"][1], STRATA["edge"][0]])
    flat, edge = local <= limits[0], local > limits[1]
    return {"flat": flat, "texture": ~flat & ~edge, "edge": edge}


def stratified_psnr(
    ours: Image, truth: Image, masks: dict[str, NDArray[np.bool_]], *, peak: float = 255
) -> dict[str, float]:
    """Return the PSNR in dB of each stratum of the truth; NaN for an empty one.

    masks: `strata(truth)`. Raises ValueError if the shapes differ.
    """
    ours, truth = _without_border(ours, truth, 0)
    half = WINDOW // 2
    errors = np.square(ours - truth)[half : -half - 1, half : -half - 1]  # where gradient and window fit
    return {name: _decibels(errors[mask].mean(), peak) if mask.any() else float("nan") for name, mask in masks.items()}


def flicker_variance(ours: Image, truth: Image) -> NDArray[np.float32]:
    """Return the variance of the error over time, at every pixel where the truth is static.

    ours, truth: (frames, height, width) in levels, at least 2 consecutive frames. Static: within 4 levels in all of
    them. Returns (static pixels,) in squared levels, unbiased, so that windows of any length can be averaged.
    """
    static = truth.max(axis=0) - truth.min(axis=0) <= STATIC_LEVELS
    errors = ours[:, static].astype(np.float32) - truth[:, static]  # (frames, static pixels)
    return np.asarray(errors.var(axis=0, ddof=1))


def _decibels(error: Any, peak: float) -> float:
    return float(10 * np.log10(peak**2 / error)) if error else float("inf")


def _without_border(a: Image, b: Image, border: int) -> tuple[Floats, Floats]:
    if a.shape != b.shape:
        raise ValueError(f"expected two images of one shape; got {a.shape} and {b.shape}")
    if 2 * border >= min(a.shape[:2]):
        raise ValueError(f"a border of {border} pixels leaves nothing of an image of shape {a.shape}")
    inside = (slice(border, a.shape[0] - border), slice(border, a.shape[1] - border))
    return a[inside].astype(np.float64), b[inside].astype(np.float64)


def _similarity(a: Floats, b: Floats, peak: float) -> tuple[float, float]:
    """Return the mean of SSIM, and the mean of its contrast-structure term alone."""
    stable_mean, stable_spread = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _blurred(a), _blurred(b)
    covariance = _blurred(a * b) - mean_a * mean_b
    squares = mean_a**2 + mean_b**2
    variances = _blurred(a * a + b * b) - squares
    contrast = (2 * covariance + stable_spread) / (variances + stable_spread)
    luminance = (2 * mean_a * mean_b + stable_mean) / (squares + stable_mean)
    return float(np.mean(luminance * contrast)), float(np.mean(contrast))


def _blurred(plane: Floats) -> Floats:
    """(height, width) -> (height - 10, width - 10): SSIM's window at every position where it fits."""
    return _blurred_lines(_blurred_lines(plane).T).T


def _blurred_lines(plane: Floats, step: int = 16) -> Floats:
    """Multiply strips of lines by a band matrix, which is much faster than adding eleven shifted planes."""
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
    """(height, width) -> (height - 1, width - 1): length of the forward differences, in levels per pixel."""
    right, down = np.diff(plane, axis=1)[:-1], np.diff(plane, axis=0)[:, :-1]
    return np.sqrt(right * right + down * down)
