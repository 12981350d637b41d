"""Images and frames as metrics take them: luma, and RGB on demand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import Frame
from vidsr.metrics import luma_of_rgb
from vidsr.resize import Kernel, resize


@dataclass(frozen=True, slots=True)
class View:
    """One version of an image or frame: the original, or a method's result."""

    luma: NDArray[Any]
    """(height, width) in 8-bit levels, integers or floats."""
    rgb: Callable[[], NDArray[np.uint8]]
    """Returns (height, width, 3); computed on demand, because few metrics need colour."""

    def without_border(self, border: int) -> Self:
        """Return the view without `border` pixels on every side."""
        inside = slice(border, -border or None)
        return type(self)(self.luma[inside, inside], lambda: self.rgb()[inside, inside])


def view_of_rgb(rgb: NDArray[np.uint8]) -> View:
    """Return a view of a (height, width, 3) image, with its limited-range BT.601 luma."""
    return View(luma_of_rgb(rgb), lambda: rgb)


def view_of_frame(frame: Frame) -> View:
    """Return a view of an 8-bit frame, with its luma plane as it is."""
    return View(frame.planes[0], lambda: rgb_of_frame(frame))


def resized_view(frame: Frame, height: int, width: int, kernel: Kernel) -> View:
    """Return a view of a 4:2:0 frame resized plane by plane with `vidsr.resize`; chroma only on demand."""
    luma = resize(frame.planes[0], height, width, kernel=kernel)

    def rgb() -> NDArray[np.uint8]:
        chroma = (resize(plane, height // 2, width // 2, kernel=kernel) for plane in frame.planes[1:])
        return rgb_of_frame(replace(frame, planes=(luma, *chroma), av_frame=None))

    return View(luma, rgb)


def rgb_of_frame(frame: Frame) -> NDArray[np.uint8]:
    """Return a frame as (height, width, 3) RGB, with chroma samples repeated rather than interpolated."""
    return np.rint(frame.to_rgb() * 255).astype(np.uint8)


def with_luma(rgb: NDArray[np.uint8], luma: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an RGB image with another limited-range BT.601 luma, (height, width), and its own chroma."""
    change = (luma - luma_of_rgb(rgb)) * (255 / 219)
    return np.asarray(np.rint(rgb + change[..., None]).clip(0, 255), np.uint8)


def luma_codes(frame: Frame) -> NDArray[Any]:
    """Return a frame's luma in 8-bit levels: rounded codes, or for full range the luma of its 8-bit RGB."""
    if frame.color.full_range:
        return luma_of_rgb(rgb_of_frame(frame))
    return np.asarray(np.rint(frame.planes[0] / (1 << (frame.bits - 8))))
