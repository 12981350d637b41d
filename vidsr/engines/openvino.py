"""OpenVINO: the default engine, on the CPU. On request it uses Intel's integrated and discrete GPUs and NPUs."""

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

NATIVE = {"bf16": "BF16", "f16": "FP16"}  # OpenVINO's names for what a device computes


class OpenvinoEngine(Engine):
    """A compiled graph and its infer requests."""

    def __init__(self, graph: bytes, setup: Setup, *, in_flight: int, threads: int, streams: int) -> None:
        self._tensor = importlib.import_module("openvino").Tensor
        core, properties = _core(), _properties(setup, threads, streams)
        try:
            # OpenVINO may give an output several names; the graph's own is the first.
            self._outputs = [port.name for port in onnx.load_from_string(graph).graph.output]
            self._compiled = core.compile_model(core.read_model(graph, b""), _name(setup.device), properties)
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
    device = "cpu" if device == "auto" else device
    if device != "cpu" and device not in other_devices():
        found = ", ".join(["cpu", *other_devices()])
        raise EngineError(
            f"OpenVINO finds no {device} here; expected one of {found}. GPUs and NPUs of Intel need Intel's driver"
        )
    if precision == "f32" and device != "npu":
        return device, precision
    native = _core().get_property(_name(device), "OPTIMIZATION_CAPABILITIES")
    if precision == "auto":
        precision = "bf16" if "BF16" in native and device == "cpu" else "f32" if device == "cpu" else "f16"
        return device, precision
    if NATIVE.get(precision, "FP32") not in native:
        raise EngineError(f"this {device.upper()} does not compute in {precision}; use --precision auto")
    return device, precision


def other_devices() -> list[str]:
    """Return the devices besides the CPU by their names in vidsr: gpu, gpu:N, npu. A lone GPU has both names."""
    return list(dict.fromkeys(name for one in _core().available_devices for name in _names(one) if name != "cpu"))


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int, streams: int) -> OpenvinoEngine:
    """Compile a graph; see `vidsr.engines.open_engine`."""
    return OpenvinoEngine(graph, setup, in_flight=in_flight, threads=threads, streams=streams)


@cache
def _core() -> Any:
    return importlib.import_module("openvino").Core()


def _name(device: str) -> str:
    """Return OpenVINO's name of a device: GPU.1 for gpu:1. GPU is its first one."""
    return device.upper().replace(":", ".")


def _names(name: str) -> list[str]:
    """Return vidsr's names for a name in OpenVINO's list, where a lone GPU is GPU and the first of several GPU.0."""
    own = name.lower().replace(".", ":")
    return [own, "gpu:0"] if own == "gpu" else ["gpu", own] if own == "gpu:0" else [own]


def _wait(request: Any) -> None:
    try:
        request.wait()
    except RuntimeError as exc:
        raise _translated(exc, EngineError) from exc


def _shareable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself if OpenVINO can read it in place, or else a copy: planes may be padded or read-only."""
    in_place = array.flags.c_contiguous and array.flags.writeable
    return array if in_place else np.array(array, order="C")


def _properties(setup: Setup, threads: int, streams: int) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": setup.precision,
        # One stream of all threads by default. Beside decoder and encoder on two cores, two requests on one stream gave
        # 24.4 frames a second and two streams of one thread 20.5 (16 channels x 6, medians of six alternating runs) for
        # the same CPU time, and each stream takes the memory of a network.
        "PERFORMANCE_HINT": "LATENCY",
    }
    if setup.device != "cpu":
        return properties
    if streams > 1:
        properties |= {"NUM_STREAMS": streams}
    if threads:
        properties |= {"INFERENCE_NUM_THREADS": threads}
    return properties


def _translated(exc: Exception, otherwise: type[VidsrError]) -> VidsrError:
    return translate_error("OpenVINO", exc, otherwise, out_of_memory=("bad_alloc", "allocate", "out of memory"))
