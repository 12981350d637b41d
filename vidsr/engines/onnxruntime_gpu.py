"""ONNX Runtime on a GPU, by CUDA or by TensorRT: pictures bound to buffers of the device, and no silent way back.

Where a provider's libraries are missing ONNX Runtime takes the CPU and goes on; here that is an error. CUDA graphs are
left to PyTorch and to TensorRT itself: here a single operator on the CPU would forbid them.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self
from weakref import WeakSet

import numpy as np
from onnxruntime import OrtValue

from vidsr.engines import Precision, Setup, busy
from vidsr.engines.fp16 import halved
from vidsr.engines.gpus import gpu_of, number_of
from vidsr.engines.onnxruntime import FOREIGN, of_onnxruntime
from vidsr.engines.onnxruntime_providers import Providers, providers_for, session, try_out
from vidsr.engines.ports import FINITE
from vidsr.errors import EngineError


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
            raise busy(self.in_flight)
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
            raise of_onnxruntime(exc, EngineError) from exc


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
