"""Graphs with edges as TensorRT reads them: strongly typed, with 16-bit codes as pairs of bytes."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vidsr.engines.fp16 import halved
from vidsr.engines.graph_format import EDGE, REBUILD, Port, inputs_of, outputs_of
from vidsr.engines.tensorrt.plan_file import EngineSpec, Shape, identity
from vidsr.options import Precision

DEFAULT_COMMAND = "vidsr export MODEL --trt"
WIDE = TensorProto.UINT16


def spec_of(graph: bytes, precision: Precision) -> EngineSpec:
    """Return what an engine must have been built for to run a graph with edges."""
    model = onnx.ModelProto.FromString(graph)
    command = next((entry.value for entry in model.metadata_props if entry.key == REBUILD), DEFAULT_COMMAND)
    command += " --precision f32" if precision == "f32" else ""
    return EngineSpec(identity(graph), precision, command, inputs_of(model.graph), outputs_of(model.graph))


def inner_shape(port: Port) -> Shape:
    """Return the shape of a port in TensorRT, which has no 16-bit integers: there, each is two bytes."""
    return (*port.shape, 2) if port.dtype == np.uint16 else port.shape


def outer_shape(shape: Shape, dtype: np.dtype[Any]) -> Shape:
    """Return the shape of a port for a shape in TensorRT."""
    return shape[:-1] if dtype == np.uint16 else shape


def for_tensorrt(graph: bytes, precision: Precision) -> bytes:
    """Return the graph that TensorRT builds an engine from.

    graph: ONNX bytes with edges. Raises CannotHalve if the network cannot compute in f16.
    """
    model = onnx.ModelProto.FromString(halved(graph) if precision == "f16" else graph)
    _ByteCodes(model.graph).rewrite()
    return bytes(model.SerializeToString())


class _ByteCodes:
    """Rewrites 16-bit inputs and outputs of a graph, in place."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph

    def rewrite(self) -> None:
        """Make each 16-bit plane one of two bytes a code, the lower first, as little-endian memory has them."""
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
