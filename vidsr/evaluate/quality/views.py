"""What is judged: one version of a picture, the truth's or a method's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import Frame
from vidsr.metrics import luma_of_rgb


@dataclass(frozen=True, slots=True)
class View:
    """One version of a picture."""

    luma: NDArray[Any]
    """(height, width) on the scale of 8-bit codes, integers or floats: what most figures are taken on."""
    rgb: Callable[[], NDArray[np.uint8]]
    """Gives (height, width, 3); computed when asked for, since few need colours."""

    def within(self, border: int) -> Self:
        """The same without `border` pixels on every side."""
        inside = slice(border, -border or None)
        return type(self)(self.luma[inside, inside], lambda: self.rgb()[inside, inside])


def view_of_rgb(rgb: NDArray[np.uint8]) -> View:
    """(height, width, 3) RGB with its BT.601 studio luma."""
    return View(luma_of_rgb(rgb), lambda: rgb)


def view_of_frame(frame: Frame) -> View:
    """A frame as it is: the codes of its luma, which has 8 bits."""
    return View(frame.planes[0], lambda: colors_of(frame))


def colors_of(frame: Frame) -> NDArray[np.uint8]:
    """Give a frame as (height, width, 3) 8-bit RGB."""
    return np.rint(frame.to_rgb() * 255).astype(np.uint8)


def recolored(rgb: NDArray[np.uint8], luma: NDArray[Any]) -> NDArray[np.uint8]:
    """Give a picture another BT.601 studio luma and leave its chroma: each colour changes by as much.

    rgb: (height, width, 3); luma: (height, width).
    """
    change = (luma - luma_of_rgb(rgb)) * (255 / 219)
    return np.asarray(np.rint(rgb + change[..., None]).clip(0, 255), np.uint8)


def luma_codes(frame: Frame) -> NDArray[Any]:
    """Give the luma of a frame rounded to 8 bits: its codes; of a full-range frame the luma of its 8-bit RGB."""
    if frame.color.full_range:
        return luma_of_rgb(colors_of(frame))
    return np.asarray(np.rint(frame.planes[0] / (1 << (frame.bits - 8))))
