"""Runtimes: a graph and named arrays in, named arrays out. One file a runtime, imported when first asked for."""

import importlib
import importlib.util
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import EngineBusy, EngineError, EngineMissing, OutOfMemory, VidsrError

log = logging.getLogger(__name__)

Precision = Literal["auto", "f32", "bf16", "f16"]
Arrays = Mapping[str, NDArray[Any]]

# Each runtime's file, its package, and what installs it; the first is the default.
ENGINES = {
    "openvino": ("vidsr.engines.openvino", "openvino", "pip install vidsr"),
    "onnxruntime": ("vidsr.engines.onnxruntime", "onnxruntime", "pip install vidsr[onnx]"),
    "torch": ("vidsr.engines.torch.torch_engine", "torch", "pip install vidsr[torch]"),
    "tensorrt": ("vidsr.engines.tensorrt.tensorrt_engine", "tensorrt", "pip install vidsr[trt]"),
    "onnxruntime-tensorrt": (
        "vidsr.engines.onnxruntime_tensorrt",
        "tensorrt_libs",
        "pip install vidsr[gpu] 'tensorrt<11'",
    ),
}
ON_GPU = ("torch", "onnxruntime")
"""Engines that compute any graph on a GPU, the one to take first."""

TAKES_DLPACK = ("torch", "tensorrt")
"""Engines that read inputs in a GPU's memory, and then leave their results there."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What computes a graph, on what, and how exactly; nothing in it is `auto`."""

    engine: str
    device: str
    """cpu, cuda, or cuda:N for the GPU of that number."""
    precision: Precision


class Pending(Protocol):
    """One run under way."""

    def result(self) -> Arrays:
        """Wait for the run, other threads running meanwhile, and give its arrays, named as the graph's outputs.

        The arrays are the engine's own and hold until its next `submit`; copy what shall last. Asked for once.
        """


class Engine(Protocol):
    """One network on one device, ready for pictures of one shape. Not thread-safe: one thread submits and waits."""

    in_flight: int
    """How many runs may be under way at once."""

    def submit(self, inputs: Arrays) -> Pending:
        """Start one run and return at once.

        inputs: arrays named as the graph's inputs, shapes as opened; not modified, may be reused after
        `Pending.result()`. Raises EngineBusy if `in_flight` runs are already under way; a run whose Pending nobody
        holds any more is not one of them.
        """

    def close(self) -> None:
        """Let go of the device; runs still under way keep it until they end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def installed() -> list[str]:
    """The engines whose runtime is installed, the default first."""
    return [name for name, (_, package, _) in ENGINES.items() if importlib.util.find_spec(package)]


def choose(engine: str = "auto") -> str:
    """Say which engine a name stands for. Raises EngineMissing where it is unknown or not installed."""
    name = next(iter(ENGINES)) if engine == "auto" else engine
    if name not in ENGINES:
        raise EngineMissing(f"there is no engine {engine!r}; choose one of auto, {', '.join(ENGINES)}")
    if name not in installed():
        raise EngineMissing(f"the engine {name} is not installed; {ENGINES[name][2]!r} installs it")
    return name


def check(precision: str, device: str = "auto") -> None:
    """Raise EngineError where there is no such precision, or no such kind of device."""
    if precision not in get_args(Precision):
        raise EngineError(f"there is no precision {precision!r}; choose one of {', '.join(get_args(Precision))}")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise EngineError(f"there is no device {device!r}; choose one of auto, cpu, cuda, cuda:1")


def settle(*, engine: str = "auto", device: str = "auto", precision: Precision = "auto") -> Setup:
    """Say what would compute with these options on this machine: the runtime is imported, and asked what it can.

    engine: auto is the first of ON_GPU that computes on the GPU, where one is here and the CPU was not asked for, else
    the first of ENGINES. device: auto is a GPU where the engine computes on one and one is there, else the CPU.
    precision: auto is the fastest that the device computes natively without showing it. Raises EngineMissing, and
    EngineError where there is no such precision or device, or the engine does not compute so.
    """
    check(precision, device)
    name = choose(engine)
    if engine == "auto" and (setup := _on_gpu(device, precision)):
        return setup
    return Setup(name, *_module(name).settle(device, precision))


def built_ahead(graph: bytes, setup: Setup) -> Path | None:
    """The file of a TensorRT engine that was built for such a graph; None where TensorRT is not installed.

    setup: the device and precision it is for. Raises EngineMissing where none is built, CardMismatch and NotAModel
    where the one there is fits something else or is damaged; each says the command that builds it.
    """
    if "tensorrt" not in installed() or setup.precision not in ("f16", "f32"):
        return None
    from vidsr.engines.tensorrt.tensorrt_graph import asked_of

    return cast(Path, _module("tensorrt").ready(asked_of(graph, setup.precision).wanted, setup.device))


def open_engine(
    graph: bytes,
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    in_flight: int = 2,
    threads: int = 0,
    streams: int = 1,
) -> Engine:
    """Compile a graph of fixed shapes for a runtime.

    graph: ONNX bytes. engine, device, precision: see `settle`. in_flight: runs under way at once; with 2 the device
    need not wait while a result is taken. threads: of the CPU, 0 for all. streams: runs that OpenVINO computes
    side by side, each by its share of the threads; no more than in_flight.
    Raises NotAModel, OutOfMemory, and as `settle` does.
    """
    setup = settle(engine=engine, device=device, precision=precision)
    more = {"streams": min(streams, in_flight)} if setup.engine == "openvino" else {}
    return cast(Engine, _module(setup.engine).open_graph(graph, setup, in_flight=in_flight, threads=threads, **more))


def on_cpu_alone(title: str, device: str) -> str:
    """The CPU, for a runtime that computes nowhere else. Raises EngineError where another device was asked for."""
    if device not in ("auto", "cpu"):
        raise EngineError(f"{title} computes on the CPU here, not on {device}; use --device cpu, or see `vidsr doctor`")
    return "cpu"


def explained(runtime: str, exc: BaseException, otherwise: type[VidsrError], *, lacking: Collection[str]) -> VidsrError:
    """What a runtime raises, as a sentence: its kinds are told apart by what they say.

    lacking: signs that memory is what it lacks, in its name or words.
    """
    kind, text = type(exc).__name__, " ".join(str(exc).split())
    if any(sign in kind or sign in text for sign in lacking):
        return OutOfMemory("the picture does not fit into memory; give a smaller --tile")
    return otherwise(f"{runtime} cannot run the network: {text[-300:] or kind}")


def busy(in_flight: int) -> EngineBusy:
    """What a `submit` beyond the runs that may be under way raises."""
    return EngineBusy(f"{in_flight} runs are under way already; take the result of one first")


def runtime_version(engine: str) -> str:
    """Of an engine's package; "unknown" where it was installed under another name, as some builds are."""
    try:
        return version(ENGINES[engine][1])
    except PackageNotFoundError:
        return "unknown"


def shareable(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself where a runtime can read it in place, else a copy: decoders pad lines, and lend read-only."""
    fit = array.flags.c_contiguous and array.flags.writeable
    return array if fit else np.array(array, order="C")


def _on_gpu(device: str, precision: Precision) -> Setup | None:
    """What would compute on a GPU, if one is here; no runtime is imported where none is."""
    from vidsr.engines.gpus import gpu_of

    if gpu_of(device) is None:
        return None
    for name in (name for name in ON_GPU if name in installed()):
        try:
            return Setup(name, *_module(name).settle("cuda" if device == "auto" else device, precision))
        except EngineError as exc:  # it was built without CUDA, or misses a library; doctor says so
            log.info("%s does not compute on the GPU: %s", name, exc)
    return None


def _module(name: str) -> Any:
    return importlib.import_module(ENGINES[name][0])
