"""Resize arrays as the super-resolution literature does: antialiased, with bicubic (a = -0.5) and other kernels.

Kernels and edges are Pillow's, in floating point. MATLAB has the same kernels but mirrors the image at its edges, where
Pillow cuts the kernel off. swscale's `bicubic` is a different filter: a = -0.6, in fixed point.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kernel = Literal["area", "bilinear", "bicubic", "lanczos"]
Weights = NDArray[np.float64]


def resize(
    array: NDArray[Any], height: int, width: int, *, kernel: Kernel = "bicubic", antialias: bool = True
) -> NDArray[Any]:
    """Resize an image to `height` x `width` pixels.

    array: (height, width) or (height, width, channels). Integers are computed in float32, rounded and clipped to the
    range of their dtype; floats keep their dtype and may overshoot. antialias: widen the kernel by the factor of
    downscaling. Raises ValueError for an unknown kernel or an empty size.
    """
    if kernel not in _KERNELS:
        raise ValueError(f"expected one of the kernels {', '.join(get_args(Kernel))}; got {kernel!r}")
    if min(height, width, *array.shape[:2]) < 1:
        raise ValueError(f"cannot resize an image of shape {array.shape} to {height}x{width}")
    integers = np.issubdtype(array.dtype, np.integer)
    values = array.astype(np.float32) if integers else array
    values = _resize_lines(values, height, kernel, antialias)
    values = np.ascontiguousarray(values.swapaxes(0, 1))  # (width, height, ...): gathering whole lines is faster
    values = _resize_lines(values, width, kernel, antialias).swapaxes(0, 1)
    if integers:
        limits = np.iinfo(array.dtype)
        values = np.rint(values).clip(limits.min, limits.max)
    return np.ascontiguousarray(values, array.dtype)


def _resize_lines(values: NDArray[Any], size: int, kernel: Kernel, antialias: bool) -> NDArray[Any]:
    """(lines, ...) float -> (size, ...) float."""
    if size == len(values):
        return values
    taps, weights = _taps(len(values), size, kernel, antialias)
    shape = (size,) + (1,) * (values.ndim - 1)
    out = np.zeros((size, *values.shape[1:]), values.dtype)
    for tap, weight in zip(taps.T, weights.T.astype(values.dtype), strict=True):
        out += values[tap] * weight.reshape(shape)
    return out


def _taps(length: int, size: int, kernel: Kernel, antialias: bool) -> tuple[NDArray[np.intp], Weights]:
    """Return which of `length` lines make each of `size` lines: (size, taps) indices, and weights that sum to 1."""
    weigh, radius = _KERNELS[kernel]
    step = length / size
    stretch = max(step, 1.0) if antialias else 1.0
    centre = (np.arange(size) + 0.5) * step
    first = np.floor(centre - radius * stretch + 0.5).astype(np.intp)
    taps = first[:, None] + np.arange(int(np.ceil(2 * radius * stretch)) + 1)  # (size, taps)
    weights = weigh((taps + 0.5 - centre[:, None]) / stretch)
    weights[(taps < 0) | (taps >= length)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    used = np.any(weights != 0, axis=0)
    return taps[:, used].clip(0, length - 1), weights[:, used]


def _area(x: Weights) -> Weights:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _bilinear(x: Weights) -> Weights:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _bicubic(x: Weights) -> Weights:
    x, a = np.abs(x), -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.asarray(np.where(x < 1, near, np.where(x < 2, far, 0)))


def _lanczos(x: Weights) -> Weights:
    return np.asarray(np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0))


_KERNELS: dict[Kernel, tuple[Callable[[Weights], Weights], float]] = {
    "area": (_area, 0.5),
    "bilinear": (_bilinear, 1),
    "bicubic": (_bicubic, 2),
    "lanczos": (_lanczos, 3),
}
