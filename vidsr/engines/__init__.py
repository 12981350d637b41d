"""Runtimes: a graph and named arrays in, named arrays out. One file a runtime, imported when first asked for."""

import importlib
import importlib.util
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import EngineError, EngineMissing

Precision = Literal["auto", "f32", "bf16"]
Arrays = Mapping[str, NDArray[Any]]

# Each runtime's file, its package, and what installs it; the first is the default.
ENGINES = {
    "openvino": ("vidsr.engines.on_openvino", "openvino", "pip install vidsr"),
    "onnxruntime": ("vidsr.engines.on_onnxruntime", "onnxruntime", "pip install vidsr[onnx]"),
}


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


def check(precision: str) -> None:
    """Raise EngineError where there is no such precision."""
    if precision not in get_args(Precision):
        raise EngineError(f"there is no precision {precision!r}; choose one of {', '.join(get_args(Precision))}")


def open_engine(
    graph: bytes, *, engine: str = "auto", precision: Precision = "auto", in_flight: int = 2, threads: int = 0
) -> Engine:
    """Compile a graph of fixed shapes for a runtime.

    graph: ONNX bytes. precision: auto is bf16 where the CPU computes it natively, else f32. in_flight: runs under way
    at once; with 2 the device need not wait while a result is taken. threads: of the CPU, 0 for all.
    Raises EngineMissing, NotAModel, OutOfMemory, and EngineError where there is no such precision or the CPU lacks it.
    """
    check(precision)
    module = importlib.import_module(ENGINES[choose(engine)][0])
    return cast(Engine, module.open_graph(graph, precision=precision, in_flight=in_flight, threads=threads))


def shareable(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself where a runtime can read it in place, else a copy: decoders pad lines, and lend read-only."""
    fit = array.flags.c_contiguous and array.flags.writeable
    return array if fit else np.array(array, order="C")
