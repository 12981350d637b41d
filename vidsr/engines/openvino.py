"""OpenVINO on the CPU: the embedded default."""

import importlib
import sys
import weakref
from contextlib import suppress
from functools import cache
from typing import Any, Self

import onnx
from google.protobuf.message import DecodeError

from vidsr.engines import Arrays, Precision, Setup, busy, explained, on_cpu_alone, shareable
from vidsr.errors import EngineError, NotAModel, VidsrError

# `import openvino` reports itself to Google Analytics through this package where it can be imported, and falls back
# to a stub of its own where it cannot. Nothing here ever phones home, so it cannot. (It also loads twice as fast.)
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

NATIVE = {"bf16": "BF16", "f16": "FP16"}  # OpenVINO's names for what a CPU computes


class OpenvinoEngine:
    """A compiled graph and its infer requests."""

    def __init__(self, graph: bytes, *, precision: Precision, in_flight: int, threads: int, streams: int) -> None:
        self._tensor = importlib.import_module("openvino").Tensor
        core, settings = _core(), _settings(precision, threads, streams)
        try:
            # OpenVINO may know the outputs by more names.
            self._outputs = [port.name for port in onnx.load_from_string(graph).graph.output]
            self._compiled = core.compile_model(core.read_model(graph, b""), "CPU", settings)
            requests = [self._compiled.create_infer_request() for _ in range(in_flight)]
        except (RuntimeError, UnicodeDecodeError, DecodeError) as exc:  # of graphs damaged more or less
            raise _explained(exc, NotAModel) from exc
        self.in_flight = in_flight
        self._free: list[Any] = requests

    def submit(self, inputs: Arrays) -> "OpenvinoRun":
        """Start one run; see Engine."""
        if not self._free:
            raise busy(self.in_flight)
        request = self._free.pop(0)
        shared = {name: shareable(array) for name, array in inputs.items()}
        try:
            for name, array in shared.items():
                request.set_tensor(name, self._tensor(array, shared_memory=True))
            request.start_async()
        except RuntimeError as exc:
            self._free.append(request)
            raise _explained(exc, EngineError) from exc
        return OpenvinoRun(request, self._outputs, shared, self._free)

    def close(self) -> None:
        """Let go of the device; see Engine."""
        self._free, self._compiled = [], None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenvinoRun:
    """One infer request under way."""

    def __init__(self, request: Any, outputs: list[str], inputs: Arrays, free: list[Any]) -> None:
        self._request, self._outputs, self._free = request, outputs, free
        self._drop = weakref.finalize(self, _drop, request, inputs, free)

    def result(self) -> Arrays:
        """Wait for the run, without the GIL; see Pending."""
        try:
            self._request.wait()
        except RuntimeError as exc:
            raise _explained(exc, EngineError) from exc
        finally:
            self._drop.detach()
            self._free.append(self._request)
        return {name: self._request.get_tensor(name).data for name in self._outputs}


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """The device and the precision; see `vidsr.engines.settle`."""
    device = on_cpu_alone("OpenVINO", device)
    if precision == "f32":
        return device, precision
    native = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "auto":
        return device, "bf16" if "BF16" in native else "f32"
    if NATIVE[precision] not in native:
        raise EngineError(f"this CPU does not compute in {precision}; use --precision f32 or auto")
    return device, precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int, streams: int) -> OpenvinoEngine:
    """Compile a graph; see `open_engine`."""
    return OpenvinoEngine(graph, precision=setup.precision, in_flight=in_flight, threads=threads, streams=streams)


@cache
def _core() -> Any:
    return importlib.import_module("openvino").Core()


def _drop(request: Any, inputs: Arrays, free: list[Any]) -> None:
    """Take back a request whose result nobody holds any more; it reads `inputs` until it has stopped."""
    request.cancel()
    with suppress(RuntimeError):  # that it was cancelled
        request.wait()
    free.append(request)


def _settings(precision: Precision, threads: int, streams: int) -> dict[str, Any]:
    """OpenVINO's properties for what was asked."""
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        # One stream of all threads unless more are asked for. Beside decoder and encoder on two cores, two requests
        # on one stream made 24.4 frames a second where two streams of one thread made 20.5 (16 channels x 6, medians
        # of six alternating runs) for the same CPU time, and a stream costs the memory of a network.
        "PERFORMANCE_HINT": "LATENCY",
    }
    if streams > 1:
        settings |= {"NUM_STREAMS": streams}
    if threads:
        settings |= {"INFERENCE_NUM_THREADS": threads}
    return settings


def _explained(exc: Exception, otherwise: type[VidsrError]) -> VidsrError:
    return explained("OpenVINO", exc, otherwise, lacking=("bad_alloc", "allocate", "out of memory"))
