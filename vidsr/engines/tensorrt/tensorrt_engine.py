"""TensorRT: an engine that `vidsr export --trt` built for this GPU, found in the folder of engines and run."""

import importlib
import logging
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from vidsr.engines import Arrays, Precision, Setup, busy
from vidsr.engines.gpus import Gpu, gpu_of, number_of
from vidsr.engines.tensorrt.dlpack import CUDA, DeviceArray
from vidsr.engines.tensorrt.plan_file import Wanted, find, read_engine
from vidsr.engines.tensorrt.tensorrt_graph import Asked, asked_of
from vidsr.errors import EngineError, EngineMissing

log = logging.getLogger(__name__)

MISSING = "TensorRT cannot be used here ({}); 'pip install vidsr[trt]' installs it, in part from NVIDIA's own index"


class TensorrtEngine:
    """A plan on a GPU, and a slot for each run."""

    def __init__(self, plan: Any, asked: Asked, *, device: str, in_flight: int) -> None:
        """plan: TensorRT's own bytes."""
        self._device, self._number = device, use_gpu(device)
        self._runtime = tensorrt().Runtime(logger())
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise EngineError(f"TensorRT cannot load the engine: {logger().last}; rebuild it: {asked.wanted.command}")
        self.in_flight = in_flight
        slot = importlib.import_module("vidsr.engines.tensorrt.slot").Slot
        self._free: list[Any] = [slot(self._engine, asked) for _ in range(in_flight)]

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> "TensorrtRun":
        """Start one run; see Engine.

        inputs: beside arrays, anything that lies on the device and knows `__dlpack__`, such as a decoder's frame on a
        GPU: it is read there, after what its owner has queued, and held until the run ends. on_device: whether results
        stay there: arrays that know `__dlpack__`, of whoever takes them.
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
            name: DeviceArray(room.address, room.shape, room.kind, (CUDA, self._number), room)
            for name, room in kept.items()
        }
        return TensorrtRun(slot, self._free, held, results if on_device else None)

    def close(self) -> None:
        """Let go of the device; see Engine."""
        self._free, self._engine, self._runtime = [], None, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TensorrtRun:
    """One run under way."""

    def __init__(self, slot: Any, free: list[Any], held: list[Any], results: dict[str, DeviceArray] | None) -> None:
        self._slot, self._free, self._results = slot, free, results
        self._drop = weakref.finalize(self, _drop, slot, free, held)

    def result(self) -> Any:
        """Wait for the run, without the GIL; see Pending. Arrays that know `__dlpack__` where they were to stay."""
        try:
            self._slot.stream.wait()
        finally:
            self._drop.detach()
            self._free.append(self._slot)
        arrays: Arrays = self._slot.taken
        return arrays if self._results is None else {**arrays, **self._results}


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """The device and the precision; see `vidsr.engines.settle`."""
    if gpu_of(device) is None:
        there = "none is" if device in ("auto", "cuda") else f"{device} is not"
        raise EngineError(f"TensorRT needs an NVIDIA GPU, and {there} here; see `vidsr doctor`")
    if precision == "bf16":
        raise EngineError("TensorRT computes in f16 or f32 here; leave out --precision")
    return "cuda" if device == "auto" else device, "f16" if precision == "auto" else precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> TensorrtEngine:
    """Open the engine that was built for such a graph; see `open_engine`. Raises as `plans.find` does."""
    asked = asked_of(graph, setup.precision)
    _, plan = read_engine(ready(asked.wanted, setup.device))
    return TensorrtEngine(plan, asked, device=setup.device, in_flight=in_flight)


def ready(wanted: Wanted, device: str) -> Path:
    """The engine file that is ready for a stream. Raises as `plans.find` does, and EngineError without a GPU."""
    settle(device, "auto")
    gpu = gpu_of(device)
    assert isinstance(gpu, Gpu)
    return find(wanted, gpu, tensorrt().__version__)


def tensorrt() -> Any:
    """TensorRT. Raises EngineMissing where it, or one of its libraries, is not installed."""
    try:
        return importlib.import_module("tensorrt")
    except (ImportError, OSError) as exc:
        raise EngineMissing(MISSING.format(exc)) from exc


@cache
def logger() -> Any:
    """What TensorRT tells goes to our log; the last of its errors is kept for a sentence."""
    trt = tensorrt()

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        last = "it does not say why"

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """Pass on a line; called from any thread."""
            wrong = severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)
            log.log(logging.WARNING if wrong else logging.DEBUG, "%s", message)
            if wrong:
                self.last = " ".join(message.split())[-300:]

    return Logger()


def use_gpu(device: str) -> int:
    """Make a GPU this thread's own, and give its number. Raises EngineMissing where CUDA's bindings are missing."""
    try:
        cuda = importlib.import_module("vidsr.engines.tensorrt.cuda")
    except ImportError as exc:
        raise EngineMissing(MISSING.format(exc)) from exc
    number = number_of(device)
    cuda.use(number)
    return number


def _drop(slot: Any, free: list[Any], held: list[Any]) -> None:
    """Take back the slot of a run whose result nobody holds any more; what was lent is read until it has ended."""
    with suppress(EngineError):  # that it failed
        slot.stream.wait()
    free.append(slot)
