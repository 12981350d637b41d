"""A graph with edges as TensorRT takes it: types written out, and codes of 16 bits as bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vidsr.engines import Precision
from vidsr.engines.fp16 import EDGE, halved
from vidsr.engines.ports import REBUILD
from vidsr.engines.tensorrt.plan_file import Shape, Wanted, identity

NOT_SAID = "vidsr export MODEL --trt"
WIDE = TensorProto.UINT16


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output."""

    name: str
    shape: Shape
    """() where it is not known yet."""
    kind: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a stream asks of an engine."""

    wanted: Wanted
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def asked_of(graph: bytes, precision: Precision) -> Asked:
    """What a graph with edges needs: an engine, and its inputs and outputs as they are seen from outside."""
    model = onnx.ModelProto.FromString(graph)
    command = next((entry.value for entry in model.metadata_props if entry.key == REBUILD), NOT_SAID)
    inputs = tuple(Port(port.name, _shape(port), _kind(port)) for port in model.graph.input)
    outputs = tuple(Port(port.name, (), _kind(port)) for port in model.graph.output)
    shapes = {port.name: port.shape for port in inputs}
    command += " --no-fp16" if precision == "f32" else ""
    return Asked(Wanted(identity(graph), shapes, precision, command), inputs, outputs)


def inner_shape(port: Port) -> Shape:
    """The shape of a port as TensorRT sees it: numbers of 16 bits are two bytes, for it has no such type."""
    return (*port.shape, 2) if port.kind == np.uint16 else port.shape


def outer_shape(shape: Shape, kind: np.dtype[Any]) -> Shape:
    """The way back."""
    return shape[:-1] if kind == np.uint16 else shape


def for_tensorrt(graph: bytes, precision: Precision) -> bytes:
    """Give the graph that TensorRT builds an engine from, strongly typed.

    graph: ONNX bytes with edges. Raises EngineError where it cannot be had in f16.
    """
    model = onnx.ModelProto.FromString(halved(graph) if precision == "f16" else graph)
    _Rebuilt(model.graph).split_codes()
    return bytes(model.SerializeToString())


class _Rebuilt:
    """A graph on its way."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph

    def split_codes(self) -> None:
        """Make every plane of 16 bits one of two bytes a code, the lower first, as they lie in memory."""
        nodes = list(self._graph.node)
        wide = [port for port in self._graph.input if port.type.tensor_type.elem_type == WIDE]
        for port in wide:
            port.type.tensor_type.elem_type = TensorProto.UINT8
            port.type.tensor_type.shape.dim.add().dim_value = 2
        names = {port.name for port in wide}
        del self._graph.node[:]
        for node in nodes:
            if node.op_type == "Cast" and node.input[0] in names:
                both = self._add("Mul", self._add("Cast", node.input[0], to=TensorProto.FLOAT), self._stored([1, 256]))
                self._add("ReduceSum", both, self._stored([-1], np.int64), out=node.output[0], keepdims=0)
            elif node.op_type == "Cast" and any(entry.name == "to" and entry.i == WIDE for entry in node.attribute):
                high = self._add("Floor", self._add("Mul", node.input[0], self._stored(1 / 256)))
                low = self._add("Sub", node.input[0], self._add("Mul", high, self._stored(256)))
                last = self._stored([-1], np.int64)
                halves = [self._add("Unsqueeze", half, last) for half in (low, high)]
                self._add("Cast", self._add("Concat", *halves, axis=-1), out=node.output[0], to=TensorProto.UINT8)
            else:
                self._graph.node.append(node)
        for port in self._graph.output:
            if port.type.tensor_type.elem_type == WIDE:
                port.type.tensor_type.elem_type = TensorProto.UINT8
                port.type.tensor_type.ClearField("shape")

    def _stored(self, value: Any, dtype: type = np.float32) -> str:
        name = f"{EDGE}trt.{len(self._graph.initializer)}"
        array: NDArray[Any] = np.asarray(value, dtype)
        self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = f"{EDGE}trt.{operator}.{len(self._graph.node)}"
        self._graph.node.append(helper.make_node(operator, list(inputs), [out or name], name, **attributes))
        return out or name


def _shape(port: onnx.ValueInfoProto) -> Shape:
    return tuple(dim.dim_value for dim in port.type.tensor_type.shape.dim)


def _kind(port: onnx.ValueInfoProto) -> np.dtype[Any]:
    return helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
