"""What a single run of a TensorRT engine needs: an execution context, a stream, and buffers on host and device."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vidsr.engines.graph_format import FINITE
from vidsr.engines.tensorrt import cuda
from vidsr.engines.tensorrt.dlpack import CUDA, view_of
from vidsr.engines.tensorrt.plan_file import EngineSpec
from vidsr.engines.tensorrt.tensorrt_graph import inner_shape, outer_shape
from vidsr.errors import EngineError

log = logging.getLogger(__name__)


class ExecutionSlot:
    """One execution context. Slots run in parallel."""

    def __init__(self, engine: Any, spec: EngineSpec) -> None:
        """engine: an ICudaEngine. The run is recorded as a CUDA graph, so that launching it takes no time per frame."""
        self.stream = cuda.Stream()
        self._context = engine.create_execution_context()
        if self._context is None:
            raise EngineError("TensorRT cannot prepare the engine; the GPU may have too little memory left")
        for port in spec.inputs:
            if not self._context.set_input_shape(port.name, inner_shape(port)):
                raise EngineError(
                    f"the engine does not take {port.shape} for {port.name}; build one that does: {spec.command}"
                )
        self.inputs = {port.name: cuda.DeviceBuffer(port.shape, port.dtype) for port in spec.inputs}
        self.outputs = {
            port.name: cuda.DeviceBuffer(self._shape_of(port.name, port.dtype), port.dtype) for port in spec.outputs
        }
        for name, buffer in (*self.inputs.items(), *self.outputs.items()):
            self._context.set_tensor_address(name, buffer.address)
        self._pools: dict[str, list[cuda.DeviceBuffer]] = {name: [] for name in self.outputs}
        self._sent = {name: cuda.pinned(buffer) for name, buffer in self.inputs.items()}
        self.received = {name: cuda.pinned(buffer) for name, buffer in self.outputs.items()}
        self._compute()  # a first run loads and selects kernels, which cannot be recorded
        self.stream.mark()
        self.stream.wait()
        self._launch = self._recorded()

    def start(self, inputs: Mapping[str, Any], *, on_device: bool) -> tuple[list[Any], dict[str, cuda.PooledBuffer]]:
        """Queue a run. Return what must stay referenced until it ends, and the results that stay on the device."""
        for name, buffer in self.inputs.items():
            if tuple(inputs[name].shape) != buffer.shape:
                raise EngineError(f"{name} is {tuple(inputs[name].shape)}; the engine takes {buffer.shape}")
        held = [self._send(inputs[name], name) for name in self.inputs]
        self._launch()
        kept = {}
        for name, buffer in self.outputs.items():
            if on_device and name != FINITE:
                kept[name] = self._copied(name)
                continue
            self.stream.copy(self.received[name].ctypes.data, buffer.address, buffer.size, cuda.DEVICE_TO_HOST)
        self.stream.mark()
        return held, kept

    def _send(self, value: Any, name: str) -> Any:
        """Queue the copy of an input to the engine's buffer."""
        buffer = self.inputs[name]
        if isinstance(value, np.ndarray):
            np.copyto(self._sent[name], value)
            self.stream.copy(buffer.address, self._sent[name].ctypes.data, buffer.size, cuda.HOST_TO_DEVICE)
            return None
        source = view_of(value, stream=self.stream.handle)
        if source.device[0] != CUDA or source.dtype != buffer.dtype:
            raise EngineError(f"expected an array of {buffer.dtype} on the GPU for {name}; got {source.dtype}")
        lines, pitch, line = source.lines()
        self.stream.copy_lines(buffer.address, source.address, pitch=pitch, line=line, lines=lines)
        return source

    def _copied(self, name: str) -> cuda.PooledBuffer:
        """Queue the copy of a result out of the buffer that the next run overwrites."""
        buffer = self.outputs[name]
        copy = cuda.PooledBuffer(buffer, self._pools[name])
        self.stream.copy(copy.address, buffer.address, buffer.size, cuda.ON_DEVICE)
        return copy

    def _shape_of(self, name: str, dtype: np.dtype[Any]) -> tuple[int, ...]:
        return outer_shape(tuple(self._context.get_tensor_shape(name)), dtype)

    def _compute(self) -> None:
        if not self._context.execute_async_v3(self.stream.handle):
            raise EngineError("TensorRT cannot run the engine; --verbose shows the reason")

    def _recorded(self) -> Callable[[], None]:
        """Return the run as a CUDA graph, or as single launches if TensorRT does something that cannot be recorded."""
        try:
            return self.stream.record(self._compute)
        except EngineError as exc:
            log.info("this engine runs without a CUDA graph, which takes longer: %s", exc)
            return self._compute
