"""An ONNX graph with fixed shapes as a list of PyTorch calls."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from vidsr.engines.graph_format import EDGE, Port, inputs_of, of_opset, outputs_of
from vidsr.engines.torch.interpolation import resize
from vidsr.engines.torch.ops import ARITHMETIC, PICTURES, SHAPES, Builder, Function, Node
from vidsr.errors import NotAModel

DTYPES: dict[int, torch.dtype] = {
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
OPERATORS: dict[str, Builder] = {**ARITHMETIC, **SHAPES, **PICTURES, "Resize": resize}
# These compute in the requested precision, except in edges. All others compute in the type of their inputs: so the
# residual that a network adds to the picture is not rounded on the way, at little cost.
HEAVY = ("Conv", "ConvTranspose", "MatMul")
HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


@dataclass(frozen=True, slots=True)
class Step:
    """One call."""

    function: Function
    inputs: tuple[Tensor | str | None, ...]
    """Constants, or names of values computed before."""
    outputs: tuple[str, ...]
    last_uses: tuple[str, ...]
    """Names of values that no later step needs."""


class Program:
    """A graph on a device, ready to run."""

    def __init__(self, steps: list[Step], outputs: list[Port]) -> None:
        self._steps, self.outputs = steps, outputs

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the outputs from inputs on the device; contiguous, but not copied unless necessary."""
        values: dict[str, Tensor] = dict(inputs)
        for step in self._steps:
            run_step(step, values)
        return {port.name: values[port.name].to(dtype_of(port)).contiguous() for port in self.outputs}


def run_step(step: Step, values: dict[str, Tensor]) -> None:
    """Add a step's outputs to the values, and remove those that no later step needs."""
    found = step.function(*(values[each] if isinstance(each, str) else each for each in step.inputs))
    outputs = (found,) if isinstance(found, Tensor) else found
    values.update((name, value) for name, value in zip(step.outputs, outputs, strict=False) if name)
    for name in step.last_uses:
        del values[name]


def read(graph: bytes) -> onnx.ModelProto:
    """Parse ONNX bytes, and convert old operator sets. Raises DecodeError, NotAModel."""
    return of_opset(onnx.load_model_from_string(graph))


def dtype_of(port: Port) -> torch.dtype:
    """Return the type of an input or output. Raises NotAModel if PyTorch has no such type."""
    if port.element_type not in DTYPES:
        raise NotAModel(f"PyTorch cannot run the network: the type of {port.name} is not supported")
    return DTYPES[port.element_type]


def build(model: onnx.ModelProto, device: torch.device, dtype: torch.dtype) -> Program:
    """Build a program, running each operator once.

    dtype: what the operators in HEAVY compute in.
    Raises NotAModel for what is not supported, and any of PyTorch's exceptions if shapes do not match.
    """
    graph = model.graph
    known = {tensor.name: _tensor(tensor) for tensor in graph.initializer}
    values = {port.name: torch.empty(port.shape, dtype=dtype_of(port), device=device) for port in inputs_of(graph)}
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    last |= {value.name: len(graph.node) for value in graph.output}
    steps = []
    for index, proto in enumerate(graph.node):
        node = _node(proto, known, values, device, dtype)
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
            ended = tuple(name for name in set(proto.input) if name in values and last[name] == index)
            step = Step(_function(node, proto, dtype), inputs, tuple(proto.output), ended)
            depends_on_picture = any(isinstance(each, str) for each in inputs)
            run_step(step, values if depends_on_picture else known)
            steps += [step] if depends_on_picture else []
    for value in graph.output:
        if value.name not in values:
            raise NotAModel(f"PyTorch cannot run the network: its output {value.name} is not computed from its input")
    return Program(steps, [replace(port, shape=tuple(values[port.name].shape)) for port in outputs_of(graph)])


def _node(
    proto: onnx.NodeProto,
    known: Mapping[str, Tensor],
    values: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
) -> Node:
    """Return an operator with its inputs, constants moved to the picture's device and type."""
    computed = [values[name] for name in proto.input if name in values]
    constants = [known.get(name) if name else None for name in proto.input]
    floats = [value.dtype for value in computed if value.is_floating_point()]
    to = dtype if _heavy(proto) else reduce(torch.promote_types, floats, floats[0] if floats else torch.float32)
    inputs = [
        values[name]
        if name in values
        else _placed(constant, device, to)
        if constant is not None and computed
        else constant
        for name, constant in zip(proto.input, constants, strict=True)
    ]
    for name, value in zip(proto.input, inputs, strict=True):
        if name and value is None:
            raise NotAModel(f"PyTorch cannot run the network: {name}, an input of its {proto.op_type}, is not computed")
    attributes = {each.name: _attribute(helper.get_attribute_value(each)) for each in proto.attribute}
    return Node(proto.op_type, attributes, inputs, constants, len(proto.output), DTYPES | dict.fromkeys(HALVES, dtype))


def _heavy(proto: onnx.NodeProto) -> bool:
    return proto.op_type in HEAVY and not proto.name.startswith(EDGE)


def _placed(constant: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return constant.to(device, dtype if constant.is_floating_point() else constant.dtype)


def _function(node: Node, proto: onnx.NodeProto, dtype: torch.dtype) -> Function:
    """Return the call; for a heavy operator, one that converts its inputs first."""
    if proto.domain not in ("", "ai.onnx") or node.operator not in OPERATORS:
        name = f"{proto.domain}.{node.operator}".lstrip(".")
        raise NotAModel(f"PyTorch cannot run the network: the operator {name} is not supported; use --engine openvino")
    function = OPERATORS[node.operator](node)
    if not _heavy(proto) or all(value is None or value.dtype == dtype for value in node.inputs):
        return function
    return lambda *inputs: function(*(None if each is None else each.to(dtype) for each in inputs))


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, TensorProto):
        return _tensor(value)
    return value if isinstance(value, int | float) else list(value)


def _tensor(stored: TensorProto) -> Tensor:
    array = numpy_helper.to_array(stored)
    to_f32 = stored.data_type in (TensorProto.BFLOAT16, TensorProto.DOUBLE)
    return torch.from_numpy(array.astype("float32" if to_f32 else array.dtype))  # a copy: stored arrays are read-only


def _constant(node: Node) -> Tensor:
    (value,) = node.attributes.values()
    return value if isinstance(value, Tensor) else torch.tensor(value)
