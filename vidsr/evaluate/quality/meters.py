"""Meters: each is given an image set or video frame by frame, and returns its metrics at the end."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from math import isnan
from typing import Any, Protocol

import numpy as np

from vidsr.errors import VidsrError
from vidsr.evaluate.quality.metric_table import METRICS, Kind
from vidsr.evaluate.quality.views import View
from vidsr.metrics import (
    MIN_MS_SSIM_SIDE,
    STRATA,
    WINDOW,
    flicker_variance,
    ms_ssim,
    psnr,
    sharpness,
    ssim,
    strata,
    stratified_psnr,
)

Values = dict[str, dict[str, list[float]]]
"""By metric and method: one value for each frame, or one in all for flicker and warping; NaN if it has no value."""

Measure = Callable[[View, View], Mapping[str, float]]
"""Takes a method's result and the original; returns values by metric."""

_METERS = {
    "vmaf_neg": "vmaf",
    **{f"psnr_{stratum}": "strata" for stratum in STRATA},
    **dict.fromkeys(["coherence", *(f"detail_{stratum}" for stratum in STRATA)], "detail"),
}
"""The meter that measures a metric, if it has another name."""
MAX_DB = 100.0  # of one frame: a black frame coded without loss must not make a video's mean infinite
WINDOW_FRAMES = 8  # a pixel must be static within so many frames for its flicker to count


class Meter(Protocol):
    """Measures one metric, or several that are computed together."""

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Measure the next image or frame: every method's result against the original."""

    def result(self) -> Values:
        """Return the metrics. Call it once, after the last frame."""


class FrameMeter:
    """Measures every frame by itself."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._values: Values = defaultdict(lambda: defaultdict(list))

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Measure one frame."""
        for method, view in results.items():
            for name, value in self._measure(view, truth).items():
                self._values[name][method].append(value)

    def result(self) -> Values:
        """Return one value for each frame."""
        return self._values


class StrataMeter(FrameMeter):
    """Measures PSNR on the flat, textured and edge pixels of every frame."""

    def __init__(self) -> None:
        super().__init__(self._stratified_psnr)
        self._masks: dict[str, Any] = {}

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Divide the original into strata, once for all methods, and measure one frame."""
        large = min(truth.luma.shape) > WINDOW  # else the local gradient is not defined, and all strata are empty
        self._masks = strata(truth.luma) if large else dict.fromkeys(STRATA, np.zeros(0, bool))
        super().add(truth, results)

    def _stratified_psnr(self, view: View, truth: View) -> dict[str, float]:
        found = stratified_psnr(view.luma, truth.luma, self._masks)
        return {f"psnr_{name}": value if isnan(value) else min(value, MAX_DB) for name, value in found.items()}


class FlickerMeter:
    """Measures the standard deviation of the error over time where the original is static."""

    def __init__(self) -> None:
        self._frames: list[tuple[View, Mapping[str, View]]] = []
        self._sums: dict[str, float] = defaultdict(float)
        self._static: dict[str, int] = defaultdict(int)
        self._pixels = 0

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Collect one frame; every `WINDOW_FRAMES` are measured together."""
        self._frames.append((truth, results))
        if len(self._frames) == WINDOW_FRAMES:
            self._measure()

    def result(self) -> Values:
        """Return one value for the video; NaN if less than a hundredth of it is static."""
        methods = list(self._frames[0][1]) if self._frames else list(self._sums)
        if len(self._frames) > 1:
            self._measure()
        enough = self._pixels / 100
        return {
            "flicker": {
                name: [(self._sums[name] / self._static[name]) ** 0.5 if self._static[name] > enough else np.nan]
                for name in methods
            }
        }

    def _measure(self) -> None:
        truth = np.stack([truth.luma for truth, _ in self._frames])  # (frames, height, width)
        for method in self._frames[0][1]:
            variances = flicker_variance(np.stack([results[method].luma for _, results in self._frames]), truth)
            self._sums[method] += float(variances.sum(dtype=np.float64))
            self._static[method] += variances.size
        self._pixels += truth[0].size
        self._frames.clear()


def open_meters(
    names: Iterable[str], kind: Kind, scale: int, stack: ExitStack, *, warn: Callable[[str], None]
) -> list[Meter]:
    """Open the meters of these metrics. Those that do not apply or are not available are left out with a warning.

    scale: of the results over the small images. stack: closes the meters.
    """
    meters: list[Meter] = []
    opened: set[str] = set()
    for name in names:
        metric = METRICS[name]
        meter = _METERS.get(name, name)
        if kind not in metric.kinds:
            warn(f"{metric.title} applies only to {' and '.join(metric.kinds)}; it is left out for {kind}")
        elif meter not in opened:
            opened.add(meter)
            try:
                meters.append(_open(meter, scale, stack))
            except VidsrError as exc:
                warn(f"{exc}; it is left out for {kind}")
    return meters


def _open(name: str, scale: int, stack: ExitStack) -> Meter:
    if name == "detail":
        from vidsr.evaluate.quality.fine_detail import DetailMeter

        return DetailMeter(scale)
    if name == "vmaf":
        from vidsr.evaluate.quality.vmaf import VmafMeter

        return VmafMeter(stack)
    if name in ("lpips", "dists"):
        from vidsr.evaluate.quality.lpips_dists import load_distance

        distance = load_distance(name)
        return FrameMeter(lambda view, truth: {name: distance(view.rgb(), truth.rgb())})
    if name == "warping":
        from vidsr.evaluate.quality.warping import WarpingMeter

        return WarpingMeter()
    if name == "flicker":
        return FlickerMeter()
    return StrataMeter() if name == "strata" else FrameMeter(_LUMA_METRICS[name])


def _on_luma(name: str, measure: Callable[[Any, Any], float], min_side: int) -> Measure:
    return lambda view, truth: {name: measure(view.luma, truth.luma) if min(truth.luma.shape) >= min_side else np.nan}


_LUMA_METRICS: dict[str, Measure] = {
    "psnr": _on_luma("psnr", lambda view, truth: min(psnr(view, truth), MAX_DB), 1),
    "ssim": _on_luma("ssim", ssim, WINDOW),
    "ms_ssim": _on_luma("ms_ssim", ms_ssim, MIN_MS_SSIM_SIDE),
    "sharpness": _on_luma("sharpness", sharpness, 2),
}
