"""OpenVINO on the CPU: the default engine."""

import importlib
import sys
from functools import cache, partial
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from vidsr.engines.base import Arrays, Engine, Setup, SlotRun, busy, translate_error
from vidsr.errors import EngineError, NotAModel, VidsrError
from vidsr.options import Precision

# `import openvino` imports this package to report to Google Analytics, and falls back to a stub if it cannot. Blocking
# the import keeps that from happening, and halves OpenVINO's own import time.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

NATIVE = {"bf16": "BF16", "f16": "FP16"}  # OpenVINO's names for what a CPU computes


class OpenvinoEngine(Engine):
    """A compiled graph and its infer requests."""

    def __init__(self, graph: bytes, *, precision: Precision, in_flight: int, threads: int, streams: int) -> None:
        self._tensor = importlib.import_module("openvino").Tensor
        core, properties = _core(), _properties(precision, threads, streams)
        try:
            # OpenVINO may give an output several names; the graph's own is the first.
            self._outputs = [port.name for port in onnx.load_from_string(graph).graph.output]
            self._compiled = core.compile_model(core.read_model(graph, b""), "CPU", properties)
            self._free: list[Any] = [self._compiled.create_infer_request() for _ in range(in_flight)]
        except (RuntimeError, UnicodeDecodeError, DecodeError) as exc:
            raise _translated(exc, NotAModel) from exc
        self.in_flight = in_flight

    def submit(self, inputs: Arrays) -> SlotRun:
        """Start a run; see Engine."""
        if not self._free:
            raise busy(self.in_flight)
        request = self._free.pop(0)
        shared = {name: _shareable(array) for name, array in inputs.items()}
        try:
            for name, array in shared.items():
                request.set_tensor(name, self._tensor(array, shared_memory=True))
            request.start_async()
        except RuntimeError as exc:
            self._free.append(request)
            raise _translated(exc, EngineError) from exc
        return SlotRun(
            request,
            self._free,
            wait=partial(_wait, request),
            collect=lambda: {name: request.get_tensor(name).data for name in self._outputs},
            cancel=request.cancel,
            held=shared,
        )

    def close(self) -> None:
        """Release the device; see Engine."""
        self._free, self._compiled = [], None


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """Return the device and precision to use; see `vidsr.engines.settle`."""
    if device not in ("auto", "cpu"):
        raise EngineError(f"OpenVINO computes on the CPU here, not on {device}; use --device cpu or see `vidsr doctor`")
    if precision == "f32":
        return "cpu", precision
    native = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "auto":
        return "cpu", "bf16" if "BF16" in native else "f32"
    if NATIVE[precision] not in native:
        raise EngineError(f"this CPU does not compute in {precision}; use --precision f32 or auto")
    return "cpu", precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int, streams: int) -> OpenvinoEngine:
    """Compile a graph; see `vidsr.engines.open_engine`."""
    return OpenvinoEngine(graph, precision=setup.precision, in_flight=in_flight, threads=threads, streams=streams)


@cache
def _core() -> Any:
    return importlib.import_module("openvino").Core()


def _wait(request: Any) -> None:
    try:
        request.wait()
    except RuntimeError as exc:
        raise _translated(exc, EngineError) from exc


def _shareable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself if OpenVINO can read it in place, or else a copy: planes may be padded or read-only."""
    in_place = array.flags.c_contiguous and array.flags.writeable
    return array if in_place else np.array(array, order="C")


def _properties(precision: Precision, threads: int, streams: int) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        # One stream of all threads by default. Beside decoder and encoder on two cores, two requests on one stream gave
        # 24.4 frames a second and two streams of one thread 20.5 (16 channels x 6, medians of six alternating runs) for
        # the same CPU time, and each stream takes the memory of a network.
        "PERFORMANCE_HINT": "LATENCY",
    }
    if streams > 1:
        properties |= {"NUM_STREAMS": streams}
    if threads:
        properties |= {"INFERENCE_NUM_THREADS": threads}
    return properties


def _translated(exc: Exception, otherwise: type[VidsrError]) -> VidsrError:
    return translate_error("OpenVINO", exc, otherwise, out_of_memory=("bad_alloc", "allocate", "out of memory"))
