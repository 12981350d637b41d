"""Adding operators before and after a network in an ONNX graph."""

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper, version_converter

from vidsr.card import QUANTISER
from vidsr.errors import NotAModel

PLANES_IN = ("in.y", "in.u", "in.v")  # (1, 1, height, width), uint8 at 8 bits, else uint16
PLANES_OUT = ("out.y", "out.u", "out.v")  # the same, enlarged
UNSHUFFLED = "out.unshuffled"
"""In place of out.y: (1, height, width, scale²), every pixel's enlargement line by line."""

OPSET = 13  # the operators added here are written for this or later
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


class Surgery:
    """A copy of a model, cut open at its input and its output."""

    def __init__(self, model: onnx.ModelProto) -> None:
        opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
        if opset < OPSET:
            model = version_converter.convert_version(model, OPSET)
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        graph = self._model.graph
        stored = {tensor.name for tensor in graph.initializer}
        inputs = [port for port in graph.input if port.name not in stored]
        if len(inputs) != 1 or len(graph.output) != 1:
            found = f"{len(inputs)} inputs and {len(graph.output)} outputs"
            raise NotAModel(
                f"{graph.name or 'the network'} has {found}; vidsr runs networks with one picture in and out"
            )
        self._input, self._output = inputs[0], graph.output[0].name
        self._body = list(graph.node)
        self._before: list[NodeProto] = []
        self._after: list[NodeProto] = []
        self._fed = False
        del graph.input[:], graph.output[:], graph.value_info[:], graph.node[:]
        for tensor in graph.initializer:
            if tensor.name == QUANTISER:
                graph.input.append(helper.make_tensor_value_info(QUANTISER, TensorProto.FLOAT, list(tensor.dims)))
                graph.initializer.remove(tensor)
                break

    def plane_in(self, name: str, height: int, width: int, bits: int) -> str:
        """Add an input of integer codes; gives them as float."""
        self._model.graph.input.append(helper.make_tensor_value_info(name, _codes(bits), [1, 1, height, width]))
        return self.add("Cast", name, to=TensorProto.FLOAT)

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """Add a constant."""
        name = f"edge.{len(self._model.graph.initializer)}"
        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator, before the network until it is fed, then after it; gives the name of its output."""
        nodes = self._after if self._fed else self._before
        name = f"edge.{operator}.{'after' if self._fed else 'before'}.{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def feed(self, picture: str) -> None:
        """Give the network its float picture."""
        kind = self._input.type.tensor_type.elem_type
        if kind not in FLOATS:
            name = TensorProto.DataType.Name(kind).lower()
            raise NotAModel(f"{self._input.name} takes {name}; vidsr runs networks that take float pictures in [0, 1]")
        self._before.append(helper.make_node("Cast", [picture], [self._input.name], to=kind))
        self._fed = True

    def picture(self) -> str:
        """The network's own float picture."""
        return self.add("Cast", self._output, to=TensorProto.FLOAT)

    def take_shuffle(self) -> bool:
        """Take off the pixel shuffle that ends the network, where one does: `picture` is then what it was given."""
        last = next((node for node in self._body if self._output in node.output), None)
        if last is None or last.op_type != "DepthToSpace":
            return False
        self._body.remove(last)
        self._output = last.input[0]
        return True

    def plane_out(self, name: str, codes: str, bits: int, *, lines_last: bool = False) -> None:
        """Clamp codes to what the depth holds, round them, and make them an output."""
        clamped = self.add("Clip", codes, self.constant(0), self.constant((1 << bits) - 1))
        whole = self.add("Cast", self.add("Round", clamped), to=_codes(bits))
        if lines_last:
            whole = self.add("Transpose", whole, perm=[0, 2, 3, 1])
        self._after.append(helper.make_node("Identity", [whole], [name]))
        self._model.graph.output.append(helper.make_tensor_value_info(name, _codes(bits), None))

    def done(self) -> bytes:
        """Sew up."""
        self._model.graph.node.extend([*self._before, *self._body, *self._after])
        return bytes(self._model.SerializeToString())


def _codes(bits: int) -> int:
    return int(TensorProto.UINT8 if bits == 8 else TensorProto.UINT16)
