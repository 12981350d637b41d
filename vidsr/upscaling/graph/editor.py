"""Adding operators before and after a network in an ONNX graph."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.card import QP_NAME
from vidsr.engines.graph_format import EDGE, FINITE, of_opset
from vidsr.errors import NotAModel

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def repeats(node: NodeProto, picture: str) -> bool:
    """Whether a node puts one picture many times into channels."""
    return node.op_type == "Concat" and set(node.input) == {picture} and attribute(node, "axis", 0) == 1


@dataclass(frozen=True, slots=True)
class Tail:
    """The convolution that ends an RGB network, before its pixel shuffle."""

    features: str
    """What it is given."""
    kernel: NDArray[Any]
    """(3 * scale², channels, height, width); of every colour the lines and columns of a pixel's enlargement."""
    bias: NDArray[Any]
    pads: tuple[int, ...]
    """Lines above, columns to the left, below, to the right."""
    repeats: bool
    """Whether the repeated picture is added."""

    @property
    def scale(self) -> int:
        """Of the network."""
        return int((len(self.bias) // 3) ** 0.5)


class Surgery:
    """A copy of a model, cut open at its input and its output."""

    def __init__(self, model: onnx.ModelProto, *, watched: bool = False) -> None:
        """watched: whether FINITE is an output."""
        self._model = onnx.ModelProto()
        self._model.CopyFrom(of_opset(model))
        graph = self._model.graph
        picture, self._output = image_ports(self._model)
        self._input = picture.name, picture.type.tensor_type.elem_type
        self._body = list(graph.node)
        self._before: list[NodeProto] = []
        self._after: list[NodeProto] = []
        self._fed, self._watched = False, watched
        self._filled: dict[int, int] = {}  # by axis, how much a picture is filled up
        self._enlarged = 1  # how many samples the network gives for a pixel on a side
        self._quantised = any(node.op_type == "DequantizeLinear" for node in self._body)
        del graph.input[:], graph.output[:], graph.value_info[:], graph.node[:]
        for tensor in graph.initializer:
            if tensor.name == QP_NAME:
                graph.input.append(helper.make_tensor_value_info(QP_NAME, TensorProto.FLOAT, list(tensor.dims)))
                graph.initializer.remove(tensor)
                break

    def plane_in(self, name: str, height: int, width: int, bits: int) -> str:
        """Add an input of integer codes; gives them as float."""
        return self.codes_in(name, [1, 1, height, width], bits)

    def codes_in(self, name: str, shape: list[int], bits: int) -> str:
        """Add an input of integer codes of any shape; gives them as float."""
        self._model.graph.input.append(helper.make_tensor_value_info(name, _codes(bits), shape))
        value = self.add("Cast", name, to=TensorProto.FLOAT)
        # OpenVINO takes what casts and scales before a quantised network for a part of that, for which it has no kernel
        # of 16 bits. The absolute value of codes, which changes nothing, stands between.
        return self.add("Abs", value) if self._quantised else value

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """Add a constant."""
        name = f"{EDGE}{len(self._model.graph.initializer)}"
        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add an operator, before the network until it is fed, then after it; gives the name of its output."""
        nodes = self._after if self._fed else self._before
        name = f"{EDGE}{operator}.{'after' if self._fed else 'before'}.{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [out or name], name, **attributes))
        return out or name

    def fill(self, height: int, width: int, *, step: int, scale: int) -> bool:
        """Fill pictures up to sides that are multiples of `step`, repeating their last pixels, and cut what is too much
        off what the network gives; False where nothing is to be filled.
        """
        self._filled = {axis: -side % step for axis, side in ((2, height), (3, width)) if side % step}
        self._enlarged = scale
        return bool(self._filled)

    def feed(self, picture: str) -> None:
        """Give the network its float picture."""
        name, kind = self._input
        if kind not in FLOATS:
            found = TensorProto.DataType.Name(kind).lower()
            raise NotAModel(f"the network takes {found}; vidsr runs networks that take float pictures in [0, 1]")
        if self._filled:
            pads = self.constant([0] * 6 + [self._filled.get(axis, 0) for axis in (2, 3)], np.int64)
            picture = self.add("Pad", picture, pads, mode="edge")
        self._before.append(helper.make_node("Cast", [picture], [name], to=kind))
        self._fed = True

    def picture(self) -> str:
        """The network's own float picture."""
        picture = self.as_float(self._output)
        for axis, rest in self._filled.items():
            picture = self.part(picture, axis, 0, -rest * self._enlarged)
        if self._watched:
            self.add("ReduceMean", picture, out=FINITE, keepdims=0)
            self._model.graph.output.append(helper.make_tensor_value_info(FINITE, TensorProto.FLOAT, []))
        return picture

    def as_float(self, value: str) -> str:
        """A value of the network, whatever float it computes in."""
        return self.add("Cast", value, to=TensorProto.FLOAT)

    def take_shuffle(self) -> bool:
        """Take off the pixel shuffle that ends the network, where one does: `picture` is then what it was given.

        Where pictures are filled up, only one that gives whole pixels of the input.
        """
        last = next((node for node in self._body if self._output in node.output), None)
        if last is None or last.op_type != "DepthToSpace":
            return False
        if self._filled and attribute(last, "blocksize", 0) != self._enlarged:
            return False
        self._body.remove(last)
        self._enlarged = 1
        self._output = last.input[0]
        return True

    def take_repeats(self) -> int:
        """Take off the repeated picture of one channel that ends the network, and say how often it is there; 0 where
        it ends otherwise. `picture` is then what it was added to.
        """
        made = {out: node for node in self._body for out in node.output}
        total = made.get(self._output)
        if total is None or total.op_type != "Add" or self._input[1] != TensorProto.FLOAT:
            return 0
        ours = [each for each in total.input if each in made and repeats(made[each], self._input[0])]
        if len(ours) != 1:
            return 0
        (self._output,) = set(total.input) - set(ours)
        self._body.remove(total)
        if not any(ours[0] in node.input for node in self._body):
            self._body.remove(made[ours[0]])
        return len(made[ours[0]].input)

    def samples(self, value: str) -> str:
        """(1, c, h, w) -> (h, w, c), which is how engines lay it out: nothing is moved."""
        # With four axes OpenVINO would take the transposition for a layout, and move all back at the end.
        return self.add("Squeeze", self.add("Transpose", value, perm=[0, 2, 3, 1]), self.constant([0], np.int64))

    def scale_first(self, factor: float) -> bool:
        """Multiply the picture by a factor inside the convolutions that see it; False where something else does."""
        stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
        picture, seeing = {self._input[0]}, []
        for node in self._body:
            if picture.intersection(node.input[:1]) and node.op_type in ("Transpose", "Reshape"):
                picture.update(node.output)
            elif picture.intersection(node.input):
                seeing.append(node)
        weights = [node.input[1] for node in seeing if node.op_type == "Conv" and node.input[1] in stored]
        used = [name for node in self._body for name in node.input]
        if len(weights) < len(seeing) or any(used.count(name) > 1 for name in weights):
            return False
        for name in weights:
            scaled = numpy_helper.to_array(stored[name]) * np.float32(factor)
            stored[name].CopyFrom(numpy_helper.from_array(scaled, name))
        return True

    def tail(self) -> Tail | None:
        """Find the convolution that ends an RGB network before a pixel shuffle; None where it ends otherwise."""
        return tail_of(self._body, self._model.graph.initializer, self._input[0], self._output)

    def part(self, value: str, axis: int, start: int, end: int | None) -> str:
        """value[start:end] on one axis."""
        ends = np.iinfo(np.int32).max if end is None else end
        starts, stops, axes = (self.constant([each], np.int64) for each in (start, ends, axis))
        return self.add("Slice", value, starts, stops, axes)

    def plane_out(self, name: str, codes: str, bits: int) -> None:
        """Clamp codes to what the depth holds, round them, and make them an output."""
        self.add("Cast", self._rounded(codes, bits), out=name, to=_codes(bits))
        self._model.graph.output.append(helper.make_tensor_value_info(name, _codes(bits), None))

    def samples_out(self, name: str, whole: str, bits: int) -> None:
        """Make whole codes (h, w, c) an output (1, h, w, c)."""
        self.add("Unsqueeze", whole, self.constant([0], np.int64), out=name)
        self._model.graph.output.append(helper.make_tensor_value_info(name, _codes(bits), None))

    def whole(self, codes: str, bits: int) -> str:
        """Clamp codes to what the depth holds and round them."""
        return self.add("Cast", self._rounded(codes, bits), to=_codes(bits))

    def codes_out(self, name: str, codes: str, bits: int, *, shift: int = 0) -> None:
        """The same for codes of any shape, held `shift` bits higher."""
        whole = self._rounded(codes, bits)
        held = self.add("Mul", whole, self.constant(1 << shift)) if shift else whole
        self.add("Cast", held, out=name, to=_codes(bits))
        self._model.graph.output.append(helper.make_tensor_value_info(name, _codes(bits), None))

    def _rounded(self, codes: str, bits: int) -> str:
        clamped = self.add("Clip", codes, self.constant(0), self.constant((1 << bits) - 1))
        return self.add("Round", clamped)

    def note(self, key: str, value: str) -> None:
        """Write something down in the metadata."""
        self._model.metadata_props.add(key=key, value=value)

    def done(self) -> bytes:
        """Sew up, without what nothing depends on any more."""
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
    """The picture a network takes, and the name of the one it gives. Raises NotAModel where there are more."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [port for port in model.graph.input if port.name not in stored]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        found = f"{len(inputs)} inputs and {len(model.graph.output)} outputs"
        raise NotAModel(f"the network has {found}; vidsr runs networks with one picture in and one out")
    return inputs[0], model.graph.output[0].name


def tail_of(body: Sequence[NodeProto], weights: Iterable[TensorProto], picture: str, output: str) -> Tail | None:
    """Find the convolution that ends an RGB network before a pixel shuffle; None where it ends otherwise.

    picture, output: what the network takes and gives.
    """
    made = {out: node for node in body for out in node.output}
    stored = {tensor.name: tensor for tensor in weights}
    last = made.get(output)
    while last is not None and last.op_type == "Identity":
        last = made.get(last.input[0])
    if last is None or last.op_type != "DepthToSpace" or attribute(last, "mode", b"DCR") != b"CRD":
        return None
    end, anchored = made.get(last.input[0]), False
    if end is not None and end.op_type == "Add":
        rest = [each for each in end.input if not _repeats_colours(each, made, picture)]
        end, anchored = made.get(rest[0]), len(rest) == 1
        if not anchored:
            return None
    if end is None or end.op_type != "Conv" or not all(each in stored for each in end.input[1:]):
        return None
    kernel, *bias = (numpy_helper.to_array(stored[each]) for each in end.input[1:])
    plain = all(set(attribute(end, name, [1])) == {1} for name in ("strides", "dilations"))
    pads = tuple(attribute(end, "pads", [0] * 4))
    same = pads == tuple(side // 2 for side in 2 * kernel.shape[2:]) and kernel.shape[3] % 2 == 1
    square = len(kernel) == 3 * attribute(last, "blocksize", 0) ** 2
    if not (plain and same and square and kernel.dtype == np.float32) or attribute(end, "group", 1) != 1:
        return None
    return Tail(end.input[0], kernel, bias[0] if bias else np.zeros(len(kernel), np.float32), pads, anchored)


def _repeats_colours(value: str, made: dict[str, NodeProto], picture: str) -> bool:
    """Whether a value is the picture of three channels, each of them many times in turn."""
    joined = made.get(value)
    if joined is None or joined.op_type != "Concat" or attribute(joined, "axis", 0) != 1 or len(joined.input) % 3:
        return False
    times = len(joined.input) // 3
    split = made.get(joined.input[0])
    if split is None or split.op_type != "Split" or split.input[0] != picture or len(split.output) != 3:
        return False
    return attribute(split, "axis", 0) == 1 and list(joined.input) == [
        each for each in split.output for _ in range(times)
    ]


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """An operator's attribute."""
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)
