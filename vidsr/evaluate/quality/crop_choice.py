"""The crop of an image or frame that shows best what the models change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.views import View
from vidsr.metrics import psnr
from vidsr.resize import resize

SIDE = 88  # pixels of the original: at three times the size, four crops fit in a row of a page
OVERVIEW = 3 * SIDE  # pixels on the longer side
MARK_COLOR = (255, 60, 60)
TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop of one version of an image."""

    method: str
    rgb: NDArray[np.uint8]
    psnr: float
    """PSNR-Y in dB of this crop; infinity for the original."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same crop of several versions of an image: the original, bicubic, then the models."""

    title: str
    place: str
    """Name of the image or number of the frame, and position of the crop."""
    overview: NDArray[np.uint8]
    """The whole image, small, with a frame around the crop."""
    crops: tuple[Crop, ...]


Show = Callable[[Comparison], None]
"""Takes a comparison that a contact sheet or page is to show."""


class CropFinder:
    """Finds the crop where the models differ most from bicubic, or, without models, bicubic from the original.

    The first of several equal ones is kept, so that the same images always give the same crop.
    """

    def __init__(self, title: str, *, side: int = SIDE, border: int = 0) -> None:
        """title: of the comparison. side: of the crop, in pixels. border: pixels already removed from every side."""
        self._title, self._side, self._border = title, side, border
        self._difference = -1.0
        self._best: tuple[str, View, Mapping[str, View], tuple[int, int]] | None = None

    def add(self, name: str, truth: View, results: Mapping[str, View]) -> None:
        """Examine one image or frame. name: as the comparison calls it. results: by method."""
        models = [view for method, view in results.items() if method not in (BICUBIC, LANCZOS)]
        bicubic = np.asarray(results[BICUBIC].luma, np.float32)
        change = sum(np.abs(view.luma - bicubic) for view in models or [truth])
        difference, top, left = _largest_mean(np.asarray(change), self._side)
        if difference > self._difference:
            self._difference, self._best = difference, (name, truth, results, (top, left))

    def comparison(self) -> Comparison:
        """Return the crop that was found. Raises ValueError if `add` was never called."""
        if self._best is None:
            raise ValueError("no image was added")
        name, truth, results, (top, left) = self._best
        inside = slice(top, top + self._side), slice(left, left + self._side)
        shown = {TRUTH: truth, **{method: view for method, view in results.items() if method != LANCZOS}}
        crops = (
            Crop(method, view.rgb()[inside], psnr(view.luma[inside], truth.luma[inside]))
            for method, view in shown.items()
        )
        place = f"{name}, from line {top + self._border} and column {left + self._border}"
        return Comparison(self._title, place, _overview(truth.rgb(), top, left, self._side), tuple(crops))


def _largest_mean(values: NDArray[Any], side: int) -> tuple[float, int, int]:
    """Return mean, top and left of the square with the largest mean; it spans a whole side that is shorter."""
    height, width = (min(side, length) for length in values.shape)
    sums = np.pad(values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return float(boxes[top, left]) / (height * width), int(top), int(left)


def _overview(rgb: NDArray[np.uint8], top: int, left: int, side: int) -> NDArray[np.uint8]:
    """Return the image downscaled, with a red frame around the crop."""
    factor = min(OVERVIEW / max(rgb.shape[:2]), 1)
    small: NDArray[np.uint8] = resize(rgb, *(max(round(length * factor), 1) for length in rgb.shape[:2]))
    edges = [round(edge * factor) for edge in (top, min(top + side, len(rgb)), left, min(left + side, rgb.shape[1]))]
    first, last, near, far = edges[0], edges[1] - 1, edges[2], edges[3] - 1
    small[[first, last], near : far + 1] = small[first : last + 1, [near, far]] = MARK_COLOR
    return small
