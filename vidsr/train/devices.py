"""Where and how a training computes; what it learns depends on it by rounding, and by how a batch is cut, alone."""

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
from vidsr.train.config import Recipe

Precision = Literal["bf16", "fp16", "f32"]
Compile = Literal["no", "yes", "graphs"]
PATIENCE = timedelta(hours=6)  # processes wait for the one that prepares a store, or validates

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device, and which of the processes that train together this is."""

    device: str = "cpu"
    precision: Precision = "bf16"
    """Of convolutions; weights, losses and what is summed up stay f32."""
    accumulate: int = 1
    """Parts of a batch that are computed one after the other, where memory is short."""
    compile: Compile = "no"
    """By torch.compile; `graphs`: the network as CUDA graphs as well."""
    rank: int = 0
    size: int = 1
    """Processes. Each computes its share of every batch."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    @property
    def first_here(self) -> bool:
        """Whether it is the first on its computer."""
        return int(os.environ.get("LOCAL_RANK", 0)) == 0

    def shares(self) -> range:
        """Which parts of a batch are this process's, of `parts`."""
        return range(self.rank * self.accumulate, (self.rank + 1) * self.accumulate)

    @property
    def parts(self) -> int:
        """How many parts a batch has, over all processes."""
        return self.size * self.accumulate

    def place(self, net: nn.Module) -> nn.Module:
        """Move a network to the device, channels last, as convolutions are fastest."""
        return cast(nn.Module, cast(Any, net.to(self.device)).to(memory_format=torch.channels_last))

    def prepare(self, net: nn.Module, *, graphs: bool = False) -> nn.Module:
        """A placed network as it is called to learn: compiled as asked for, its gradients averaged over processes."""
        if self.compile != "no":
            net.compile(mode="reduce-overhead" if graphs and self.compile == "graphs" else "default")
        if self.size == 1:
            return net
        from torch.nn.parallel import DistributedDataParallel

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the option's next name, which older PyTorch lacks
            return DistributedDataParallel(net, broadcast_buffers=False)

    def autocast(self) -> torch.autocast:
        """Within it, convolutions compute at the machine's precision."""
        kind = torch.float16 if self.precision == "fp16" else torch.bfloat16
        return torch.autocast(torch.device(self.device).type, kind, enabled=self.precision != "f32")

    def scaler(self) -> torch.amp.GradScaler:
        """What keeps the small gradients of fp16 from vanishing; does nothing at other precisions."""
        return torch.amp.GradScaler(torch.device(self.device).type, enabled=self.precision == "fp16")

    def mean(self, value: Tensor) -> Tensor:
        """The mean of every process's value."""
        if self.size == 1:
            return value
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total / self.size

    def share(self, make: Callable[[], T]) -> T:
        """What `make` gives the first process, for all."""
        if self.size == 1:
            return make()
        given = [make() if self.first else None]
        torch.distributed.broadcast_object_list(given)
        return cast(T, given[0])

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do a work once on each computer, then in its other processes, which find it done."""
        if self.size > 1 and not self.first_here:
            torch.distributed.barrier()
        done = work()
        if self.size > 1 and self.first_here:
            torch.distributed.barrier()
        return done


@contextmanager
def joined(machine: Machine) -> Iterator[Machine]:
    """The machine as torchrun placed it among others, or alone; leaves them at the end.

    Raises EngineMissing where this PyTorch has no such device.
    """
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size > 1 and machine.device == "cuda":
        machine = replace(machine, device=f"cuda:{os.environ['LOCAL_RANK']}")
    _check_device(machine.device)
    if size == 1:
        yield machine
        return
    on_gpu = machine.device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(machine.device)
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield replace(machine, rank=torch.distributed.get_rank(), size=size)
    finally:
        torch.distributed.destroy_process_group()


def check_batches(machine: Machine, recipe: Recipe) -> None:
    """Raise RecipeError where a stage's batch cannot be cut into equal parts, or not on this machine."""
    if machine.compile == "graphs" and machine.accumulate > 1:
        raise RecipeError("a CUDA graph writes over what its last run left, so a batch stays whole; accumulate 1 part")
    for stage in recipe.stages:
        if stage.batch % machine.parts:
            raise RecipeError(
                f"a batch of {stage.batch} cannot be cut into {machine.parts} equal parts ({machine.size} processes,"
                f" {machine.accumulate} parts in each); change the recipe's batch"
            )


def _check_device(device: str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as exc:  # a build without CUDA asserts
        raise EngineMissing(
            f"this PyTorch has no device {device} ({str(exc).splitlines()[0]}); give --device cpu"
        ) from exc
