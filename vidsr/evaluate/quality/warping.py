"""Temporal consistency of a video along its motion: the warping error."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import ExtraMissing
from vidsr.evaluate.quality.views import View

Flow = NDArray[np.float32]
"""(height, width, 2): displacement of each pixel, right and down."""

MIN_SIDE = 64  # pixels: DIS fails on smaller frames, at 12x40 with a segmentation fault (OpenCV 5.0)


class WarpingMeter:
    """Measures how much a method's frames change apart from the motion in the original.

    The previous frame is moved along the original's optical flow (OpenCV's DIS, medium preset) and subtracted. Pixels
    where the forward and backward flows disagree, or that come from outside, do not count. The value is the root mean
    square in levels, for each frame but the first. Lai et al. 2018, "Learning blind video temporal consistency"; the
    occlusion check is that of Sundaram et al. 2010.
    """

    def __init__(self) -> None:
        """Raises ExtraMissing without OpenCV."""
        try:
            import cv2
        except ImportError as exc:
            raise ExtraMissing(
                "the warping error needs OpenCV; install opencv-python-headless with: pip install 'vidsr[evaluate]'"
            ) from exc
        self._cv2: Any = cv2
        self._dis = self._cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._previous: tuple[View, Mapping[str, View]] | None = None
        self._values: dict[str, list[float]] = {}

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Compare every method's frame with its previous one."""
        self._values = self._values or {method: [] for method in results}
        if self._previous is not None and min(truth.luma.shape) >= MIN_SIDE:
            flow, visible = self._motion(_rounded(self._previous[0]), _rounded(truth))
            for method, view in results.items():
                moved = self._warped(np.asarray(self._previous[1][method].luma, np.float32), flow)
                change = (view.luma - moved)[visible]
                self._values[method].append(float(np.sqrt(np.square(change).mean())) if change.size else float("nan"))
        self._previous = truth, results

    def result(self) -> dict[str, dict[str, list[float]]]:
        """Return one value for each frame but the first."""
        return {"warping": {method: values or [float("nan")] for method, values in self._values.items()}}

    def _motion(self, previous: Any, current: Any) -> tuple[Flow, NDArray[np.bool_]]:
        """Return the flow from the current frame back to the previous, and the pixels visible in both."""
        back = self._dis.calc(current, previous, None)
        forth = self._warped(self._dis.calc(previous, current, None), back)
        disagreement = np.square(back + forth).sum(axis=2)
        length = np.square(back).sum(axis=2) + np.square(forth).sum(axis=2)
        source = back + _positions(current.shape)
        inside = np.all((source >= 0) & (source <= np.array(current.shape[::-1]) - 1), axis=2)
        return back, inside & (disagreement <= 0.01 * length + 0.5)

    def _warped(self, values: Any, flow: Flow) -> Any:
        """Return for each pixel the value at the position that the flow points to."""
        return self._cv2.remap(values, flow + _positions(flow.shape[:2]), None, self._cv2.INTER_LINEAR)


def _rounded(view: View) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(view.luma), np.uint8)


def _positions(shape: tuple[int, ...]) -> Flow:
    """Return the (column, row) of each pixel: (height, width, 2)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.stack([columns, rows], axis=2).astype(np.float32)
