"""TensorRT: runs the engine that `vidsr export --trt` built for this GPU, found in the folder of engines."""

import importlib
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vidsr.engines.base import Engine, Setup, SlotRun, busy
from vidsr.engines.gpus import gpu_index, gpu_of
from vidsr.engines.tensorrt.dlpack import CUDA, DeviceArray
from vidsr.engines.tensorrt.plan_file import EngineSpec, find, read_engine
from vidsr.engines.tensorrt.tensorrt_graph import spec_of
from vidsr.errors import EngineError, EngineMissing
from vidsr.options import Precision

log = logging.getLogger(__name__)

MISSING = "TensorRT cannot be used here ({}); 'pip install vidsr[trt]' installs it, in part from NVIDIA's index"


class TensorrtEngine(Engine):
    """A plan on a GPU, and a slot for each run in flight."""

    def __init__(self, plan: Any, spec: EngineSpec, *, device: str, in_flight: int) -> None:
        """plan: TensorRT's serialised engine."""
        self._device, self._index = device, use_gpu(device)
        self._runtime = tensorrt().Runtime(logger())
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise EngineError(f"TensorRT cannot load the engine: {logger().last}; rebuild it: {spec.command}")
        self.in_flight = in_flight
        slot = importlib.import_module("vidsr.engines.tensorrt.execution_slot").ExecutionSlot  # needs cuda-bindings
        self._free: list[Any] = [slot(self._engine, spec) for _ in range(in_flight)]

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> SlotRun:
        """Start a run; see Engine.

        inputs: arrays, or objects on the device that support `__dlpack__`, such as frames that the GPU decoded: these
        are read in place, after the work that their owner has queued, and referenced until the run ends.
        on_device: leave results on the device, as arrays that support `__dlpack__` and belong to the caller.
        """
        if not self._free:
            raise busy(self.in_flight)
        use_gpu(self._device)
        slot = self._free.pop(0)
        try:
            held, kept = slot.start(inputs, on_device=on_device)
        except BaseException:
            self._free.append(slot)
            raise
        results = {
            name: DeviceArray(buffer.address, buffer.shape, buffer.dtype, (CUDA, self._index), buffer)
            for name, buffer in kept.items()
        }
        return SlotRun(slot, self._free, wait=slot.stream.wait, collect=lambda: {**slot.received, **results}, held=held)

    def close(self) -> None:
        """Release the device; see Engine."""
        self._free, self._engine, self._runtime = [], None, None


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """Return the device and precision to use; see `vidsr.engines.settle`."""
    if gpu_of(device) is None:
        missing = "this machine has none" if device in ("auto", "cuda") else f"{device} does not exist"
        raise EngineError(f"TensorRT needs an NVIDIA GPU, and {missing}; see `vidsr doctor`")
    if precision == "bf16":
        raise EngineError("TensorRT computes in f16 or f32 here; leave out --precision")
    return "cuda" if device == "auto" else device, "f16" if precision == "auto" else precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> TensorrtEngine:
    """Open the engine that was built for a graph; see `vidsr.engines.open_engine`. Raises as `built_ahead` does."""
    _, plan = read_engine(built_ahead(graph, setup))
    return TensorrtEngine(plan, spec_of(graph, setup.precision), device=setup.device, in_flight=in_flight)


def built_ahead(graph: bytes, setup: Setup) -> Path:
    """Return the engine file that was built for a graph. Raises as `plan_file.find`, and EngineError without a GPU."""
    settle(setup.device, "auto")
    gpu = gpu_of(setup.device)
    assert gpu is not None
    return find(spec_of(graph, setup.precision), gpu, tensorrt().__version__)


def tensorrt() -> Any:
    """Import TensorRT. Raises EngineMissing if it, or one of its libraries, is not installed."""
    try:
        return importlib.import_module("tensorrt")
    except (ImportError, OSError) as exc:
        raise EngineMissing(MISSING.format(exc)) from exc


@cache
def logger() -> Any:
    """Return a TensorRT logger that writes to Python's, and keeps the last error for messages."""
    trt = tensorrt()

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        last = "it gives no reason"

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Log a line. Called from any thread."""
            is_error = severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)
            log.log(logging.WARNING if is_error else logging.DEBUG, "%s", message)
            if is_error:
                self.last = " ".join(message.split())[-300:]

    return Logger()


def use_gpu(device: str) -> int:
    """Select a GPU for this thread, and return its index. Raises EngineMissing if cuda-bindings are not installed."""
    try:
        cuda = importlib.import_module("vidsr.engines.tensorrt.cuda")
    except ImportError as exc:
        raise EngineMissing(MISSING.format(exc)) from exc
    index = gpu_index(device)
    cuda.use(index)
    return index
