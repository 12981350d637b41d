"""How steady a film is along its own motion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import ExtraMissing
from vidsr.evaluate.quality.views import View

Flow = NDArray[np.float32]
"""(height, width, 2): how far each pixel moves, right and down."""

LEAST = 64  # pixels on a side: DIS fails on less, of 12x40 with a segmentation fault (OpenCV 5.0)


class Warping:
    """Warping error: how much a method's pictures change besides what moves in the truth.

    The frame before is moved along the truth's flow (OpenCV's DIS, medium preset) and subtracted; pixels where the
    flows there and back disagree, or that come from outside, do not count. Root mean square in levels, over each frame
    but the first. Lai et al. 2018, "Learning blind video temporal consistency"; the check is Sundaram et al. 2010's.
    """

    def __init__(self) -> None:
        """Raises ExtraMissing without OpenCV."""
        try:
            import cv2
        except ImportError as exc:
            raise ExtraMissing(
                "the warping error needs OpenCV; pip install 'vidsr[evaluate]' installs opencv-python-headless"
            ) from exc
        self._cv2: Any = cv2
        self._dis = self._cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before: tuple[View, Mapping[str, View]] | None = None
        self._values: dict[str, list[float]] = {}

    def add(self, truth: View, answers: Mapping[str, View]) -> None:
        """Hold every method's picture against its last."""
        self._values = self._values or {method: [] for method in answers}
        if self._before is not None and min(truth.luma.shape) >= LEAST:
            back, visible = self._motion(_whole(self._before[0]), _whole(truth))
            for method, ours in answers.items():
                moved = self._moved(np.asarray(self._before[1][method].luma, np.float32), back)
                change = (ours.luma - moved)[visible]
                self._values[method].append(float(np.sqrt(np.square(change).mean())) if change.size else float("nan"))
        self._before = truth, answers

    def result(self) -> dict[str, dict[str, list[float]]]:
        """One value for each frame but the first."""
        return {"warping": {method: values or [float("nan")] for method, values in self._values.items()}}

    def _motion(self, before: Any, now: Any) -> tuple[Flow, NDArray[np.bool_]]:
        """The flow from now back to the frame before, and the pixels that are seen in both."""
        back = self._dis.calc(now, before, None)
        there = self._moved(self._dis.calc(before, now, None), back)
        apart = np.square(back + there).sum(axis=2)
        far = np.square(back).sum(axis=2) + np.square(there).sum(axis=2)
        source = back + _places(now.shape)
        inside = np.all((source >= 0) & (source <= np.array(now.shape[::-1]) - 1), axis=2)
        return back, inside & (apart <= 0.01 * far + 0.5)

    def _moved(self, values: Any, flow: Flow) -> Any:
        """Look every pixel's value up where the flow says that it was."""
        return self._cv2.remap(values, flow + _places(flow.shape[:2]), None, self._cv2.INTER_LINEAR)


def _whole(view: View) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(view.luma), np.uint8)


def _places(shape: tuple[int, ...]) -> Flow:
    """(height, width, 2): the place of each pixel."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.stack([columns, rows], axis=2).astype(np.float32)
