"""What one run of a TensorRT engine needs for itself: a context, a stream, and memory on both sides."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vidsr.engines.ports import FINITE
from vidsr.engines.tensorrt import cuda
from vidsr.engines.tensorrt.dlpack import CUDA, lent
from vidsr.engines.tensorrt.tensorrt_graph import Asked, inner_shape, outer_shape
from vidsr.errors import EngineError

log = logging.getLogger(__name__)


class Slot:
    """One context of an engine; it runs beside those of other slots."""

    def __init__(self, engine: Any, asked: Asked) -> None:
        """engine: an ICudaEngine. The run is recorded once, so that launching it costs nothing a frame."""
        self.stream = cuda.Stream()
        self._context = engine.create_execution_context()
        if self._context is None:
            raise EngineError("TensorRT cannot prepare the engine; there may be too little memory on the GPU")
        for port in asked.inputs:
            if not self._context.set_input_shape(port.name, inner_shape(port)):
                raise EngineError(f"the engine does not take {port.shape} for {port.name}; {asked.wanted.command}")
        self.inputs = {port.name: cuda.DeviceBuffer(port.shape, port.kind) for port in asked.inputs}
        self.outputs = {
            port.name: cuda.DeviceBuffer(self._shape_of(port.name, port.kind), port.kind) for port in asked.outputs
        }
        for name, room in (*self.inputs.items(), *self.outputs.items()):
            self._context.set_tensor_address(name, room.address)
        self._spare: dict[str, list[cuda.DeviceBuffer]] = {name: [] for name in self.outputs}
        self._sent = {name: cuda.pinned(room) for name, room in self.inputs.items()}
        self.taken = {name: cuda.pinned(room) for name, room in self.outputs.items()}
        self._compute()  # what is loaded or chosen at a first run cannot be recorded
        self.stream.mark()
        self.stream.wait()
        self._launch = self._recorded()

    def start(self, inputs: Mapping[str, Any], *, on_device: bool) -> tuple[list[Any], dict[str, cuda.PooledBuffer]]:
        """Queue a run; gives what must be held until it ends, and the results that stay on the device."""
        for name, room in self.inputs.items():
            if tuple(inputs[name].shape) != room.shape:
                raise EngineError(f"{name} is {tuple(inputs[name].shape)}; the engine takes {room.shape}")
        held = [self._send(inputs[name], name) for name in self.inputs]
        self._launch()
        kept = {}
        for name, room in self.outputs.items():
            if on_device and name != FINITE:
                kept[name] = self._copied(name)
                continue
            self.stream.copy(self.taken[name].ctypes.data, room.address, room.size, cuda.DEVICE_TO_HOST)
        self.stream.mark()
        return held, kept

    def _send(self, value: Any, name: str) -> Any:
        """Queue the copy of an input to where the engine reads it."""
        room = self.inputs[name]
        if isinstance(value, np.ndarray):
            np.copyto(self._sent[name], value)
            self.stream.copy(room.address, self._sent[name].ctypes.data, room.size, cuda.HOST_TO_DEVICE)
            return None
        source = lent(value, stream=self.stream.handle)
        if source.device[0] != CUDA or source.kind != room.kind:
            raise EngineError(f"what is lent for {name} must lie on the GPU, as {room.kind}")
        lines, pitch, line = source.lines()
        self.stream.copy_lines(room.address, source.address, pitch=pitch, line=line, lines=lines)
        return source

    def _copied(self, name: str) -> cuda.PooledBuffer:
        """Queue the copy of a result that the next run would overwrite."""
        room = self.outputs[name]
        own = cuda.PooledBuffer(room, self._spare[name])
        self.stream.copy(own.address, room.address, room.size, cuda.ON_DEVICE)
        return own

    def _shape_of(self, name: str, kind: np.dtype[Any]) -> tuple[int, ...]:
        return outer_shape(tuple(self._context.get_tensor_shape(name)), kind)

    def _compute(self) -> None:
        if not self._context.execute_async_v3(self.stream.handle):
            raise EngineError("TensorRT cannot run the engine; --verbose shows its reasons")

    def _recorded(self) -> Callable[[], None]:
        """The run as a CUDA graph, or as its launches one by one where TensorRT does what no graph can hold."""
        try:
            return self.stream.recorded(self._compute)
        except EngineError as exc:
            log.info("no CUDA graph for this engine, which costs some time a frame: %s", exc)
            return self._compute
