"""ONNX Runtime on a GPU, by CUDA or by TensorRT: pictures bound to buffers of the device, and no silent way back.

Where a provider's libraries are missing ONNX Runtime takes the CPU and goes on; here that is an error. CUDA graphs are
left to PyTorch and to TensorRT itself: here a single operator on the CPU would forbid them.
"""

import hashlib
import io
import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from typing import Any, Self
from weakref import WeakSet

import numpy as np
import onnxruntime
from onnxruntime import OrtValue

from vidsr.engines import Precision, Setup
from vidsr.engines.gpus import gpu_of
from vidsr.engines.half import halved
from vidsr.engines.names import FINITE
from vidsr.engines.on_onnxruntime import FOREIGN, explained
from vidsr.engines.plans import folder
from vidsr.errors import EngineBusy, EngineError, EngineMissing, NotAModel

log = logging.getLogger(__name__)

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
RECORD = "session.record_ep_graph_assignment_info"
NEEDS = {
    CUDA: "'pip install vidsr[gpu]' in place of vidsr[onnx] brings it with CUDA and cuDNN",
    TENSORRT: "it needs vidsr[gpu] and the libraries of TensorRT 10; or use --engine tensorrt",
}
EXPECTED: tuple[type[Exception], ...] = (*FOREIGN, RuntimeError, ValueError)  # the binding adds two of Python's own
Providers = list[tuple[str, dict[str, str]]]


class OnnxruntimeGpuEngine:
    """A session, a thread for each run, and for each the buffers it reads."""

    def __init__(self, graph: bytes, providers: Providers, *, device: tuple[str, int], in_flight: int) -> None:
        """providers: the first must be taken. device: where buffers lie, as ONNX Runtime names it."""
        self._device, self.in_flight = device, in_flight
        self._session = session(graph, providers)
        self._inputs = {port.name: port for port in self._session.get_inputs()}
        self._outputs = [port.name for port in self._session.get_outputs()]
        self._slots = [self._buffers() for _ in range(in_flight)]
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix="onnxruntime")
        self._under_way: WeakSet[OnnxruntimeGpuRun] = WeakSet()

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> "OnnxruntimeGpuRun":
        """Start one run; see Engine.

        inputs: beside arrays, anything without gaps that lies on the device and knows `__dlpack__`. on_device: whether
        results stay there: values that know `__dlpack__`, of whoever takes them.
        """
        if sum(not run.taken for run in self._under_way) >= self.in_flight:
            raise EngineBusy(f"{self.in_flight} runs are under way already; take the result of one first")
        for name, port in self._inputs.items():
            if list(inputs[name].shape) != list(port.shape):
                raise EngineError(f"{name} is {tuple(inputs[name].shape)}; the network takes {tuple(port.shape)}")
        run = OnnxruntimeGpuRun(self._pool.submit(self._run, dict(inputs), on_device))
        self._under_way.add(run)
        return run

    def _buffers(self) -> dict[str, OrtValue]:
        return {
            name: OrtValue.ortvalue_from_shape_and_type(port.shape, KINDS[port.type], *self._device)
            for name, port in self._inputs.items()
        }

    def _run(self, inputs: dict[str, Any], on_device: bool) -> dict[str, Any]:
        """One run, in a thread of the pool: there are as many as slots."""
        buffers, binding = self._slots.pop(), self._session.io_binding()
        try:
            for name, buffer in buffers.items():
                value = inputs[name]
                if isinstance(value, np.ndarray):
                    buffer.update_inplace(np.ascontiguousarray(value))
                binding.bind_ortvalue_input(
                    name, buffer if isinstance(value, np.ndarray) else OrtValue.from_dlpack(value)
                )
            for name in self._outputs:
                binding.bind_output(name, *self._device)
            self._session.run_with_iobinding(binding)
            made = dict(zip(self._outputs, binding.get_outputs(), strict=True))
            return {name: value if on_device and name != FINITE else value.numpy() for name, value in made.items()}
        finally:
            self._slots.append(buffers)

    def close(self) -> None:
        """Let go of the device; see Engine."""
        self._pool.shutdown()
        self._slots.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OnnxruntimeGpuRun:
    """One run under way."""

    taken = False

    def __init__(self, future: Future[dict[str, Any]]) -> None:
        self._future = future

    def result(self) -> Any:
        """Wait for the run, without the GIL; see Pending. Values on the device where they were to stay there."""
        self.taken = True
        try:
            return self._future.result()
        except FOREIGN as exc:
            raise explained(exc, EngineError) from exc


KINDS = {"tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16, "tensor(float)": np.float32}


def settle(device: str, precision: Precision, provider: str) -> tuple[str, Precision]:
    """The device and the precision by a provider. Raises EngineMissing, and EngineError, where it cannot be used."""
    if gpu_of(device) is None:
        raise EngineError(f"ONNX Runtime finds no {device if device != 'auto' else 'GPU'} here; see `vidsr doctor`")
    if precision == "bf16":
        raise EngineError("ONNX Runtime computes in f16 or f32 on a GPU; leave out --precision")
    try_out(provider, number_of(device))
    return "cuda" if device == "auto" else device, "f16" if precision == "auto" else precision


def open_on_gpu(graph: bytes, setup: Setup, provider: str, *, in_flight: int) -> OnnxruntimeGpuEngine:
    """Open a session on a GPU; see `open_engine`."""
    providers = providers_for(graph, setup, provider)
    number = number_of(setup.device)
    graph = halved(graph) if setup.precision == "f16" else graph
    return OnnxruntimeGpuEngine(graph, providers, device=("cuda", number), in_flight=in_flight)


def providers_for(graph: bytes, setup: Setup, provider: str) -> Providers:
    """What is asked of ONNX Runtime. TensorRT leaves to CUDA what it does not know, which are codes of 16 bits."""
    number, half = str(number_of(setup.device)), setup.precision == "f16"
    cuda = (CUDA, {"device_id": number, "use_tf32": "0"})  # TF32 is as coarse as f16
    if provider == CUDA:
        return [cuda]
    # Its engines are named by the graph's shape alone; ours are kept by all that is in it.
    kept = folder() / "onnxruntime" / hashlib.sha256(graph + setup.precision.encode()).hexdigest()[:16]
    options = {
        "device_id": number,
        "trt_fp16_enable": "1" if half else "0",  # TensorRT 10 computes in f16 only where it is allowed as well
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(kept),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder() / "onnxruntime"),
    }
    return [(TENSORRT, options), cuda]


def session(graph: bytes, providers: Providers) -> Any:
    """Open a session whose first provider is taken. Raises EngineMissing where it is not, and NotAModel."""
    wanted = providers[0][0]
    if wanted not in onnxruntime.get_available_providers():
        raise EngineMissing(f"this ONNX Runtime has no {wanted}; {NEEDS.get(wanted, 'use --device cpu')}")
    onnxruntime.set_default_logger_severity(4)  # what it would print is raised here
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry(RECORD, "1")
    try:
        opened = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except EXPECTED as exc:
        if "Please install" in str(exc) or "LoadLibrary" in str(exc):
            raise EngineMissing(f"ONNX Runtime cannot load {wanted}; {NEEDS[wanted]}") from exc
        raise explained(exc, NotAModel) from exc
    if (taken := opened.get_providers()[0]) != wanted:
        raise EngineMissing(f"ONNX Runtime took {taken} in place of {wanted}; {NEEDS.get(wanted, '')}")
    if elsewhere := on_cpu(opened):
        log.warning("ONNX Runtime computes on the CPU, between what %s computes: %s", wanted, ", ".join(elsewhere))
    return opened


def on_cpu(opened: Any) -> list[str]:
    """The operators that a session leaves to the CPU, each kind once; none where it was asked for."""
    if opened.get_providers()[0] == CPU:
        return []
    parts = [part for part in opened.get_provider_graph_assignment_info() if part.ep_name == CPU]
    return sorted({node.op_type for part in parts for node in part.get_nodes()})


@cache
def try_out(provider: str, number: int) -> None:
    """Raise EngineMissing where a provider is there by name alone: it is known only once something was opened on it."""
    from onnx import TensorProto, helper

    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()) as said:  # stdout belongs to the picture
            onnxruntime.preload_dlls()
        log.debug("%s", said.getvalue())
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "x"], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "trial", ports[:1], ports[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    session(model.SerializeToString(), [(provider, {"device_id": str(number)})])


def number_of(device: str) -> int:
    """Of the GPU that a device means."""
    return int(device.partition(":")[2] or 0)
