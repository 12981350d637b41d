"""Adding operators before and after a network in an ONNX graph."""

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.card import QUANTISER
from vidsr.engines.fp16 import EDGE
from vidsr.engines.opset import of_opset
from vidsr.engines.ports import FINITE
from vidsr.errors import NotAModel
from vidsr.upscaling.graph.editor__endings import Tail, attribute, picture_ports, repeats, tail_of

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


class Surgery:
    """A copy of a model, cut open at its input and its output."""

    def __init__(self, model: onnx.ModelProto, *, watched: bool = False) -> None:
        """watched: whether FINITE is an output."""
        self._model = onnx.ModelProto()
        self._model.CopyFrom(of_opset(model))
        graph = self._model.graph
        picture, self._output = picture_ports(self._model)
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
            if tensor.name == QUANTISER:
                graph.input.append(helper.make_tensor_value_info(QUANTISER, TensorProto.FLOAT, list(tensor.dims)))
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
