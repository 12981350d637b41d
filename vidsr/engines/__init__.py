"""Engines run a graph: ONNX and named arrays in, named arrays out. Each runtime is imported when it is first used."""

import importlib
import importlib.util
import logging
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from vidsr.engines.base import Arrays, Engine, Pending, Setup
from vidsr.engines.gpus import gpu_of
from vidsr.errors import EngineError, EngineMissing
from vidsr.options import Precision

__all__ = [
    "ENGINES", "ON_GPU", "TAKES_DLPACK", "Arrays", "Engine", "Pending", "Precision", "Setup", "built_ahead",
    "check", "choose", "installed", "open_engine", "runtime_version", "settle",
]  # fmt: skip

log = logging.getLogger(__name__)


class Runtime(NamedTuple):
    """Where an engine is implemented, and what it needs."""

    module: str
    """It has `open_graph` and `settle`, with the arguments used below."""
    package: str
    """The runtime's Python package."""
    install: str
    """The command that installs it."""
    settle: str = "settle"
    """The name of the module's function for this engine."""


ENGINES = {
    "openvino": Runtime("vidsr.engines.openvino", "openvino", "pip install vidsr"),
    "onnxruntime": Runtime("vidsr.engines.onnxruntime", "onnxruntime", "pip install vidsr[onnx]"),
    "torch": Runtime("vidsr.engines.torch.torch_engine", "torch", "pip install vidsr[torch]"),
    "tensorrt": Runtime("vidsr.engines.tensorrt.tensorrt_engine", "tensorrt", "pip install vidsr[trt]"),
    "onnxruntime-tensorrt": Runtime(
        "vidsr.engines.onnxruntime",
        "tensorrt_libs",
        "pip install vidsr[gpu] 'tensorrt<11'",
        settle="settle_tensorrt",
    ),
}
"""Every engine by name. The first is the default on a CPU."""

ON_GPU = ("torch", "onnxruntime")
"""Engines that run any graph on a GPU, in order of preference."""

TAKES_DLPACK = ("torch", "tensorrt")
"""Engines that read inputs from GPU memory and can leave results there."""


def installed() -> list[str]:
    """Return the engines whose runtime is installed, the default first."""
    return [name for name, runtime in ENGINES.items() if importlib.util.find_spec(runtime.package)]


def choose(engine: str = "auto") -> str:
    """Return the name of an installed engine; `auto` is the default. Raises EngineMissing if it is not installed."""
    name = next(iter(ENGINES)) if engine == "auto" else engine
    if name not in ENGINES:
        raise EngineMissing(f"unknown engine {engine!r}; expected one of auto, {', '.join(ENGINES)}")
    if name not in installed():
        raise EngineMissing(f"the engine {name} is not installed; {ENGINES[name].install!r} installs it")
    return name


def check(precision: str, device: str = "auto") -> None:
    """Raise EngineError unless the precision and the device are among those that options accept."""
    if precision not in get_args(Precision):
        raise EngineError(f"unknown precision {precision!r}; expected one of {', '.join(get_args(Precision))}")
    if not re.fullmatch(r"auto|cpu|npu|(cuda|gpu)(:\d+)?", device):
        raise EngineError(
            f"unknown device {device!r}; expected auto, cpu, cuda or cuda:N such as cuda:1, gpu, gpu:N or npu"
        )


def settle(*, engine: str = "auto", device: str = "auto", precision: Precision = "auto") -> Setup:
    """Resolve `auto` options on this machine, and check the others. Imports the runtime.

    engine: auto is the first of ON_GPU that works on the GPU, if there is one and `device` is not cpu; else the
    default.
    device: auto is an NVIDIA GPU if the engine can use one, else the CPU.
    precision: auto is the fastest that the device computes natively without a visible difference. int8 is f32 here: the
    graph itself says which of its layers compute in int8.
    Raises EngineMissing, and EngineError if the engine does not support the device or the precision.
    """
    check(precision, device)
    precision = "f32" if precision == "int8" else precision
    name = choose(engine)
    if engine == "auto" and (setup := _settle_on_gpu(device, precision)):
        return setup
    return _settle(name, device, precision)


def built_ahead(graph: bytes, setup: Setup) -> Path | None:
    """Return the TensorRT engine file that was built for a graph, or None if TensorRT is not installed.

    setup: the device and precision to run on.
    Raises EngineMissing if no file was built, and CardMismatch or NotAModel if the file is for another GPU or TensorRT
    version, or damaged; each message names the command that builds it.
    """
    if "tensorrt" not in installed() or setup.precision not in ("f16", "f32"):
        return None
    return cast(Path, _module("tensorrt").built_ahead(graph, setup))


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
    """Compile a graph with fixed shapes.

    graph: ONNX bytes. engine, device, precision: see `settle`. in_flight: the largest number of runs in progress; with
    2 the device computes one while the result of another is taken. threads: CPU threads, 0 for all. streams: runs that
    OpenVINO computes in parallel, each on its share of the threads; at most `in_flight` are used.
    Raises NotAModel, OutOfMemory, and the errors of `settle`.
    """
    setup = settle(engine=engine, device=device, precision=precision)
    more = {"streams": min(streams, in_flight)} if setup.engine == "openvino" else {}
    return cast(Engine, _module(setup.engine).open_graph(graph, setup, in_flight=in_flight, threads=threads, **more))


def runtime_version(engine: str) -> str:
    """Return the version of an engine's package, or "unknown" if no distribution has its name, as in some builds."""
    try:
        return version(ENGINES[engine].package)
    except PackageNotFoundError:
        return "unknown"


def _settle(name: str, device: str, precision: Precision) -> Setup:
    settle_for = getattr(_module(name), ENGINES[name].settle)
    return Setup(name, *settle_for(device, precision))


def _settle_on_gpu(device: str, precision: Precision) -> Setup | None:
    """Return the setup of the first of ON_GPU that works. Without a GPU no runtime is imported."""
    if gpu_of(device) is None:
        return None
    for name in (name for name in ON_GPU if name in installed()):
        try:
            return _settle(name, "cuda" if device == "auto" else device, precision)
        except EngineError as exc:  # built without CUDA, or a library is missing; `vidsr doctor` says which
            log.info("%s does not compute on the GPU: %s", name, exc)
    return None


def _module(name: str) -> Any:
    return importlib.import_module(ENGINES[name].module)
