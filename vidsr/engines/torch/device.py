"""Where PyTorch computes: on a GPU, three streams that copy in, compute and copy out; on the CPU, a thread."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from vidsr.engines.torch.torch_graph import Port, Program

Wait = Callable[[], object]


class Device(Protocol):
    """What the engine needs of a device."""

    device: torch.device

    def staged(self, port: Port) -> Tensor:
        """Memory of the host that the device reads or writes."""

    def room(self, staged: Tensor) -> Tensor:
        """Memory of the device for what is staged."""

    def upload(self) -> AbstractContextManager[object]:
        """Within it, what is called copies from the host."""

    def compute(self) -> AbstractContextManager[object]:
        """Within it, what is called computes, once what was uploaded has come."""

    def download(self) -> AbstractContextManager[object]:
        """Within it, what is called copies to the host, once what was computed is there."""

    def fixed(self, program: Program, inputs: Mapping[str, Tensor]) -> Callable[[], Mapping[str, Tensor]]:
        """The program as one call, which reads these very inputs each time; its outputs hold until the next."""

    def start(self, work: Callable[[], None]) -> Wait:
        """Set work going and return; what is given waits for its end, without the GIL, and raises its errors."""

    def close(self) -> None:
        """Wait for what is under way."""


class Cpu:
    """The CPU: nothing to copy, and one thread, for a run uses all cores."""

    device = torch.device("cpu")

    def __init__(self, threads: int) -> None:
        setup: dict[str, Any] = {"initializer": torch.set_num_threads, "initargs": (threads,)} if threads else {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="torch", **setup)

    def staged(self, port: Port) -> Tensor:
        """See Device."""
        return torch.empty(port.shape, dtype=port.kind)

    def room(self, staged: Tensor) -> Tensor:
        """See Device."""
        return staged

    def upload(self) -> AbstractContextManager[object]:
        """See Device."""
        return nullcontext()

    compute = download = upload

    def fixed(self, program: Program, inputs: Mapping[str, Tensor]) -> Callable[[], Mapping[str, Tensor]]:
        """See Device."""
        return partial(program.run, inputs)

    def start(self, work: Callable[[], None]) -> Wait:
        """See Device."""
        return self._pool.submit(work).result

    def close(self) -> None:
        """See Device."""
        self._pool.shutdown()


class Cuda:
    """A GPU. What is queued on one of its streams runs beside what is queued on another."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)
        self._upload, self._compute, self._download = (torch.cuda.Stream(self.device) for _ in range(3))

    def staged(self, port: Port) -> Tensor:
        """See Device; pinned, or copies would wait for one another."""
        return torch.empty(port.shape, dtype=port.kind, pin_memory=True)

    def room(self, staged: Tensor) -> Tensor:
        """See Device."""
        return torch.empty_like(staged, device=self.device)

    def upload(self) -> AbstractContextManager[object]:
        """See Device."""
        return torch.cuda.stream(self._upload)

    @contextmanager
    def compute(self) -> Iterator[None]:
        """See Device; f32 is f32, not TF32, whose numbers are as coarse as those of f16."""
        self._compute.wait_stream(self._upload)
        with torch.cuda.stream(self._compute), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield

    @contextmanager
    def download(self) -> Iterator[None]:
        """See Device."""
        self._download.wait_stream(self._compute)
        with torch.cuda.stream(self._download):
            yield

    def fixed(self, program: Program, inputs: Mapping[str, Tensor]) -> Callable[[], Mapping[str, Tensor]]:
        """See Device; recorded as a CUDA graph, so that Python and launches cost nothing a frame."""
        with self.compute():
            program.run(inputs)  # what is loaded or chosen at a first call cannot be recorded
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads may meanwhile decode on this GPU, or allocate for another network.
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
        """See Device; the end is that of the download stream."""
        work()
        self._download.wait_stream(self._compute)  # what stays on the GPU is not downloaded
        end = torch.cuda.Event(blocking=True)  # sleeps: a thread that spins takes a core from the encoder
        end.record(self._download)
        return end.synchronize

    def close(self) -> None:
        """See Device."""
        for stream in (self._upload, self._compute, self._download):
            with suppress(RuntimeError):  # of a run that failed, whose result tells it
                stream.synchronize()
