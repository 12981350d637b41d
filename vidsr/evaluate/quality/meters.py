"""Instruments that are shown a material picture by picture and say its figures in the end."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from math import isnan
from typing import Any, Protocol

import numpy as np

from vidsr.errors import VidsrError
from vidsr.evaluate.quality.metric_table import FIGURES
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
"""By figure and by method, one value a picture or, of figures of motion, one in all; nan where there is none."""

MOST_DB = 100.0  # of one picture: a black frame, coded without loss, must not make a film's mean infinite
RUN = 8  # frames within which a pixel must stand still for its flicker to count


class Meter(Protocol):
    """One instrument."""

    def add(self, truth: View, answers: Mapping[str, View]) -> None:
        """Take the next picture, and every method's version of it."""

    def result(self) -> Values:
        """What it found. Asked for once, after the last picture."""


class Each:
    """Measures every picture by itself."""

    def __init__(self, measure: Callable[[View, View], Mapping[str, float]]) -> None:
        """measure(ours, truth) gives figures by name."""
        self._measure = measure
        self._values: Values = defaultdict(lambda: defaultdict(list))

    def add(self, truth: View, answers: Mapping[str, View]) -> None:
        """Measure one picture."""
        for method, ours in answers.items():
            for name, value in self._measure(ours, truth).items():
                self._values[name][method].append(value)

    def result(self) -> Values:
        """One value a picture."""
        return self._values


class Strata(Each):
    """PSNR of the flat, the textured and the steep parts of every picture."""

    def __init__(self) -> None:
        super().__init__(self._measured)
        self._masks: dict[str, Any] = {}

    def add(self, truth: View, answers: Mapping[str, View]) -> None:
        """Part the truth, once for all methods."""
        large = min(truth.luma.shape) > WINDOW  # else there is no local gradient, and no stratum has a pixel
        self._masks = strata(truth.luma) if large else dict.fromkeys(STRATA, np.zeros(0, bool))
        super().add(truth, answers)

    def _measured(self, ours: View, truth: View) -> dict[str, float]:
        found = stratified_psnr(ours.luma, truth.luma, self._masks)
        return {f"psnr_{name}": value if isnan(value) else min(value, MOST_DB) for name, value in found.items()}


class Flicker:
    """Standard deviation over time of the error where the truth stands still."""

    def __init__(self) -> None:
        self._run: list[tuple[View, Mapping[str, View]]] = []
        self._sums: dict[str, float] = defaultdict(float)
        self._static: dict[str, int] = defaultdict(int)
        self._pixels = 0

    def add(self, truth: View, answers: Mapping[str, View]) -> None:
        """Measure whenever a run of frames is full."""
        self._run.append((truth, answers))
        if len(self._run) == RUN:
            self._measure()

    def result(self) -> Values:
        """One value a clip; none where less than a hundredth of it stands still."""
        methods = list(self._run[0][1]) if self._run else list(self._sums)
        if len(self._run) > 1:
            self._measure()
        enough = self._pixels / 100
        return {
            "flicker": {
                name: [(self._sums[name] / self._static[name]) ** 0.5 if self._static[name] > enough else np.nan]
                for name in methods
            }
        }

    def _measure(self) -> None:
        truth = np.stack([truth.luma for truth, _ in self._run])  # (frames, height, width)
        for method in self._run[0][1]:
            variances = flicker_variance(np.stack([answers[method].luma for _, answers in self._run]), truth)
            self._sums[method] += float(variances.sum(dtype=np.float64))
            self._static[method] += variances.size
        self._pixels += truth[0].size
        self._run.clear()


def open_meters(names: Iterable[str], *, kind: str, stack: ExitStack, notice: Callable[[str], None]) -> list[Meter]:
    """Open what measures these figures; what cannot be had here is said in a sentence, and left out.

    kind: pictures or clips. stack: closes what was opened.
    """
    meters: list[Meter] = []
    opened: set[str] = set()
    for name in names:
        figure = FIGURES[name]
        maker = name.split("_")[0] if name.startswith("vmaf") else "strata" if name.startswith("psnr_") else name
        if kind not in figure.of:
            notice(f"{figure.title} is a figure of {' and '.join(figure.of)}; the {kind} go without it")
        elif maker not in opened:
            opened.add(maker)
            try:
                meters.append(_open(maker, stack))
            except VidsrError as exc:
                notice(f"{exc}; the {kind} go without it")
    return meters


def _open(maker: str, stack: ExitStack) -> Meter:
    if maker == "vmaf":
        from vidsr.evaluate.quality.vmaf import Vmafs

        return Vmafs(stack)
    if maker in ("lpips", "dists"):
        from vidsr.evaluate.quality.lpips_dists import load

        network = load(maker)
        return Each(lambda ours, truth: {maker: network(ours.rgb(), truth.rgb())})
    if maker == "warping":
        from vidsr.evaluate.quality.warping import Warping

        return Warping()
    if maker == "flicker":
        return Flicker()
    return Strata() if maker == "strata" else Each(_EACH[maker])


def _large(least: int, name: str, measure: Callable[[Any, Any], float]) -> Callable[[View, View], dict[str, float]]:
    return lambda ours, truth: {name: measure(ours.luma, truth.luma) if min(truth.luma.shape) >= least else np.nan}


_EACH: dict[str, Callable[[View, View], Mapping[str, float]]] = {
    "psnr": _large(1, "psnr", lambda ours, truth: min(psnr(ours, truth), MOST_DB)),
    "ssim": _large(WINDOW, "ssim", ssim),
    "ms_ssim": _large(MIN_MS_SSIM_SIDE, "ms_ssim", ms_ssim),
    "sharpness": _large(2, "sharpness", sharpness),
}
