"""A graph in float16: weights and arithmetic of its network. Its inputs, outputs and edges keep their types.

Our own page, because the converters there are keep too much or too little: they clip weights that overflow without a
word, leave whole operators in float32, or would turn the edges, which must stay exact, as well.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.errors import CannotHalve

EDGE = "edge."
"""Begins the names of operators that are no part of a network, but of its edges: these stay as exact as they are."""

LARGEST = float(np.finfo(np.float16).max)
ALWAYS_F32 = {"Resize": (1, 2), "Upsample": (1,)}  # inputs that are no pictures: roi and scales
SIZES = ("Shape", "Size", "ConstantOfShape")  # what is computed from these alone is no picture either
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger")


def halved(graph: bytes) -> bytes:
    """Give a graph whose network computes in float16, and whose every weight is one.

    graph: ONNX bytes, with or without edges, in float32. Raises CannotHalve where float16 cannot hold the weights, or
    the network has branches or is quantised.
    """
    model = onnx.shape_inference.infer_shapes(onnx.ModelProto.FromString(graph))
    _Halving(model).halve()
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


class _Halving:
    """One graph on its way to float16."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        _store_constants(self._graph)
        known = (*self._graph.value_info, *self._graph.input, *self._graph.output)
        self._floats = {each.name for each in known if each.type.tensor_type.elem_type == TensorProto.FLOAT}
        self._stored = {each.name: each for each in self._graph.initializer if each.data_type == TensorProto.FLOAT}
        self._halves: dict[str, str] = {}
        self._nodes: list[NodeProto] = []

    def halve(self) -> None:
        """Turn the network's operators, one after the other."""
        graph = self._graph
        nodes = list(graph.node)
        inside = _network(nodes, stored={tensor.name for tensor in graph.initializer})
        made = {name for node, turned in zip(nodes, inside, strict=True) if turned for name in node.output}
        for node, turned in zip(nodes, inside, strict=True):
            if turned:
                self._turn(node, made)
            self._nodes.append(node)
        for port in graph.output:
            if port.name in made and port.name in self._floats:
                self._give_back(port.name)
        used = {name for node in self._nodes for name in node.input}
        stored = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(stored)

    def _turn(self, node: NodeProto, made: set[str]) -> None:
        """Feed an operator with float16."""
        for place, name in enumerate(node.input):
            if place in ALWAYS_F32.get(node.op_type, ()) or name in made:
                continue
            if name in self._stored or (name in self._floats and node.op_type != "Cast"):
                node.input[place] = self._half(name)
        for entry in node.attribute:
            if node.op_type == "Cast" and entry.name == "to" and entry.i == TensorProto.FLOAT:
                entry.i = TensorProto.FLOAT16

    def _half(self, name: str) -> str:
        """The float16 of a weight, or of what comes from outside the network."""
        if name not in self._halves:
            self._halves[name] = f"{name}.f16"
            if name in self._stored:
                array = _held(numpy_helper.to_array(self._stored[name]), name)
                self._graph.initializer.append(numpy_helper.from_array(array, self._halves[name]))
            else:
                self._nodes.append(helper.make_node("Cast", [name], [self._halves[name]], to=TensorProto.FLOAT16))
        return self._halves[name]

    def _give_back(self, name: str) -> None:
        """An output of the graph stays what it was."""
        half = f"{name}.f16"
        for node in self._nodes:
            for names in (node.input, node.output):
                for place, each in enumerate(names):
                    if each == name:
                        names[place] = half
        self._nodes.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))


def _network(nodes: list[NodeProto], *, stored: set[str]) -> list[bool]:
    """Which operators work on pictures between the edges, and do not compute sizes."""
    sizes: set[str] = set()
    inside = []
    for node in nodes:
        if any(entry.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for entry in node.attribute):
            raise CannotHalve(f"the network has branches ({node.op_type}); use --precision f32")
        if node.op_type in QUANTISED:
            raise CannotHalve("the network is quantised to whole numbers already; use --precision f32")
        given = {name for name in node.input if name and name not in stored}
        if node.op_type in SIZES or (given and given <= sizes):
            sizes.update(node.output)
        inside.append(not node.name.startswith(EDGE) and sizes.isdisjoint(node.output))
    return inside


def _store_constants(graph: onnx.GraphProto) -> None:
    """Constants that are operators become stored tensors, as most are."""
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


def _held(array: NDArray[Any], name: str) -> NDArray[np.float16]:
    """The array in float16, where it fits."""
    largest = float(np.abs(array).max(initial=0))
    if not largest <= LARGEST:
        raise CannotHalve(f"the network's {name} reaches {largest:.3g}, more than float16 holds; use --precision f32")
    return array.astype(np.float16)
