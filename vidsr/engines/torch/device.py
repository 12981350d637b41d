"""Devices for the PyTorch engine: on a GPU, streams that upload, compute and download; on the CPU, a thread."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from vidsr.engines.graph_format import Port
from vidsr.engines.torch.torch_graph import Program, dtype_of

Wait = Callable[[], object]


class Device(Protocol):
    """What the engine needs of a device."""

    device: torch.device

    def host_buffer(self, port: Port) -> Tensor:
        """Allocate host memory that the device copies from or to."""

    def device_buffer(self, staged: Tensor) -> Tensor:
        """Allocate device memory like a host buffer."""

    def upload(self) -> AbstractContextManager[object]:
        """Enter the context for copies from the host."""

    def compute(self) -> AbstractContextManager[object]:
        """Enter the context for computation, which waits for uploads."""

    def download(self) -> AbstractContextManager[object]:
        """Enter the context for copies to the host, which wait for computation."""

    def bind(self, program: Program, inputs: Mapping[str, Tensor]) -> Callable[[], Mapping[str, Tensor]]:
        """Return a function that runs the program on these inputs; its outputs are valid until the next call."""

    def start(self, work: Callable[[], None]) -> Wait:
        """Start work and return a function that waits for its end without the GIL, and raises its exceptions."""

    def close(self) -> None:
        """Wait for the work in progress."""


class CpuDevice(Device):
    """The CPU: nothing to copy, and one thread, since a run uses all cores."""

    device = torch.device("cpu")

    def __init__(self, threads: int) -> None:
        setup: dict[str, Any] = {"initializer": torch.set_num_threads, "initargs": (threads,)} if threads else {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="torch", **setup)

    def host_buffer(self, port: Port) -> Tensor:
        return torch.empty(port.shape, dtype=dtype_of(port))

    def device_buffer(self, staged: Tensor) -> Tensor:
        return staged

    def upload(self) -> AbstractContextManager[object]:
        return nullcontext()

    compute = download = upload

    def bind(self, program: Program, inputs: Mapping[str, Tensor]) -> Callable[[], Mapping[str, Tensor]]:
        return partial(program.run, inputs)

    def start(self, work: Callable[[], None]) -> Wait:
        return self._pool.submit(work).result

    def close(self) -> None:
        self._pool.shutdown()


class CudaDevice(Device):
    """A GPU, with three streams whose work overlaps."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)
        self._upload, self._compute, self._download = (torch.cuda.Stream(self.device) for _ in range(3))

    def host_buffer(self, port: Port) -> Tensor:
        # Pinned: otherwise copies would block.
        return torch.empty(port.shape, dtype=dtype_of(port), pin_memory=True)

    def device_buffer(self, staged: Tensor) -> Tensor:
        return torch.empty_like(staged, device=self.device)

    def upload(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._upload)

    @contextmanager
    def compute(self) -> Iterator[None]:
        # TF32 is off: its precision is that of f16.
        self._compute.wait_stream(self._upload)
        with torch.cuda.stream(self._compute), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield

    @contextmanager
    def download(self) -> Iterator[None]:
        self._download.wait_stream(self._compute)
        with torch.cuda.stream(self._download):
            yield

    def bind(self, program: Program, inputs: Mapping[str, Tensor]) -> Callable[[], Mapping[str, Tensor]]:
        # Recorded as a CUDA graph, so that Python and launches take no time per frame.
        with self.compute():
            program.run(inputs)  # a first run loads and selects kernels, which cannot be recorded
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads may decode on this GPU meanwhile, or allocate for another network.
        with (
            self.compute(),
            torch.cuda.graph(graph, stream=self._compute, capture_error_mode="thread_local"),
        ):
            outputs = program.run(inputs)

        def replay() -> Mapping[str, Tensor]:
            graph.replay()
            return outputs

        return replay

    def start(self, work: Callable[[], None]) -> Wait:
        work()
        self._download.wait_stream(self._compute)  # also for results that are not downloaded
        end = torch.cuda.Event(blocking=True)  # sleeps: a thread that spins takes a core from the encoder
        end.record(self._download)
        return end.synchronize

    def close(self) -> None:
        for stream in (self._upload, self._compute, self._download):
            with suppress(RuntimeError):  # a failed run raises it from `result`
                stream.synchronize()
