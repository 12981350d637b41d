"""Edit ONNX graphs: add operators before and after a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.card import QP_NAME
from vidsr.engines.graph_format import EDGE, FINITE, of_opset
from vidsr.errors import NotAModel

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def repeats(node: NodeProto, value: str) -> bool:
    """Return whether a node repeats one value in its output channels."""
    return node.op_type == "Concat" and set(node.input) == {value} and attribute(node, "axis", 0) == 1


class GraphEditor:
    """A copy of a model, open at its input and its output."""

    def __init__(self, model: onnx.ModelProto, *, guarded: bool = False) -> None:
        """guarded: add the output FINITE."""
        self._model = onnx.ModelProto()
        self._model.CopyFrom(of_opset(model))
        graph = self._model.graph
        port, self._output = image_ports(self._model)
        self._input = port.name, port.type.tensor_type.elem_type
        self._body = list(graph.node)
        self._before: list[NodeProto] = []
        self._after: list[NodeProto] = []
        self._fed, self._guarded = False, guarded
        self._padding: dict[int, int] = {}  # input pixels, by axis
        self._scale = 1  # samples that the network returns for a pixel, on a side
        self._quantised = any(node.op_type == "DequantizeLinear" for node in self._body)
        del graph.input[:], graph.output[:], graph.value_info[:], graph.node[:]
        for tensor in graph.initializer:
            if tensor.name == QP_NAME:
                graph.input.append(helper.make_tensor_value_info(QP_NAME, TensorProto.FLOAT, list(tensor.dims)))
                graph.initializer.remove(tensor)
                break

    def plane_in(self, name: str, height: int, width: int, bits: int) -> str:
        """Add an input of integer codes; return them as float."""
        return self.codes_in(name, [1, 1, height, width], bits)

    def codes_in(self, name: str, shape: list[int], bits: int) -> str:
        """Add an input of integer codes of any shape; return them as float."""
        self._model.graph.input.append(helper.make_tensor_value_info(name, _codes(bits), shape))
        value = self.add("Cast", name, to=TensorProto.FLOAT)
        # OpenVINO would take casting and scaling before a quantised network for a part of it, for which it has no
        # kernel of 16 bits. The absolute value, which changes no code, keeps them apart.
        return self.add("Abs", value) if self._quantised else value

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """Add a constant."""
        name = f"{EDGE}{len(self._model.graph.initializer)}"
        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add an operator, before the network until it is fed, then after it; return the name of its output."""
        nodes = self._after if self._fed else self._before
        name = f"{EDGE}{operator}.{'after' if self._fed else 'before'}.{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [out or name], name, **attributes))
        return out or name

    def pad(self, height: int, width: int, *, step: int | tuple[int, int], scale: int) -> None:
        """Pad images to multiples of `step`, repeating their last pixels, and crop the result of the network.

        step: of both sides, or of height and width.
        """
        rows, columns = (step, step) if isinstance(step, int) else step
        sides = (2, height, rows), (3, width, columns)
        self._padding = {axis: -side % multiple for axis, side, multiple in sides if side % multiple}
        self._scale = scale

    def feed(self, image: str) -> None:
        """Connect a float image to the input of the network. Raises NotAModel if it takes no float."""
        name, kind = self._input
        if kind not in FLOATS:
            found = TensorProto.DataType.Name(kind).lower()
            raise NotAModel(f"the network takes {found}; vidsr runs networks that take float images in [0, 1]")
        if self._padding:
            pads = self.constant([0] * 6 + [self._padding.get(axis, 0) for axis in (2, 3)], np.int64)
            image = self.add("Pad", image, pads, mode="edge")
        self._before.append(helper.make_node("Cast", [image], [name], to=kind))
        self._fed = True

    def image(self) -> str:
        """Return the result of the network, as float32."""
        image = self.add("Cast", self._output, to=TensorProto.FLOAT)
        for axis, pixels in self._padding.items():
            image = self.part(image, axis, 0, -pixels * self._scale)
        if self._guarded:
            self.add("ReduceMean", image, out=FINITE, keepdims=0)
            self._model.graph.output.append(helper.make_tensor_value_info(FINITE, TensorProto.FLOAT, []))
        return image

    def take_shuffle(self) -> bool:
        """Remove the pixel shuffle that ends the network: `image` is then its input. Return whether there was one.

        Where images are padded, only one that returns whole pixels of the input can go.
        """
        last = next((node for node in self._body if self._output in node.output), None)
        if last is None or last.op_type != "DepthToSpace":
            return False
        if self._padding and attribute(last, "blocksize", 0) != self._scale:
            return False
        self._body.remove(last)
        self._scale = 1
        self._output = last.input[0]
        return True

    def take_repeats(self) -> int:
        """Remove the final Add of the repeated input of a luma network; `image` is then its other operand.

        Return how often it is repeated; 0 for a network that ends otherwise.
        """
        made = {out: node for node in self._body for out in node.output}
        total = made.get(self._output)
        if total is None or total.op_type != "Add" or self._input[1] != TensorProto.FLOAT:
            return 0
        repeated = [each for each in total.input if each in made and repeats(made[each], self._input[0])]
        if len(repeated) != 1:
            return 0
        (self._output,) = set(total.input) - set(repeated)
        self._body.remove(total)
        if not any(repeated[0] in node.input for node in self._body):
            self._body.remove(made[repeated[0]])
        return len(made[repeated[0]].input)

    def samples(self, value: str) -> str:
        """(1, c, h, w) -> (h, w, c), the layout that engines use: nothing is moved."""
        # With four axes OpenVINO would take the transposition for a layout, and undo it at the end.
        return self.add("Squeeze", self.add("Transpose", value, perm=[0, 2, 3, 1]), self.constant([0], np.int64))

    def scale_first(self, factor: float) -> bool:
        """Multiply the input by a factor inside the convolutions that take it; return False if others take it too."""
        stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
        values, taking = {self._input[0]}, []
        for node in self._body:
            if values.intersection(node.input[:1]) and node.op_type in ("Transpose", "Reshape"):
                values.update(node.output)
            elif values.intersection(node.input):
                taking.append(node)
        weights = [node.input[1] for node in taking if node.op_type == "Conv" and node.input[1] in stored]
        used = [name for node in self._body for name in node.input]
        if len(weights) < len(taking) or any(used.count(name) > 1 for name in weights):
            return False
        for name in weights:
            scaled = numpy_helper.to_array(stored[name]) * np.float32(factor)
            stored[name].CopyFrom(numpy_helper.from_array(scaled, name))
        return True

    def part(self, value: str, axis: int, start: int, end: int | None) -> str:
        """Return value[start:end] on one axis."""
        ends = np.iinfo(np.int32).max if end is None else end
        starts, stops, axes = (self.constant([each], np.int64) for each in (start, ends, axis))
        return self.add("Slice", value, starts, stops, axes)

    def plane_out(self, name: str, codes: str, bits: int) -> None:
        """Clamp codes to the depth, round them, and make them an output."""
        self.codes_out(name, codes, bits)

    def samples_out(self, name: str, codes: str, bits: int) -> None:
        """Make rounded codes (h, w, c) an output (1, h, w, c)."""
        self.add("Unsqueeze", codes, self.constant([0], np.int64), out=name)
        self._model.graph.output.append(helper.make_tensor_value_info(name, _codes(bits), None))

    def rounded(self, codes: str, bits: int) -> str:
        """Clamp codes to the depth and round them to integers."""
        return self.add("Cast", self._rounded(codes, bits), to=_codes(bits))

    def codes_out(self, name: str, codes: str, bits: int, *, shift: int = 0) -> None:
        """Do the same for codes of any shape, `shift` bits higher."""
        whole = self._rounded(codes, bits)
        shifted = self.add("Mul", whole, self.constant(1 << shift)) if shift else whole
        self.add("Cast", shifted, out=name, to=_codes(bits))
        self._model.graph.output.append(helper.make_tensor_value_info(name, _codes(bits), None))

    def _rounded(self, codes: str, bits: int) -> str:
        clamped = self.add("Clip", codes, self.constant(0), self.constant((1 << bits) - 1))
        return self.add("Round", clamped)

    def note(self, key: str, value: str) -> None:
        """Add an entry to the metadata."""
        self._model.metadata_props.add(key=key, value=value)

    def finish(self) -> bytes:
        """Return the graph as ONNX bytes, without nodes that no output depends on."""
        wanted = {port.name for port in self._model.graph.output}
        nodes: list[NodeProto] = []
        for node in reversed([*self._before, *self._body, *self._after]):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                nodes.insert(0, node)
        self._model.graph.node.extend(nodes)
        return bytes(self._model.SerializeToString())


def _codes(bits: int) -> int:
    return int(TensorProto.UINT8 if bits == 8 else TensorProto.UINT16)


def image_ports(model: onnx.ModelProto) -> tuple[onnx.ValueInfoProto, str]:
    """Return the input of a network and the name of its output. Raises NotAModel if there are several."""
    port = input_port(model)
    if len(model.graph.output) != 1:
        raise NotAModel(f"the network has {len(model.graph.output)} outputs; vidsr runs networks with one image out")
    return port, model.graph.output[0].name


def input_port(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """Return the input of a network. Raises NotAModel if there are several."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs: list[onnx.ValueInfoProto] = [port for port in model.graph.input if port.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(port.name for port in inputs) or "none"
        raise NotAModel(f"the network has {len(inputs)} inputs ({names}); vidsr runs networks with one image in")
    return inputs[0]


def with_input_shape(model: onnx.ModelProto, shape: Sequence[int | None]) -> onnx.ModelProto:
    """Return a copy of a network for images of one shape; the shapes that follow from it are left to the runtime.

    None leaves a side as it is.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for dim, side in zip(input_port(fixed).type.tensor_type.shape.dim, shape, strict=True):
        if side is not None:
            dim.dim_value = side
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    return fixed


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """Return an attribute of an operator."""
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)
