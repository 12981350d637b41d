"""CUDA's runtime, as far as an engine without PyTorch needs it: streams, memory, recorded graphs.

By NVIDIA's own bindings (cuda-bindings): 8 MB with the runtime linked in, kept in step with CUDA, and without the GIL
while they wait. PyTorch would bring gigabytes, TensorRT's own allocator no pinned memory, and ctypes no checked types.
"""

import ctypes
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime
from cuda.bindings.utils import get_cuda_native_handle
from numpy.typing import NDArray

from vidsr.errors import EngineError, OutOfMemory

HOST_TO_DEVICE = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
DEVICE_TO_HOST = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
ON_DEVICE = runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call CUDA and give what it gives, alone or as a tuple. Raises OutOfMemory, and EngineError with CUDA's reason."""
    error, *values = function(*arguments)
    if error != runtime.cudaError_t.cudaSuccess:
        runtime.cudaGetLastError()  # else a later call would be blamed for it
        if error == runtime.cudaError_t.cudaErrorMemoryAllocation:
            raise OutOfMemory("the picture does not fit into the GPU's memory; give a smaller --tile")
        text = runtime.cudaGetErrorString(error)[1].decode()
        raise EngineError(f"the GPU cannot go on: {text} ({function.__name__}); 'vidsr doctor' says what is here")
    return values[0] if len(values) == 1 else tuple(values)


def use(number: int) -> None:
    """Make the GPU of that number this thread's own."""
    call(runtime.cudaSetDevice, number)


class Stream:
    """What is queued on it runs in order, beside what is queued on others."""

    def __init__(self) -> None:
        self.queue = call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
        # A thread that waits sleeps: one that spins takes a core from decoder and encoder.
        flags = runtime.cudaEventBlockingSync | runtime.cudaEventDisableTiming
        self._end = call(runtime.cudaEventCreateWithFlags, flags)
        weakref.finalize(self, _close, self.queue, self._end)

    @property
    def handle(self) -> int:
        """The stream, as a number."""
        return int(get_cuda_native_handle(self.queue))

    def copy(self, target: int, source: int, size: int, kind: Any) -> None:
        """Queue a copy of bytes."""
        call(runtime.cudaMemcpyAsync, target, source, size, kind, self.queue)

    def copy_lines(self, target: int, source: int, *, pitch: int, line: int, lines: int) -> None:
        """Queue a copy on the device of lines that lie `pitch` bytes apart, to where they lie side by side."""
        call(runtime.cudaMemcpy2DAsync, target, line, source, pitch, line, lines, ON_DEVICE, self.queue)

    def mark(self) -> None:
        """Remember what has been queued so far, for `wait`."""
        call(runtime.cudaEventRecord, self._end, self.queue)

    def wait(self) -> None:
        """Wait for what was queued before `mark`, without the GIL."""
        call(runtime.cudaEventSynchronize, self._end)

    def recorded(self, work: Callable[[], None]) -> Callable[[], None]:
        """What `work` queues, as one launch; the memory it uses must stay where it is. Raises EngineError."""
        call(runtime.cudaStreamBeginCapture, self.queue, runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            work()
        finally:
            graph = call(runtime.cudaStreamEndCapture, self.queue)
        ready = call(runtime.cudaGraphInstantiate, graph, 0)
        call(runtime.cudaGraphDestroy, graph)

        def launch() -> None:
            call(runtime.cudaGraphLaunch, ready, self.queue)

        weakref.finalize(launch, runtime.cudaGraphExecDestroy, ready)
        return launch


class DeviceBuffer:
    """Memory of one tensor on the device. To take it waits for all that runs there."""

    def __init__(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
        self.shape, self.kind = shape, kind
        self.size = math.prod(shape) * kind.itemsize
        self.address = int(call(runtime.cudaMalloc, max(self.size, 1)))
        weakref.finalize(self, runtime.cudaFree, self.address)


class PooledBuffer:
    """A room for a result of its own, spare again when nobody holds this any more.

    Encoders note where pictures lie, and refuse memory of CUDA's own pools (cudaMallocAsync): so rooms stay.
    """

    def __init__(self, like: DeviceBuffer, spare: list[DeviceBuffer]) -> None:
        """spare: rooms of the same shape that nobody uses."""
        room = spare.pop() if spare else DeviceBuffer(like.shape, like.kind)
        self.address, self.shape, self.kind = room.address, room.shape, room.kind
        weakref.finalize(self, spare.append, room)


def pinned(room: DeviceBuffer) -> NDArray[Any]:
    """An array on the host that the device copies to or from while others run. It frees itself."""
    size = max(room.size, 1)
    address = int(call(runtime.cudaHostAlloc, size, runtime.cudaHostAllocDefault))
    memory = (ctypes.c_ubyte * size).from_address(address)
    weakref.finalize(memory, runtime.cudaFreeHost, address)  # arrays on it keep `memory`
    return np.ctypeslib.as_array(memory)[: room.size].view(room.kind).reshape(room.shape)


def _close(stream: Any, end: Any) -> None:
    runtime.cudaStreamSynchronize(stream)
    runtime.cudaEventDestroy(end)
    runtime.cudaStreamDestroy(stream)
