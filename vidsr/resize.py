"""Resize arrays as the super-resolution literature does: antialiased, with bicubic (a = -0.5) and other kernels.

Kernels and edges are Pillow's, in floating point. MATLAB has the same kernels but mirrors the image at its edges, where
Pillow cuts the kernel off. swscale's `bicubic` is a different filter: a = -0.6, in fixed point.
"""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Kernel = Literal["area", "bilinear", "bicubic", "lanczos"]

_FILTERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize(array: NDArray[Any], height: int, width: int, *, kernel: Kernel = "bicubic") -> NDArray[Any]:
    """Resize an image to `height` x `width` pixels, in float32.

    array: (height, width) or (height, width, channels); its dtype is kept. Integers are rounded and clipped to their
    range, floats may overshoot. Raises ValueError for an unknown kernel or an empty size.
    """
    if kernel not in _FILTERS:
        raise ValueError(f"expected one of the kernels {', '.join(get_args(Kernel))}; got {kernel!r}")
    if min(height, width, *array.shape[:2]) < 1:
        raise ValueError(f"cannot resize an image of shape {array.shape} to {height}x{width}")
    planes = array.astype(np.float32).reshape(*array.shape[:2], -1)
    resized = [
        np.asarray(Image.fromarray(planes[..., channel]).resize((width, height), _FILTERS[kernel]))
        for channel in range(planes.shape[2])
    ]
    values = np.stack(resized, axis=2).reshape(height, width, *array.shape[2:])
    if np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(array.dtype)
        values = np.rint(values).clip(limits.min, limits.max)
    return np.ascontiguousarray(values, array.dtype)
