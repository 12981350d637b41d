"""VMAF of several methods at once."""

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np

from vidsr.errors import ExtraMissing, InputError
from vidsr.evaluate.quality.views import View
from vidsr.evaluate.quality.vmaf__video import Vmaf, why_not
from vidsr.frames import BT709, ColorSpec, Frame


class Vmafs:
    """VMAF and VMAF-NEG of every frame, a libvmaf for each method."""

    def __init__(self, stack: ExitStack) -> None:
        """stack: closes what is opened. Raises ExtraMissing where there is no libvmaf."""
        if reason := why_not():
            raise ExtraMissing(reason)
        self._stack = stack
        self._scores: dict[str, Vmaf | None] = {}

    def add(self, truth: View, answers: Mapping[str, View]) -> None:
        """Hand one picture to libvmaf."""
        for name, ours in answers.items():
            if name not in self._scores:
                self._scores[name] = self._opened(truth)
            if scores := self._scores[name]:
                scores.add(_gray(ours), _gray(truth))

    def result(self) -> dict[str, dict[str, list[float]]]:
        """One value a frame."""
        missing = {name: [float("nan")] for name in ("vmaf", "vmaf_neg")}
        results = {method: scores.result() if scores else missing for method, scores in self._scores.items()}
        return {name: {method: its[name] for method, its in results.items()} for name in missing}

    def _opened(self, truth: View) -> Vmaf | None:
        height, width = truth.luma.shape
        try:
            return self._stack.enter_context(Vmaf(width, height))
        except InputError:  # too small for its models
            return None


def _gray(view: View) -> Frame:
    return Frame((np.asarray(view.luma, np.uint8),), ColorSpec(BT709, full_range=False))
