"""PyTorch: runs the graph on a GPU through CUDA, or, slowly, on the CPU."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vidsr.engines.base import Engine, Setup, SlotRun, busy, translate_error
from vidsr.engines.gpus import gpu_index
from vidsr.engines.graph_format import Port, inputs_of
from vidsr.engines.torch.device import CpuDevice, CudaDevice, Device, Wait
from vidsr.engines.torch.torch_graph import build, read
from vidsr.errors import EngineError, NotAModel, VidsrError
from vidsr.options import Precision
from vidsr.system import has_native_bf16

PRECISIONS: dict[Precision, torch.dtype] = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# What reading and building may raise if a graph is damaged or made for another input size.
BROKEN = (DecodeError, RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, AssertionError)

FAILED = (RuntimeError, ValueError, TypeError, BufferError, MemoryError)  # what a run may raise


class _Slot:
    """The buffers of one run, on the host and on the device."""

    def __init__(self, device: Device, inputs: tuple[Port, ...], outputs: list[Port]) -> None:
        self.sent = {port.name: device.host_buffer(port) for port in inputs}
        self.received = {port.name: device.host_buffer(port) for port in outputs}
        self.inputs = {name: device.device_buffer(staged) for name, staged in self.sent.items()}
        self.outputs = {name: device.device_buffer(staged) for name, staged in self.received.items()}


class TorchEngine(Engine):
    """A graph on a device, and a slot for each run in flight."""

    def __init__(self, graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> None:
        device: Device = CpuDevice(threads) if setup.device == "cpu" else CudaDevice(setup.device)
        try:
            model = read(graph)
            self._ports = inputs_of(model.graph)
            with device.compute():
                program = build(model, device.device, PRECISIONS[setup.precision])
            self._inputs = {port.name: device.device_buffer(device.host_buffer(port)) for port in self._ports}
            self._run = device.bind(program, self._inputs)
            self._free = [_Slot(device, self._ports, program.outputs) for _ in range(in_flight)]
        except BROKEN as exc:
            device.close()
            raise _translated(exc, NotAModel) from exc
        self._device, self.in_flight = device, in_flight

    def submit(self, inputs: Mapping[str, Any], *, on_device: bool = False) -> SlotRun:
        """Start a run; see Engine.

        inputs: arrays, or objects on the device that support `__dlpack__`, such as frames that the GPU decoded: these
        are read in place, after the work that their owner has queued, and referenced until the run ends.
        on_device: leave results on the device, as tensors that belong to the caller, to be referenced until all work
        that reads them has ended.
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
            raise _translated(exc, EngineError) from exc
        staged = {} if on_device else slot.received
        return SlotRun(
            slot,
            self._free,
            wait=partial(_wait_for, wait),
            collect=lambda: kept or {name: tensor.numpy() for name, tensor in staged.items()},
            held=lent,
        )

    def _compute(self, slot: _Slot, lent: Mapping[str, Any], kept: dict[str, Tensor] | None) -> None:
        """Queue one run. lent: inputs on the device. kept: filled with the outputs that stay there, if not None."""
        with self._device.upload():
            for name in slot.sent.keys() - lent.keys():
                slot.inputs[name].copy_(slot.sent[name], non_blocking=True)
        with self._device.compute():
            for name, buffer in self._inputs.items():
                buffer.copy_(from_dlpack(lent[name]).reshape(buffer.shape) if name in lent else slot.inputs[name])
            outputs = self._run()
            if kept is not None:
                kept.update((name, value.clone()) for name, value in outputs.items())
                return
            for name, value in outputs.items():
                slot.outputs[name].copy_(value)
        with self._device.download():
            for name, value in slot.outputs.items():
                slot.received[name].copy_(value, non_blocking=True)

    def close(self) -> None:
        """Release the device; see Engine."""
        self._device.close()
        self._free.clear()
        self._inputs, self._run = {}, dict


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """Return the device and precision to use; see `vidsr.engines.settle`.

    auto is f16 on a GPU, where bf16 would be visible; on a CPU it is bf16 if that is native, else f32.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and not device.startswith("cuda"):
        raise EngineError(f"PyTorch does not compute on {device} here; use --engine openvino")
    if device != "cpu":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if gpu_index(device) >= count:
            found = f"{count} GPUs here, and {device} is not among them" if count else "no GPU here"
            raise EngineError(f"PyTorch finds {found}; use --device cpu, or see `vidsr doctor`")
    if precision == "auto":
        on_cpu: Precision = "bf16" if has_native_bf16() else "f32"
        return device, on_cpu if device == "cpu" else "f16"
    return device, precision


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> TorchEngine:
    """Build a program from a graph; see `vidsr.engines.open_engine`."""
    return TorchEngine(graph, setup, in_flight=in_flight, threads=threads)


def _wait_for(wait: Wait) -> None:
    try:
        wait()
    except FAILED as exc:
        raise _translated(exc, EngineError) from exc


def _translated(exc: BaseException, otherwise: type[VidsrError]) -> VidsrError:
    if isinstance(exc, VidsrError):
        return exc
    signs = ("OutOfMemoryError", "can't allocate", "out of memory")
    return translate_error("PyTorch", exc, otherwise, out_of_memory=signs)
