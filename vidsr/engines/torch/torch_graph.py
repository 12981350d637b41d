"""An ONNX graph of fixed shapes as a list of PyTorch calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from vidsr.engines.fp16 import EDGE
from vidsr.engines.opset import of_opset
from vidsr.engines.torch.node import Builder, Function, Node
from vidsr.engines.torch.ops import ARITHMETIC, PICTURES, SHAPES
from vidsr.errors import NotAModel

KINDS: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.UINT8: torch.uint8,
    TensorProto.INT8: torch.int8,
    TensorProto.UINT16: torch.uint16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.BOOL: torch.bool,
}
OPERATORS: dict[str, Builder] = {**ARITHMETIC, **SHAPES, **PICTURES}
# What is computed in the precision asked for, but in edges. All else is computed in what it is given: what a network
# adds to the picture is not rounded on the way there, and costs little.
HEAVY = ("Conv", "ConvTranspose", "MatMul")
HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


@dataclass(frozen=True, slots=True)
class Port:
    """A graph's input or output."""

    name: str
    shape: tuple[int, ...]
    kind: torch.dtype


@dataclass(frozen=True, slots=True)
class Step:
    """One call."""

    function: Function
    inputs: tuple[Tensor | str | None, ...]
    """Constants, or names of what was computed before."""
    outputs: tuple[str, ...]
    done_with: tuple[str, ...]
    """Names that nobody asks for any more."""


class Program:
    """A graph on a device, ready to run."""

    def __init__(self, steps: list[Step], outputs: list[Port]) -> None:
        self._steps, self.outputs = steps, outputs

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the outputs of inputs that are on the device; contiguous, but not copied without need."""
        values: dict[str, Tensor] = dict(inputs)
        for step in self._steps:
            run_step(step, values)
        return {port.name: values[port.name].to(port.kind).contiguous() for port in self.outputs}


def run_step(step: Step, values: dict[str, Tensor]) -> None:
    """Make a step's outputs of what is there, and drop what is done with."""
    found = step.function(*(values[each] if isinstance(each, str) else each for each in step.inputs))
    outputs = (found,) if isinstance(found, Tensor) else found
    values.update((name, value) for name, value in zip(step.outputs, outputs, strict=False) if name)
    for name in step.done_with:
        del values[name]


def read(graph: bytes) -> onnx.ModelProto:
    """ONNX bytes of an opset that is understood. Raises DecodeError, NotAModel."""
    return of_opset(onnx.load_model_from_string(graph))


def inputs_of(model: onnx.ModelProto) -> list[Port]:
    """What a graph takes."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [
        Port(value.name, tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim), _kind(value))
        for value in model.graph.input
        if value.name not in stored
    ]


def build(model: onnx.ModelProto, device: torch.device, kind: torch.dtype) -> Program:
    """Make a program, running each operator once as it is made.

    kind: what is multiplied in convolutions. Raises NotAModel for what is not understood, and whatever PyTorch raises
    where shapes do not fit.
    """
    known = {tensor.name: _tensor(tensor) for tensor in model.graph.initializer}
    values = {port.name: torch.empty(port.shape, dtype=port.kind, device=device) for port in inputs_of(model)}
    last = {name: place for place, node in enumerate(model.graph.node) for name in node.input}
    last |= {value.name: len(model.graph.node) for value in model.graph.output}
    steps = []
    for place, proto in enumerate(model.graph.node):
        node = _node(proto, known, values, device, kind)
        if proto.op_type == "Constant":
            known[proto.output[0]] = _constant(node)
        elif proto.op_type == "Shape":
            (first,) = node.inputs
            assert first is not None
            known[proto.output[0]] = torch.tensor(first.shape[node.get("start", 0) : node.get("end", None)])
        else:
            inputs = tuple(
                name if name in values else each for name, each in zip(proto.input, node.inputs, strict=True)
            )
            ended = tuple(name for name in set(proto.input) if name in values and last[name] == place)
            step = Step(_function(node, proto, kind), inputs, tuple(proto.output), ended)
            moving = any(isinstance(each, str) for each in inputs)
            run_step(step, values if moving else known)
            steps += [step] if moving else []
    for value in model.graph.output:
        if value.name not in values:
            raise NotAModel(f"PyTorch cannot run the network: nothing makes {value.name} of the picture")
    return Program(steps, [Port(each.name, tuple(values[each.name].shape), _kind(each)) for each in model.graph.output])


def _node(
    proto: onnx.NodeProto,
    known: Mapping[str, Tensor],
    values: Mapping[str, Tensor],
    device: torch.device,
    kind: torch.dtype,
) -> Node:
    """An operator with its inputs: constants go where the picture is, and become what it is."""
    moving = [values[name] for name in proto.input if name in values]
    constants = [known.get(name) if name else None for name in proto.input]
    floats = [value.dtype for value in moving if value.is_floating_point()]
    to = kind if _heavy(proto) else reduce(torch.promote_types, floats, floats[0] if floats else torch.float32)
    inputs = [
        values[name]
        if name in values
        else _placed(constant, device, to)
        if constant is not None and moving
        else constant
        for name, constant in zip(proto.input, constants, strict=True)
    ]
    for name, value in zip(proto.input, inputs, strict=True):
        if name and value is None:
            raise NotAModel(f"PyTorch cannot run the network: nothing makes {name}, which its {proto.op_type} takes")
    attributes = {each.name: _attribute(helper.get_attribute_value(each)) for each in proto.attribute}
    return Node(proto.op_type, attributes, inputs, constants, len(proto.output), KINDS | dict.fromkeys(HALVES, kind))


def _heavy(proto: onnx.NodeProto) -> bool:
    return proto.op_type in HEAVY and not proto.name.startswith(EDGE)


def _placed(constant: Tensor, device: torch.device, kind: torch.dtype) -> Tensor:
    return constant.to(device, kind if constant.is_floating_point() else constant.dtype)


def _function(node: Node, proto: onnx.NodeProto, kind: torch.dtype) -> Function:
    """The call; a heavy one behind whatever makes its inputs what it computes in."""
    if proto.domain not in ("", "ai.onnx") or node.operator not in OPERATORS:
        what = f"{proto.domain}.{node.operator}".lstrip(".")
        raise NotAModel(f"PyTorch cannot run the network: no operator {what} is known here; use --engine openvino")
    function = OPERATORS[node.operator](node)
    if not _heavy(proto) or all(value is None or value.dtype == kind for value in node.inputs):
        return function
    return lambda *inputs: function(*(None if each is None else each.to(kind) for each in inputs))


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, TensorProto):
        return _tensor(value)
    return value if isinstance(value, int | float) else list(value)


def _tensor(stored: TensorProto) -> Tensor:
    array = numpy_helper.to_array(stored)
    odd = stored.data_type in (TensorProto.BFLOAT16, TensorProto.DOUBLE)
    return torch.from_numpy(array.astype("float32" if odd else array.dtype))  # a copy: what is stored is read-only


def _constant(node: Node) -> Tensor:
    (value,) = node.attributes.values()
    return value if isinstance(value, Tensor) else torch.tensor(value)


def _kind(value: onnx.ValueInfoProto) -> torch.dtype:
    number = value.type.tensor_type.elem_type
    if number not in KINDS:
        raise NotAModel(f"PyTorch cannot run the network: {value.name} is of a type that is not known here")
    return KINDS[number]
