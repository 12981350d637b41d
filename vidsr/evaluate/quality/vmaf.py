"""VMAF of several methods at once."""

import gc
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.filter
import numpy as np

from vidsr.color import BT709, ColorSpec
from vidsr.errors import ExtraMissing, InputError
from vidsr.evaluate.quality.views import View
from vidsr.frames import Frame
from vidsr.video.convert.pixel_formats import layout_name, planes_of

MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
"""Name of a score -> version of the model. NEG gives nothing for mere sharpening (Li et al., Netflix 2020)."""
# Pixels on a side. libvmaf crashes at 16; below about 190 even a picture and itself may score less than 97 (measured).
_LEAST = 64
_TICK = Fraction(1, 25)  # any: pictures are only paired by it


class Vmaf:
    """Both scores of a film in one pass, with a few pictures in memory. A context manager."""

    def __init__(self, width: int, height: int, *, bits: int = 8, threads: int = 0) -> None:
        """bits: 8 or 10, of all frames. threads: of the CPU, 0 for all.

        Raises ExtraMissing where PyAV has no libvmaf, InputError where pictures are too small for the models.
        """
        if reason := why_not():
            raise ExtraMissing(reason)
        if min(width, height) < _LEAST:
            raise InputError(f"VMAF takes pictures of at least {_LEAST}x{_LEAST}, these are {width}x{height}")
        self._size = width, height, bits
        self._layout = layout_name(bits, (1, 1), gray=False)
        self._pairs = 0
        self._folder = tempfile.TemporaryDirectory(prefix="vidsr-vmaf-")
        self._log = Path(self._folder.name) / "scores.json"
        graph = av.filter.Graph()
        models = "|".join(f"version={version}:name={name}" for name, version in MODELS.items())
        # As named options, so that the path needs no escaping.
        measure = graph.add(
            "libvmaf",
            model=models,
            log_fmt="json",
            log_path=str(self._log),
            n_threads=str(threads or os.cpu_count() or 1),
        )
        layout = av.VideoFormat(self._layout)
        sides = [graph.add_buffer(width=width, height=height, format=layout, time_base=_TICK) for _ in range(2)]
        for index, side in enumerate(sides):
            side.link_to(measure, 0, index)
        sink = graph.add("buffersink")
        measure.link_to(sink)
        graph.configure()
        self._sides: list[Any] = sides
        self._sink: Any = sink

    def add(self, distorted: Frame, reference: Frame) -> None:
        """Measure one picture against the truth; only luma counts. Raises ValueError where size or depth is another."""
        for index, frame in enumerate((distorted, reference)):
            if (frame.width, frame.height, frame.bits) != self._size:
                width, height, bits = self._size
                raise ValueError(f"VMAF was opened for {width}x{height} at {bits} bits, got {frame}")
            self._sides[index].push(self._picture(frame))  # no name for the node: see _free
        self._pairs += 1
        self._drain()

    def result(self) -> dict[str, list[float]]:
        """The scores of all pairs in order, by the names of MODELS, 0 to 100. Asked for once, after the last pair."""
        if not self._pairs:
            return {name: [] for name in MODELS}
        self._sides[0].push(None)
        self._sides[1].push(None)
        self._drain()
        self._free()
        frames = json.loads(self._log.read_text())["frames"]
        assert len(frames) == self._pairs, f"{self._pairs} pairs in, scores of {len(frames)} out"
        return {name: [float(frame["metrics"][name]) for frame in frames] for name in MODELS}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free()
        self._folder.cleanup()

    def _picture(self, frame: Frame) -> av.VideoFrame:
        # A fresh one for each push: libvmaf's threads may still be reading the last.
        picture = av.VideoFrame(frame.width, frame.height, self._layout)
        np.copyto(planes_of(picture)[0], frame.planes[0])
        picture.pts, picture.time_base = self._pairs, _TICK
        return picture

    def _drain(self) -> None:
        while True:
            try:
                self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _free(self) -> None:
        # The filter writes its log when the graph goes, which it does not while anything holds one of its nodes; and
        # since these and PyAV's graph hold one another, only the collector lets go of them.
        if self._sides:
            self._sides, self._sink = [], None
            gc.collect()


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


def why_not() -> str | None:
    """Say in a sentence why VMAF cannot be measured here; None where it can."""
    if "libvmaf" in av.filter.filters_available:
        return None
    return f"VMAF needs PyAV 19, and so Python 3.12 or later; this is PyAV {av.__version__}, whose FFmpeg lacks libvmaf"
