"""OpenVINO on the CPU: the embedded default."""

import importlib
import sys
import weakref
from typing import Any, Self

from vidsr.engines import Arrays, Precision, shareable
from vidsr.errors import EngineBusy, EngineError, NotAModel, OutOfMemory, VidsrError

# `import openvino` reports itself to Google Analytics through this package where it can be imported, and falls back
# to a stub of its own where it cannot. Nothing here ever phones home, so it cannot. (It also loads twice as fast.)
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


class OpenvinoEngine:
    """A compiled graph and its infer requests."""

    def __init__(self, graph: bytes, *, precision: Precision, in_flight: int, threads: int) -> None:
        ov = importlib.import_module("openvino")
        self._tensor = ov.Tensor
        core = ov.Core()
        settings = _settings(core, precision, in_flight, threads)
        try:
            self._compiled = core.compile_model(core.read_model(graph, b""), "CPU", settings)
            requests = [self._compiled.create_infer_request() for _ in range(in_flight)]
        except RuntimeError as exc:
            raise _explained(exc, NotAModel) from exc
        self.in_flight = in_flight
        self._free: list[Any] = requests
        self._outputs = [port.get_any_name() for port in self._compiled.outputs]

    def submit(self, inputs: Arrays) -> "OpenvinoRun":
        """Start one run; see Engine."""
        if not self._free:
            raise EngineBusy(f"{self.in_flight} runs are under way already; take the result of one first")
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
        self._request, self._outputs = request, outputs
        # Called by result(), or, where nobody asks for it, when this object goes: the request is free again.
        self._release = weakref.finalize(self, _release, request, inputs, free)

    def result(self) -> Arrays:
        """Wait for the run, without the GIL; see Pending."""
        try:
            self._release()
        except RuntimeError as exc:
            raise _explained(exc, EngineError) from exc
        return {name: self._request.get_tensor(name).data for name in self._outputs}


def open_graph(graph: bytes, *, precision: Precision, in_flight: int, threads: int) -> OpenvinoEngine:
    """Compile a graph; see `open_engine`."""
    return OpenvinoEngine(graph, precision=precision, in_flight=in_flight, threads=threads)


def _release(request: Any, inputs: Arrays, free: list[Any]) -> None:
    try:
        request.wait()  # it reads `inputs` until then
    finally:
        free.append(request)


def _settings(core: Any, precision: Precision, in_flight: int, threads: int) -> dict[str, Any]:
    """OpenVINO's properties for what was asked."""
    native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not native:
        raise EngineError("this CPU does not compute in bf16; use --precision f32 or auto")
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "bf16" if native and precision != "f32" else "f32"}
    # Two requests of one thread each do the same frames a second as one after the other on two threads (1.00 to 1.03
    # measured, 16 channels x 6, two cores) with 5 % less CPU time, which the encoder is glad of: no barriers.
    settings |= {"PERFORMANCE_HINT": "LATENCY"} if in_flight == 1 else {"NUM_STREAMS": in_flight}
    if threads:
        settings |= {"INFERENCE_NUM_THREADS": threads}
    return settings


def _explained(exc: RuntimeError, otherwise: type[VidsrError]) -> VidsrError:
    """OpenVINO knows only RuntimeError: tell its kinds apart by what they say."""
    text = " ".join(str(exc).split())
    if any(sign in text for sign in ("bad_alloc", "allocate", "out of memory")):
        return OutOfMemory("the picture does not fit into memory; give a smaller --tile")
    return otherwise(f"OpenVINO cannot run the network: {text[-300:]}")
