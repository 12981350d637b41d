"""The parts of CUDA's runtime that the TensorRT engine needs: streams, memory and recorded graphs.

They are called through NVIDIA's own bindings (cuda-bindings): 8 MB, with the runtime linked in, updated with CUDA, and
without the GIL while they wait. PyTorch would add gigabytes, TensorRT's allocator has no pinned memory, and ctypes does
not check types.
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
    """Call a CUDA function and return its result, or a tuple of results. Raises OutOfMemory or EngineError."""
    error, *values = function(*arguments)
    if error != runtime.cudaError_t.cudaSuccess:
        runtime.cudaGetLastError()  # clears the error, which a later call would return again
        if error == runtime.cudaError_t.cudaErrorMemoryAllocation:
            raise OutOfMemory("the picture does not fit into the GPU's memory; give a smaller --tile")
        text = runtime.cudaGetErrorString(error)[1].decode()
        raise EngineError(f"a CUDA call failed: {text} ({function.__name__}); see `vidsr doctor`")
    return values[0] if len(values) == 1 else tuple(values)


def use(index: int) -> None:
    """Select a GPU for this thread."""
    call(runtime.cudaSetDevice, index)


class Stream:
    """A CUDA stream: its work runs in order, and in parallel with other streams."""

    def __init__(self) -> None:
        self.queue = call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
        # Waiting sleeps: a thread that spins would take a core from decoder and encoder.
        flags = runtime.cudaEventBlockingSync | runtime.cudaEventDisableTiming
        self._end = call(runtime.cudaEventCreateWithFlags, flags)
        weakref.finalize(self, _close, self.queue, self._end)

    @property
    def handle(self) -> int:
        """The cudaStream_t as an integer."""
        return int(get_cuda_native_handle(self.queue))

    def copy(self, target: int, source: int, size: int, kind: Any) -> None:
        """Queue a copy of `size` bytes."""
        call(runtime.cudaMemcpyAsync, target, source, size, kind, self.queue)

    def copy_lines(self, target: int, source: int, *, pitch: int, line: int, lines: int) -> None:
        """Queue a copy on the device: lines of `line` bytes that start `pitch` bytes apart, to a contiguous target."""
        call(runtime.cudaMemcpy2DAsync, target, line, source, pitch, line, lines, ON_DEVICE, self.queue)

    def mark(self) -> None:
        """Record the end of what has been queued so far, for `wait`."""
        call(runtime.cudaEventRecord, self._end, self.queue)

    def wait(self) -> None:
        """Wait until the work queued before `mark` has ended, without holding the GIL."""
        call(runtime.cudaEventSynchronize, self._end)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return a function that launches what `work` queues as one CUDA graph.

        The memory that `work` uses must stay allocated. Raises EngineError if it cannot be recorded.
        """
        call(runtime.cudaStreamBeginCapture, self.queue, runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            work()
        finally:
            graph = call(runtime.cudaStreamEndCapture, self.queue)
        executable = call(runtime.cudaGraphInstantiate, graph, 0)
        call(runtime.cudaGraphDestroy, graph)

        def launch() -> None:
            call(runtime.cudaGraphLaunch, executable, self.queue)

        weakref.finalize(launch, runtime.cudaGraphExecDestroy, executable)
        return launch


class DeviceBuffer:
    """Device memory for one tensor, freed with the object. Allocating it waits for all work on the device."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.size = math.prod(shape) * dtype.itemsize
        self.address = int(call(runtime.cudaMalloc, max(self.size, 1)))
        weakref.finalize(self, runtime.cudaFree, self.address)


class PooledBuffer:
    """A buffer for one result, which returns to its pool when this object is garbage-collected.

    Encoders register the addresses of frames and refuse memory from CUDA's own pools (cudaMallocAsync), so buffers are
    reused instead of freed.
    """

    def __init__(self, like: DeviceBuffer, pool: list[DeviceBuffer]) -> None:
        """pool: the unused buffers with the shape and type of `like`."""
        buffer = pool.pop() if pool else DeviceBuffer(like.shape, like.dtype)
        self.address, self.shape, self.dtype = buffer.address, buffer.shape, buffer.dtype
        weakref.finalize(self, pool.append, buffer)


def pinned(buffer: DeviceBuffer) -> NDArray[Any]:
    """Return a host array like a buffer, in pinned memory, which the device copies asynchronously. It frees itself."""
    size = max(buffer.size, 1)
    address = int(call(runtime.cudaHostAlloc, size, runtime.cudaHostAllocDefault))
    memory = (ctypes.c_ubyte * size).from_address(address)
    weakref.finalize(memory, runtime.cudaFreeHost, address)  # arrays on it keep `memory` alive
    return np.ctypeslib.as_array(memory)[: buffer.size].view(buffer.dtype).reshape(buffer.shape)


def _close(stream: Any, end: Any) -> None:
    runtime.cudaStreamSynchronize(stream)
    runtime.cudaEventDestroy(end)
    runtime.cudaStreamDestroy(stream)
