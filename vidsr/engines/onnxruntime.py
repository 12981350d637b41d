"""ONNX Runtime on the CPU, and on a GPU through CUDA or TensorRT.

If a GPU provider's libraries are missing, ONNX Runtime falls back to the CPU without an error; here it is an error.
CUDA graphs are left to PyTorch and TensorRT: a single operator on the CPU would rule them out.
"""

import hashlib
import importlib
import io
import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from typing import Any
from weakref import WeakSet

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime import OrtValue
from onnxruntime.capi import onnxruntime_pybind11_state as state

from vidsr.engines.base import Arrays, Engine, Setup, busy, translate_error
from vidsr.engines.fp16 import halved
from vidsr.engines.gpus import gpu_index, gpu_of
from vidsr.engines.graph_format import FINITE
from vidsr.engines.tensorrt.plan_file import folder
from vidsr.errors import EngineError, EngineMissing, NotAModel, VidsrError
from vidsr.options import Precision

log = logging.getLogger(__name__)

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
INSTALL = {
    CUDA: "'pip install vidsr[gpu]' in place of vidsr[onnx] installs it with CUDA and cuDNN",
    TENSORRT: "it needs vidsr[gpu] and the libraries of TensorRT 10; or use --engine tensorrt",
}
DTYPES = {"tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16, "tensor(float)": np.float32}

# ONNX Runtime's exceptions have no common base class.
FOREIGN: tuple[type[Exception], ...] = tuple(
    kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)
)
EXPECTED: tuple[type[Exception], ...] = (*FOREIGN, RuntimeError, ValueError)  # what opening a session may raise
Providers = list[tuple[str, dict[str, str]]]

onnxruntime.disable_telemetry_events()


class OnnxruntimeEngine(Engine):
    """A session on the CPU, and a thread that waits in it."""

    def __init__(self, session: Any, *, in_flight: int, workers: int = 1) -> None:
        """workers: runs computed in parallel; one on the CPU, where a run uses all threads."""
        self._session, self.in_flight = session, in_flight
        self._outputs = [port.name for port in session.get_outputs()]
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="onnxruntime")
        self._in_progress: WeakSet[OnnxruntimeRun] = WeakSet()

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> "OnnxruntimeRun":
        """Start a run; see Engine. on_device: see OnnxruntimeGpuEngine."""
        if sum(not run.taken for run in self._in_progress) >= self.in_flight:
            raise busy(self.in_flight)
        run = OnnxruntimeRun(self._pool.submit(self._run, dict(inputs), on_device))
        self._in_progress.add(run)
        return run

    def _run(self, inputs: dict[str, Any], on_device: bool) -> dict[str, Any]:
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))

    def close(self) -> None:
        """Release the device; see Engine."""
        self._pool.shutdown()


class OnnxruntimeRun:
    """A run in progress."""

    taken = False

    def __init__(self, future: Future[dict[str, Any]]) -> None:
        self._future = future

    def result(self) -> Arrays:
        """Wait for the run; see Pending. With `on_device`, the arrays support `__dlpack__`."""
        self.taken = True
        try:
            return self._future.result()
        except FOREIGN as exc:
            raise _translated(exc, EngineError) from exc


class OnnxruntimeGpuEngine(OnnxruntimeEngine):
    """A session on a GPU: as many threads as runs in flight, and for each the buffers that its run reads.

    Inputs may also be contiguous arrays on the device that support `__dlpack__`. With `submit(on_device=True)` results
    stay there, except FINITE; they belong to the caller.
    """

    def __init__(self, graph: bytes, providers: Providers, *, device: tuple[str, int], in_flight: int) -> None:
        """providers: see `open_session`. device: where the buffers are, in ONNX Runtime's names."""
        super().__init__(open_session(graph, providers), in_flight=in_flight, workers=in_flight)
        self._device = device
        self._ports = {port.name: port for port in self._session.get_inputs()}
        self._buffers = [
            {
                name: OrtValue.ortvalue_from_shape_and_type(port.shape, DTYPES[port.type], *device)
                for name, port in self._ports.items()
            }
            for _ in range(in_flight)
        ]

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> OnnxruntimeRun:
        """Start a run; see Engine."""
        for name, port in self._ports.items():
            if list(inputs[name].shape) != list(port.shape):
                raise EngineError(f"{name} is {tuple(inputs[name].shape)}; the network takes {tuple(port.shape)}")
        return super().submit(inputs, on_device=on_device)

    def _run(self, inputs: dict[str, Any], on_device: bool) -> dict[str, Any]:
        buffers, binding = self._buffers.pop(), self._session.io_binding()
        try:
            for name, buffer in buffers.items():
                value = inputs[name]
                if isinstance(value, np.ndarray):
                    buffer.update_inplace(np.ascontiguousarray(value))
                    binding.bind_ortvalue_input(name, buffer)
                else:
                    binding.bind_ortvalue_input(name, OrtValue.from_dlpack(value))
            for name in self._outputs:
                binding.bind_output(name, *self._device)
            self._session.run_with_iobinding(binding)
            made = dict(zip(self._outputs, binding.get_outputs(), strict=True))
            return {name: value if on_device and name != FINITE else value.numpy() for name, value in made.items()}
        finally:
            self._buffers.append(buffers)

    def close(self) -> None:
        """Release the device; see Engine."""
        super().close()
        self._buffers.clear()


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """Return the device and precision to use; see `vidsr.engines.settle`."""
    if gpu_of(device) is not None or device not in ("auto", "cpu"):
        try:
            return settle_on_gpu(device, precision, CUDA)
        except EngineMissing as exc:
            if device != "auto":
                raise
            log.warning("ONNX Runtime computes on the CPU although there is a GPU: %s", exc)
    if precision not in ("auto", "f32"):
        raise EngineError("ONNX Runtime computes in f32 on a CPU; leave out --precision, or use --engine openvino")
    return "cpu", "f32"


def settle_tensorrt(device: str, precision: Precision) -> tuple[str, Precision]:
    """Do the same for the engine onnxruntime-tensorrt."""
    importlib.import_module("tensorrt_libs")  # loads TensorRT's libraries, which ONNX Runtime would not find by itself
    return settle_on_gpu(device, precision, TENSORRT)


def settle_on_gpu(device: str, precision: Precision, provider: str) -> tuple[str, Precision]:
    """Return the device and precision for a provider. Raises EngineMissing or EngineError if it cannot be used."""
    if not device.startswith(("auto", "cuda")):
        raise EngineError(f"ONNX Runtime does not compute on {device} here; use --engine openvino")
    if gpu_of(device) is None:
        raise EngineError(f"ONNX Runtime finds no {device if device != 'auto' else 'GPU'} here; see `vidsr doctor`")
    if precision == "bf16":
        raise EngineError("ONNX Runtime computes in f16 or f32 on a GPU; leave out --precision")
    try_provider(provider, gpu_index(device))
    return "cuda" if device == "auto" else device, "f16" if precision == "auto" else precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> OnnxruntimeEngine:
    """Open a session; see `vidsr.engines.open_engine`.

    TensorRT builds its engine here, which takes minutes the first time, and keeps it in a file.
    """
    if setup.device == "cpu":
        return OnnxruntimeEngine(_open_on_cpu(graph, threads), in_flight=in_flight)
    providers = providers_for(graph, setup)
    graph = halved(graph) if setup.precision == "f16" else graph
    return OnnxruntimeGpuEngine(graph, providers, device=("cuda", gpu_index(setup.device)), in_flight=in_flight)


def providers_for(graph: bytes, setup: Setup) -> Providers:
    """Return the providers to request. TensorRT leaves to CUDA the operators that it lacks: those on 16-bit codes."""
    index = str(gpu_index(setup.device))
    cuda = (CUDA, {"device_id": index, "use_tf32": "0"})  # TF32 is as coarse as f16
    if setup.engine == "onnxruntime":
        return [cuda]
    # ONNX Runtime names engine files by the graph's structure; a folder for each graph keeps weights apart.
    digest = hashlib.sha256(graph + setup.precision.encode()).hexdigest()[:16]
    options = {
        "device_id": index,
        "trt_fp16_enable": str(int(setup.precision == "f16")),  # TensorRT 10 needs it even for float16 graphs
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder() / "onnxruntime" / digest),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder() / "onnxruntime"),
    }
    return [(TENSORRT, options), cuda]


def open_session(graph: bytes, providers: Providers) -> Any:
    """Open a session on the first provider. Raises EngineMissing if ONNX Runtime cannot use it, and NotAModel."""
    wanted = providers[0][0]
    if wanted not in onnxruntime.get_available_providers():
        raise EngineMissing(f"this ONNX Runtime has no {wanted}; {INSTALL.get(wanted, 'use --device cpu')}")
    onnxruntime.set_default_logger_severity(4)  # errors are raised, so nothing needs to be printed
    options = _quiet_options()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except EXPECTED as exc:
        if "Please install" in str(exc) or "LoadLibrary" in str(exc):
            raise EngineMissing(f"ONNX Runtime cannot load {wanted}; {INSTALL[wanted]}") from exc
        raise _translated(exc, NotAModel) from exc
    if (taken := session.get_providers()[0]) != wanted:
        raise EngineMissing(f"ONNX Runtime took {taken} in place of {wanted}; {INSTALL.get(wanted, '')}")
    if elsewhere := operators_on_cpu(session):
        log.warning("ONNX Runtime computes these operators on the CPU, not by %s: %s", wanted, ", ".join(elsewhere))
    return session


def operators_on_cpu(session: Any) -> list[str]:
    """Return the operator types that a GPU session runs on the CPU; empty for a session on the CPU."""
    if session.get_providers()[0] == CPU:
        return []
    parts = [part for part in session.get_provider_graph_assignment_info() if part.ep_name == CPU]
    return sorted({node.op_type for part in parts for node in part.get_nodes()})


@cache
def try_provider(provider: str, index: int) -> None:
    """Open a session of one operator on a GPU. Raises EngineMissing: a provider may be listed, and fail to load."""
    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()) as output:  # stdout may be the video
            onnxruntime.preload_dlls()
        log.debug("%s", output.getvalue())
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "trial", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    open_session(model.SerializeToString(), [(provider, {"device_id": str(index)})])


def _open_on_cpu(graph: bytes, threads: int) -> Any:
    options = _quiet_options()
    options.intra_op_num_threads = threads
    # A worker that spins between two runs takes the core from decoder and encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=[CPU])
    except FOREIGN as exc:
        raise _translated(exc, NotAModel) from exc


def _quiet_options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it would print is in the exception as well
    return options


def _translated(exc: Exception, otherwise: type[VidsrError]) -> VidsrError:
    signs = ("bad_alloc", "Failed to allocate", "out of memory")
    return translate_error("ONNX Runtime", exc, otherwise, out_of_memory=signs)
