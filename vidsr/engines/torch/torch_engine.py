"""PyTorch: the same graph on a GPU by CUDA, or, slowly, on the CPU."""

import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vidsr.engines import Arrays, Precision, Setup, busy, explained
from vidsr.engines.gpus import number_of
from vidsr.engines.torch.device import Cpu, Cuda, Device, Wait
from vidsr.engines.torch.torch_graph import Port, build, inputs_of, read
from vidsr.errors import EngineError, NotAModel, VidsrError

KINDS: dict[Precision, torch.dtype] = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# What reading and trying out a graph may raise where it is damaged, or is for pictures of another size.
BROKEN = (DecodeError, RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, AssertionError)

FAILED = (RuntimeError, ValueError, TypeError, BufferError, MemoryError)  # and what a run may raise


class Slot:
    """The memory of one run: where it is staged on the host, and beside it on the device."""

    def __init__(self, device: Device, inputs: list[Port], outputs: list[Port]) -> None:
        self.sent = {port.name: device.staged(port) for port in inputs}
        self.taken = {port.name: device.staged(port) for port in outputs}
        self.inputs = {name: device.room(staged) for name, staged in self.sent.items()}
        self.outputs = {name: device.room(staged) for name, staged in self.taken.items()}


class TorchEngine:
    """A graph on a device, and a slot for each run."""

    def __init__(self, graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> None:
        device: Device = Cpu(threads) if setup.device == "cpu" else Cuda(setup.device)
        try:
            model = read(graph)
            self._ports = inputs_of(model)
            with device.compute():
                program = build(model, device.device, KINDS[setup.precision])
            self._inputs = {port.name: device.room(device.staged(port)) for port in self._ports}
            self._run = device.fixed(program, self._inputs)
            self._free = [Slot(device, self._ports, program.outputs) for _ in range(in_flight)]
        except BROKEN as exc:
            device.close()
            raise _explained(exc, NotAModel) from exc
        self._device, self.in_flight = device, in_flight

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> "TorchRun":
        """Start one run; see Engine.

        inputs: beside arrays, anything that lies on the device and knows `__dlpack__`, such as a decoder's frame on a
        GPU: it is read there, after what its owner has queued, and held until the run ends. on_device: whether results
        stay there: tensors that know `__dlpack__`, of whoever takes them, to be held until all that reads them is done.
        """
        if not self._free:
            raise busy(self.in_flight)
        lent = {name: value for name, value in inputs.items() if not isinstance(value, np.ndarray)}
        sent = {name: value for name, value in inputs.items() if isinstance(value, np.ndarray)}
        for port in self._ports:
            if port.name in sent and sent[port.name].shape != port.shape:
                raise EngineError(f"{port.name} is {sent[port.name].shape}; the network takes {port.shape}")
        slot, kept = self._free.pop(0), dict[str, Tensor]()
        for name, array in sent.items():
            np.copyto(slot.sent[name].numpy(), array)
        try:
            wait = self._device.start(lambda: self._compute(slot, lent, kept if on_device else None))
        except FAILED as exc:
            self._free.append(slot)
            raise _explained(exc, EngineError) from exc
        return TorchRun(wait, slot, kept if on_device else None, self._free, lent)

    def _compute(self, slot: Slot, lent: Mapping[str, Any], kept: dict[str, Tensor] | None) -> None:
        """Queue one run: what is staged or lent in, and the outputs into the slot, or into `kept` on the device."""
        with self._device.upload():
            for name in slot.sent.keys() - lent.keys():
                slot.inputs[name].copy_(slot.sent[name], non_blocking=True)
        with self._device.compute():
            for name, place in self._inputs.items():
                place.copy_(from_dlpack(lent[name]).reshape(place.shape) if name in lent else slot.inputs[name])
            outputs = self._run()
            if kept is not None:
                kept.update((name, value.clone()) for name, value in outputs.items())
                return
            for name, value in outputs.items():
                slot.outputs[name].copy_(value)
        with self._device.download():
            for name, value in slot.outputs.items():
                slot.taken[name].copy_(value, non_blocking=True)

    def close(self) -> None:
        """Let go of the device; see Engine."""
        self._device.close()
        self._free.clear()
        self._inputs, self._run = {}, dict

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TorchRun:
    """One run under way."""

    def __init__(
        self, wait: Wait, slot: Slot, kept: dict[str, Tensor] | None, free: list[Slot], lent: Mapping[str, Any]
    ) -> None:
        self._wait, self._slot, self._kept, self._free = wait, slot, kept, free
        self._drop = weakref.finalize(self, _drop, wait, slot, free, lent)

    def result(self) -> Any:
        """Wait for the run, without the GIL; see Pending. Tensors where they were to stay on the device."""
        try:
            self._wait()
        except FAILED as exc:
            raise _explained(exc, EngineError) from exc
        finally:
            self._drop.detach()
            self._free.append(self._slot)
        if self._kept is not None:
            return self._kept
        arrays: Arrays = {name: staged.numpy() for name, staged in self._slot.taken.items()}
        return arrays


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """The device and the precision; see `vidsr.engines.settle`. auto is f16 on a GPU: bf16 shows at 8 bits."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if number_of(device) >= count:
            found = f"{count} GPUs here, and {device} is none of them" if count else "no GPU here"
            raise EngineError(f"PyTorch finds {found}; use --device cpu, or see `vidsr doctor`")
    if precision == "auto":
        return device, "f32" if device == "cpu" else "f16"
    return device, precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> TorchEngine:
    """Make an engine; see `open_engine`."""
    return TorchEngine(graph, setup, in_flight=in_flight, threads=threads)


def _drop(wait: Wait, slot: Slot, free: list[Slot], lent: Mapping[str, Any]) -> None:
    """Take back the slot of a run whose result nobody holds any more; what was lent is read until it has ended."""
    with suppress(*FAILED):  # that it did
        wait()
    free.append(slot)


def _explained(exc: BaseException, otherwise: type[VidsrError]) -> VidsrError:
    if isinstance(exc, VidsrError):
        return exc
    return explained("PyTorch", exc, otherwise, lacking=("OutOfMemoryError", "can't allocate", "out of memory"))
