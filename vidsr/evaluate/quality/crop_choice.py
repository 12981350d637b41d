"""The part of a picture that tells most of what a model does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.views import View
from vidsr.metrics import psnr
from vidsr.resize import resize

SIDE = 88  # pixels of the truth: three times as large, four go into a line of a page
OVERVIEW = 3 * SIDE  # pixels on the longer side
MARKED = (255, 60, 60)
TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of one version of a picture."""

    method: str
    rgb: NDArray[np.uint8]
    psnr: float
    """PSNR-Y in dB of this part; infinite for the truth."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same part of a picture, as each method regains it: first the truth, then bicubic, then the models."""

    title: str
    place: str
    """Where the part lies."""
    overview: NDArray[np.uint8]
    """The whole picture, small, with a frame around the part."""
    crops: tuple[Crop, ...]


Show = Callable[[Comparison], None]
"""Takes what a sheet or page is to show."""


class Telling:
    """Is shown pictures, and keeps the part where the models are farthest from bicubic.

    Without models, it is the part where bicubic is farthest from the truth. Of equals the first one counts, so that
    the same pictures always give the same part.
    """

    def __init__(self, title: str, *, side: int = SIDE, border: int = 0) -> None:
        """title: of the comparison. side: of the part. border: what was cut off the pictures' edges before."""
        self._title, self._side, self._border = title, side, border
        self._most = -1.0
        self._best: tuple[str, View, Mapping[str, View], tuple[int, int]] | None = None

    def add(self, name: str, truth: View, answers: Mapping[str, View]) -> None:
        """Look at one picture; name: as it is called where it is shown."""
        models = [view for method, view in answers.items() if method not in (BICUBIC, LANCZOS)]
        plain = np.asarray(answers[BICUBIC].luma, np.float32)
        change = sum(np.abs(view.luma - plain) for view in models or [truth])
        found, top, left = _heaviest(np.asarray(change), self._side)
        if found > self._most:
            self._most, self._best = found, (name, truth, answers, (top, left))

    def comparison(self) -> Comparison:
        """What was found. Raises ValueError where no picture was shown."""
        if self._best is None:
            raise ValueError("no picture was shown")
        name, truth, answers, (top, left) = self._best
        part = slice(top, top + self._side), slice(left, left + self._side)
        shown = {TRUTH: truth, **{method: view for method, view in answers.items() if method != LANCZOS}}
        crops = (
            Crop(method, view.rgb()[part], psnr(view.luma[part], truth.luma[part])) for method, view in shown.items()
        )
        place = f"{name}, from line {top + self._border} and column {left + self._border}"
        return Comparison(self._title, place, _overview(truth.rgb(), top, left, self._side), tuple(crops))


def _heaviest(weight: NDArray[Any], side: int) -> tuple[float, int, int]:
    """The mean, the first line and the first column of the heaviest square, or of the whole width or height."""
    high, wide = (min(side, length) for length in weight.shape)
    sums = np.pad(weight.cumsum(axis=0, dtype=np.float64).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return float(boxes[top, left]) / (high * wide), int(top), int(left)


def _overview(rgb: NDArray[np.uint8], top: int, left: int, side: int) -> NDArray[np.uint8]:
    """The picture made small, with a red frame around the part."""
    factor = min(OVERVIEW / max(rgb.shape[:2]), 1)
    small: NDArray[np.uint8] = resize(rgb, *(max(round(length * factor), 1) for length in rgb.shape[:2]))
    ends = [round(end * factor) for end in (top, min(top + side, len(rgb)), left, min(left + side, rgb.shape[1]))]
    first, last, near, far = ends[0], ends[1] - 1, ends[2], ends[3] - 1
    small[[first, last], near : far + 1] = small[first : last + 1, [near, far]] = MARKED
    return small
