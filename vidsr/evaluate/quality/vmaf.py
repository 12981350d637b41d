"""VMAF and VMAF-NEG by FFmpeg's libvmaf filter."""

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
from numpy.typing import NDArray

from vidsr.errors import ExtraMissing, InputError
from vidsr.evaluate.quality.views import View
from vidsr.video.convert.pixel_formats import planes_of

MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
"""Version of the model by the metric's name. NEG gives no credit for sharpening (Li et al., Netflix 2020)."""
# Pixels. libvmaf crashes at 16; below about 190, even equal frames may score less than 97 (measured).
_MIN_SIDE = 64
_TIME_BASE = Fraction(1, 25)  # any: timestamps only pair the frames


class Vmaf:
    """Measures one video with both models in one pass, with a few frames in memory. A context manager."""

    def __init__(self, width: int, height: int) -> None:
        """width, height: of all frames.

        Raises ExtraMissing if PyAV has no libvmaf, InputError if the frames are too small for the models.
        """
        if reason := why_unavailable():
            raise ExtraMissing(reason)
        if min(width, height) < _MIN_SIDE:
            raise InputError(f"VMAF needs frames of at least {_MIN_SIDE}x{_MIN_SIDE}; got {width}x{height}")
        self._shape = height, width
        self._pairs = 0
        self._folder = tempfile.TemporaryDirectory(prefix="vidsr-vmaf-")
        self._log = Path(self._folder.name) / "scores.json"
        graph = av.filter.Graph()
        models = "|".join(f"version={version}:name={name}" for name, version in MODELS.items())
        threads = str(os.cpu_count() or 1)
        # Named options, because a path in a filter string would need escaping.
        vmaf = graph.add("libvmaf", model=models, log_fmt="json", log_path=str(self._log), n_threads=threads)
        pixel_format = av.VideoFormat("yuv420p")
        inputs = [
            graph.add_buffer(width=width, height=height, format=pixel_format, time_base=_TIME_BASE) for _ in range(2)
        ]
        for index, node in enumerate(inputs):
            node.link_to(vmaf, 0, index)
        sink = graph.add("buffersink")
        vmaf.link_to(sink)
        graph.configure()
        self._inputs: list[Any] = inputs
        self._sink: Any = sink

    def add(self, distorted: NDArray[np.uint8], reference: NDArray[np.uint8]) -> None:
        """Measure the luma of one frame, (height, width), against the original. Raises ValueError for another size."""
        for index, luma in enumerate((distorted, reference)):
            if luma.shape != self._shape:
                raise ValueError(f"expected luma of shape {self._shape}; got {luma.shape}")
            self._inputs[index].push(self._av_frame(luma))  # no variable may keep the node: see _free
        self._pairs += 1
        self._drain()

    def result(self) -> dict[str, list[float]]:
        """Return the scores of all frames in order, 0 to 100, by the names of MODELS. Call it once, at the end."""
        if not self._pairs:
            return {name: [] for name in MODELS}
        self._inputs[0].push(None)
        self._inputs[1].push(None)
        self._drain()
        self._free()
        frames = json.loads(self._log.read_text())["frames"]
        assert len(frames) == self._pairs, f"expected scores of {self._pairs} frames; libvmaf wrote {len(frames)}"
        return {name: [float(frame["metrics"][name]) for frame in frames] for name in MODELS}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free()
        self._folder.cleanup()

    def _av_frame(self, luma: NDArray[np.uint8]) -> av.VideoFrame:
        # A new one for each push, because libvmaf's threads may still be reading the last. Chroma is not measured.
        av_frame = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
        np.copyto(planes_of(av_frame)[0], luma)
        av_frame.pts, av_frame.time_base = self._pairs, _TIME_BASE
        return av_frame

    def _drain(self) -> None:
        while True:
            try:
                self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _free(self) -> None:
        # The filter writes its log when the graph is freed. A reference to any node keeps the graph alive, and graph
        # and nodes refer to one another, so only the garbage collector frees them.
        if self._inputs:
            self._inputs, self._sink = [], None
            gc.collect()


class VmafMeter:
    """Measures VMAF and VMAF-NEG of every frame, with one filter for each method."""

    def __init__(self, stack: ExitStack) -> None:
        """stack: closes the filters. Raises ExtraMissing if PyAV has no libvmaf."""
        if reason := why_unavailable():
            raise ExtraMissing(reason)
        self._stack = stack
        self._filters: dict[str, Vmaf | None] = {}

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Measure one frame."""
        for method, view in results.items():
            if method not in self._filters:
                self._filters[method] = self._open(truth)
            if vmaf := self._filters[method]:
                vmaf.add(np.asarray(view.luma, np.uint8), np.asarray(truth.luma, np.uint8))

    def result(self) -> dict[str, dict[str, list[float]]]:
        """Return one value for each frame; one NaN if the frames are too small for the models."""
        missing = {name: [float("nan")] for name in MODELS}
        scores = {method: vmaf.result() if vmaf else missing for method, vmaf in self._filters.items()}
        return {name: {method: values[name] for method, values in scores.items()} for name in MODELS}

    def _open(self, truth: View) -> Vmaf | None:
        height, width = truth.luma.shape
        try:
            return self._stack.enter_context(Vmaf(width, height))
        except InputError:  # too small
            return None


def why_unavailable() -> str | None:
    """Return why VMAF cannot be measured here, or None if it can."""
    if "libvmaf" in av.filter.filters_available:
        return None
    return f"VMAF needs libvmaf, which comes with PyAV 19 on Python 3.12 or later; this is PyAV {av.__version__}"
