"""Where training computes: device, precision and processes.

Results depend on these only through rounding and through how a batch is split.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from vidsr.errors import EngineMissing, RecipeError
from vidsr.system import has_native_bf16
from vidsr.train.config import Recipe

Precision = Literal["bf16", "f16", "f32"]
Compile = Literal["no", "yes", "graphs"]
TIMEOUT = timedelta(hours=6)  # processes wait while the main one prepares a store or validates

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A device and how it computes, and this process's place among those that train together."""

    device: str = "cpu"
    precision: Precision = "f32"
    """Of convolutions; weights, losses and sums are always f32."""
    accumulate: int = 1
    """Number of parts of this process's share of a batch that are computed one after another, to save memory."""
    compile: Compile = "no"
    """Whether torch.compile is used; `graphs`: the network also runs as CUDA graphs."""
    rank: int = 0
    world_size: int = 1
    """Number of processes; each computes its share of every batch."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    @property
    def parts(self) -> int:
        """Number of parts of a batch, over all processes."""
        return self.world_size * self.accumulate

    def own_parts(self) -> range:
        """Return the indices of this process's parts of a batch."""
        return range(self.rank * self.accumulate, (self.rank + 1) * self.accumulate)

    def to_device(self, net: nn.Module) -> nn.Module:
        """Move a network to the device, in the channels-last memory format, in which convolutions are fastest."""
        return cast(nn.Module, cast(Any, net.to(self.device)).to(memory_format=torch.channels_last))

    def prepare(self, net: nn.Module, *, graphs: bool = False) -> nn.Module:
        """Wrap a network on the device for training: compile it and average its gradients over processes."""
        if self.compile != "no":
            net.compile(mode="reduce-overhead" if graphs and self.compile == "graphs" else "default")
        if self.world_size == 1:
            return net
        from torch.nn.parallel import DistributedDataParallel

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # broadcast_buffers is renamed; older PyTorch lacks the new name
            return DistributedDataParallel(net, broadcast_buffers=False)

    def autocast(self) -> torch.autocast:
        """Return the context in which convolutions compute in the accelerator's precision."""
        dtype = torch.float16 if self.precision == "f16" else torch.bfloat16
        return torch.autocast(torch.device(self.device).type, dtype, enabled=self.precision != "f32")

    def grad_scaler(self) -> torch.amp.GradScaler:
        """Return a scaler that keeps gradients from underflowing in f16; it does nothing in other precisions."""
        return torch.amp.GradScaler(torch.device(self.device).type, enabled=self.precision == "f16")

    def reduce_mean(self, value: Tensor) -> Tensor:
        """Return the mean of the value over all processes."""
        if self.world_size == 1:
            return value
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total / self.world_size

    def broadcast(self, make: Callable[[], T]) -> T:
        """Call `make` in the main process and return its result in all of them."""
        if self.world_size == 1:
            return make()
        objects = [make() if self.is_main else None]
        torch.distributed.broadcast_object_list(objects)
        return cast(T, objects[0])

    def local_main_first(self, work: Callable[[], T]) -> T:
        """Call `work` in one process of each computer, then in the others, which find its files in place."""
        is_local_main = int(os.environ.get("LOCAL_RANK", 0)) == 0
        if self.world_size > 1 and not is_local_main:
            torch.distributed.barrier()
        result = work()
        if self.world_size > 1 and is_local_main:
            torch.distributed.barrier()
        return result


@contextmanager
def distributed(accelerator: Accelerator) -> Iterator[Accelerator]:
    """Join the processes that torchrun started, if it did, and yield the accelerator with this process's rank.

    Raises EngineMissing if this PyTorch has no such device.
    """
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size > 1 and accelerator.device == "cuda":
        accelerator = replace(accelerator, device=f"cuda:{os.environ['LOCAL_RANK']}")
    _check_device(accelerator.device)
    if size == 1:
        yield accelerator
        return
    on_gpu = accelerator.device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(accelerator.device)
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=TIMEOUT)
    try:
        yield replace(accelerator, rank=torch.distributed.get_rank(), world_size=size)
    finally:
        torch.distributed.destroy_process_group()


def default_precision(device: str) -> Precision:
    """Return bf16 if the device computes it natively, else f32: emulated bf16 is several times slower.

    Raises EngineMissing if this PyTorch has no such device.
    """
    _check_device(device)
    if (kind := torch.device(device).type) == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "f32"
    return "bf16" if kind == "cpu" and has_native_bf16() else "f32"


def check_batches(accelerator: Accelerator, recipe: Recipe) -> None:
    """Raise RecipeError if a stage's batch cannot be split into equal parts, or not with CUDA graphs."""
    if accelerator.compile == "graphs" and accelerator.accumulate > 1:
        raise RecipeError("--compile graphs needs --accumulate 1, because a CUDA graph overwrites its last output")
    for stage in recipe.stages:
        if stage.batch % accelerator.parts:
            raise RecipeError(
                f"a batch of {stage.batch} cannot be split into {accelerator.parts} equal parts"
                f" ({accelerator.world_size} processes, {accelerator.accumulate} parts in each);"
                " change the recipe's batch"
            )


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as exc:  # a build without CUDA raises AssertionError
        raise EngineMissing(
            f"this PyTorch has no device {device} ({str(exc).splitlines()[0]}); use --device cpu"
        ) from exc
