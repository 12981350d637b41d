"""Conversion of a graph to float16: weights and arithmetic of its network, but not its inputs, outputs and edges.

The converters of onnxconverter-common and onnxruntime do not fit: they clip weights that overflow without a warning,
keep some operators in float32, and would convert the edges, which must stay exact.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.engines.graph_format import EDGE
from vidsr.errors import CannotHalve

LARGEST = float(np.finfo(np.float16).max)
ALWAYS_F32 = {"Resize": (1, 2), "Upsample": (1,)}  # inputs that ONNX defines as float32: roi and scales
SHAPE_OPERATORS = ("Shape", "Size", "ConstantOfShape")  # what is computed from these alone is a size, not a picture
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger")


def halved(graph: bytes) -> bytes:
    """Convert a graph so that its network stores weights and computes in float16.

    graph: ONNX bytes in float32, with or without edges.
    Raises CannotHalve if a weight overflows float16, or if the network has subgraphs or is quantised.
    """
    model = onnx.shape_inference.infer_shapes(onnx.ModelProto.FromString(graph))
    _Conversion(model).run()
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


class _Conversion:
    """The conversion of one graph, in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        _store_constants(self._graph)
        known = (*self._graph.value_info, *self._graph.input, *self._graph.output)
        self._floats = {each.name for each in known if each.type.tensor_type.elem_type == TensorProto.FLOAT}
        self._stored = {each.name: each for each in self._graph.initializer if each.data_type == TensorProto.FLOAT}
        self._halves: dict[str, str] = {}
        self._nodes: list[NodeProto] = []

    def run(self) -> None:
        """Convert the network's operators in order, and drop the tensors that are no longer used."""
        graph = self._graph
        nodes = list(graph.node)
        inside = _is_in_network(nodes, stored={tensor.name for tensor in graph.initializer})
        made = {name for node, converted in zip(nodes, inside, strict=True) if converted for name in node.output}
        for node, converted in zip(nodes, inside, strict=True):
            if converted:
                self._convert(node, made)
            self._nodes.append(node)
        for port in graph.output:
            if port.name in made and port.name in self._floats:
                self._restore_output(port.name)
        used = {name for node in self._nodes for name in node.input}
        stored = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(stored)

    def _convert(self, node: NodeProto, made: set[str]) -> None:
        """Give an operator float16 inputs. made: the values that the network computes, in float16 already."""
        for index, name in enumerate(node.input):
            if index in ALWAYS_F32.get(node.op_type, ()) or name in made:
                continue
            if name in self._stored or (name in self._floats and node.op_type != "Cast"):
                node.input[index] = self._half(name)
        for entry in node.attribute:
            if node.op_type == "Cast" and entry.name == "to" and entry.i == TensorProto.FLOAT:
                entry.i = TensorProto.FLOAT16

    def _half(self, name: str) -> str:
        """Return the name of the float16 version of a weight, or of a value from outside the network."""
        if name not in self._halves:
            self._halves[name] = f"{name}.f16"
            if name in self._stored:
                array = _to_float16(numpy_helper.to_array(self._stored[name]), name)
                self._graph.initializer.append(numpy_helper.from_array(array, self._halves[name]))
            else:
                self._nodes.append(helper.make_node("Cast", [name], [self._halves[name]], to=TensorProto.FLOAT16))
        return self._halves[name]

    def _restore_output(self, name: str) -> None:
        """Cast an output of the graph back to float32."""
        half = f"{name}.f16"
        for node in self._nodes:
            for names in (node.input, node.output):
                for index, each in enumerate(names):
                    if each == name:
                        names[index] = half
        self._nodes.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))


def _is_in_network(nodes: list[NodeProto], *, stored: set[str]) -> list[bool]:
    """Return for each operator whether it belongs to the network and does not compute a size."""
    sizes: set[str] = set()
    inside = []
    for node in nodes:
        if any(entry.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for entry in node.attribute):
            raise CannotHalve(f"the network has branches ({node.op_type}), not supported in f16; use --precision f32")
        if node.op_type in QUANTISED:
            raise CannotHalve("the network is quantised to integers, not supported in f16; use --precision f32")
        inputs = {name for name in node.input if name and name not in stored}
        if node.op_type in SHAPE_OPERATORS or (inputs and inputs <= sizes):
            sizes.update(node.output)
        inside.append(not node.name.startswith(EDGE) and sizes.isdisjoint(node.output))
    return inside


def _store_constants(graph: onnx.GraphProto) -> None:
    """Turn Constant operators into stored tensors."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        (entry,) = node.attribute
        if entry.name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
            continue
        value = helper.get_attribute_value(entry)
        if entry.name == "value":
            array = numpy_helper.to_array(value)
        else:
            array = np.asarray(value, np.float32 if "float" in entry.name else np.int64)
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        graph.node.remove(node)


def _to_float16(array: NDArray[Any], name: str) -> NDArray[np.float16]:
    largest = float(np.abs(array).max(initial=0))
    if not largest <= LARGEST:
        raise CannotHalve(f"the network's {name} reaches {largest:.3g}, more than float16 holds; use --precision f32")
    return array.astype(np.float16)
