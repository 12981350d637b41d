"""Attach edges to a luma network for tiles: it takes a tile with what lies around it, and returns the tile alone.

Convolutions in a network pad their input, so that each keeps its size, and a tile computes as much around itself as its
receptive field is wide, in every layer. Without padding each layer returns less than the one before: a third of the
arithmetic is saved for tiles of 32x32. Beyond the edges of the frame a mask puts the zeros that padding would have put
there, so that the result is the whole frame's.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from vidsr.engines.graph_format import EDGE, PLANES_IN, UNSHUFFLED
from vidsr.upscaling.graph.edges import luma_top
from vidsr.upscaling.graph.editor import GraphEditor, attribute
from vidsr.upscaling.graph.frame_format import FrameFormat

INSIDE = "in.inside"
"""Input: (count, 1, height, width) uint8, 1 for pixels of the frame, 0 beyond its edges, where the plane is 0 too."""

POINTWISE = {"Relu", "LeakyRelu", "PRelu", "Clip", "Cast", "Identity", "QuantizeLinear", "DequantizeLinear", "Mul"}
QUANTISE = {"QuantizeLinear", "DequantizeLinear"}


@dataclass(frozen=True, slots=True)
class Layer:
    """What is known of a value between two operators, in its own positions, of which one may be several pixels wide."""

    rows: int = 0
    """Missing at the top, and as many at the bottom."""
    columns: int = 0
    """Missing at the left, and as many at the right."""
    channels: int = 1
    wide: int = 1
    """Input pixels in a position."""
    given: bool = True
    """Whether it holds pixels of the input only, in any order."""


class TileEditor(GraphEditor):
    """A copy of a luma network whose convolutions need not pad."""

    def take_padding(self) -> tuple[int, int] | None:
        """Remove the padding of all convolutions; return how many (rows, columns) of input pixels each side loses.

        None if that cannot be said of an operator: the graph is then of no use. Call it before `feed`.
        """
        layers, body = {self._input[0]: Layer()}, list(self._body)
        self._body.clear()
        self._made = {out: node for node in body for out in node.output}
        self._masks = dict[tuple[int, int, int], str]()
        for node in body:
            if not any(name in layers for name in node.input):
                self._body.append(node)  # of the QP
                continue
            layer = self._without_padding(node, layers)
            if layer is None:
                return None
            layers[node.output[0]] = layer
        last = layers.get(self._output)
        return None if last is None or last.wide != 1 else (last.rows, last.columns)

    def mask(self, count: int, height: int, width: int) -> None:
        """Add the input INSIDE, of which every layer takes its part."""
        inside = self.codes_in(INSIDE, [count, 1, height, width], 8) if self._masks else ""
        for (rows, columns, wide), name in self._masks.items():
            value = self.part(inside, 2, rows, height - rows)
            starts, ends, axes, steps = (
                self.constant([each], np.int64) for each in (columns * wide, width - columns * wide, 3, wide)
            )
            self.add("Slice", value, starts, ends, axes, steps, out=name)

    def _without_padding(self, node: NodeProto, layers: dict[str, Layer]) -> Layer | None:
        before = [layers[name] for name in node.input if name in layers]
        layer, kind = before[0], node.op_type
        if kind == "Conv":
            return self._convolution(node, layers)
        if kind in ("Add", "Sub") and len(before) == 2:
            return self._sum(node, layers)
        self._body.append(node)
        if len(before) > 1:
            return None
        if kind in POINTWISE or kind == "Add":
            return layer if kind in QUANTISE else replace(layer, given=False)
        if kind == "Transpose" and list(attribute(node, "perm", [])) in ([0, 2, 3, 1], [0, 3, 1, 2]):
            return layer
        shape = self._stored(node.input[1]) if kind == "Reshape" else None
        if shape is None or shape.shape != (4,) or list(shape[:3]) != [0, 0, -1]:
            return None
        return _regrouped(layer, int(shape[3]))

    def _convolution(self, node: NodeProto, layers: dict[str, Layer]) -> Layer | None:
        layer, pads, weights = layers[node.input[0]], attribute(node, "pads", [0] * 4), self._stored(node.input[1])
        ones = [1, 1]
        plain = attribute(node, "strides", ones) == ones and attribute(node, "dilations", ones) == ones
        if weights is None or list(pads) != [side // 2 for side in weights.shape[2:]] * 2 or not plain:
            return None
        bare = NodeProto()
        bare.CopyFrom(node)
        kept = [each for each in node.attribute if each.name not in ("pads", "auto_pad")]
        del bare.attribute[:]
        bare.attribute.extend(kept)
        if any(pads) and not layer.given:
            self._mask(node.input[0], layer)
        self._body.append(bare)
        return replace(
            layer, rows=layer.rows + pads[0], columns=layer.columns + pads[1], channels=len(weights), given=False
        )

    def _sum(self, node: NodeProto, layers: dict[str, Layer]) -> Layer | None:
        """Crop the larger operand, which took a way around convolutions."""
        pair = [layers[name] for name in node.input]
        last = max(pair, key=lambda layer: layer.rows)
        if len({layer.wide for layer in pair}) > 1 or any(layer.columns > last.columns for layer in pair):
            return None
        total = NodeProto()
        total.CopyFrom(node)
        for index, layer in enumerate(pair):
            less = last.rows - layer.rows, last.columns - layer.columns
            if any(less):
                name = f"{node.input[index]}.cropped.{less[0]}"
                ends = [-each or np.iinfo(np.int32).max for each in less]
                ranges = [self.constant(each, np.int64) for each in (less, ends, [2, 3])]
                self._body.append(helper.make_node("Slice", [node.input[index], *ranges], [name]))
                total.input[index] = name
        self._body.append(total)
        return replace(last, given=False)

    def _mask(self, name: str, layer: Layer) -> None:
        """Put zeros where the frame does not reach, before a convolution and what quantises for it."""
        index = next(index for index, node in enumerate(self._body) if name in node.output)
        node = self._body[index]
        if node.op_type in QUANTISE:
            self._mask(node.input[0], layer)
        elif not node.name.startswith(EDGE):
            key = layer.rows, layer.columns, layer.wide
            mask = self._masks.setdefault(key, f"{EDGE}inside.{len(self._masks)}")
            made = f"{name}.made"
            node.output[list(node.output).index(name)] = made
            self._body.insert(index + 1, helper.make_node("Mul", [made, mask], [name], name=f"{EDGE}mask.{index}"))

    def _stored(self, name: str) -> Any:
        """Return a stored tensor, through the operators that unpack it; None if it is computed."""
        found = next((each for each in self._model.graph.initializer if each.name == name), None)
        if found is not None:
            return numpy_helper.to_array(found)
        node = self._made.get(name)
        if node is None or node.op_type not in ("Constant", "DequantizeLinear"):
            return None
        return numpy_helper.to_array(node.attribute[0].t) if node.op_type == "Constant" else self._stored(node.input[0])


@dataclass(frozen=True, slots=True)
class TileGraph:
    """A network for tiles of one size."""

    graph: bytes
    """Inputs: PLANES_IN[0] (count, 1, h, w), INSIDE and the QP if the network takes it.

    Output: UNSHUFFLED (1, count * h, w, scale²), one tile below the other.
    """
    rows: int
    """Input pixels around the tile, above and below, that the inputs hold too."""
    columns: int
    """The same at the left and at the right."""


def attach_to_tile(model: onnx.ModelProto, wanted: FrameFormat, *, count: int = 1) -> TileGraph | None:
    """Return the network for tiles of a format, whose size is without what lies around it; see `edges.attach`.

    count: of tiles that are computed at once.
    None for a network that it cannot be done for, such as one that does not end in a pixel shuffle.
    """
    editor, bits = TileEditor(model), wanted.bits
    if not editor.take_shuffle():
        return None
    repeated = editor.take_repeats()
    lost = editor.take_padding()
    if lost is None:
        return None
    rows, columns = lost
    height, width = wanted.height + 2 * rows, wanted.width + 2 * columns
    top = luma_top(bits, wanted.color.full_range)
    codes = editor.codes_in(PLANES_IN[0], [count, 1, height, width], bits)
    editor.mask(count, height, width)
    # As in `edges`, so that no number differs.
    scaled = repeated and bits == 8 and editor.scale_first(256 / top)
    small = editor.add("Mul", codes, editor.constant(1 / 256 if scaled else 1 / top))
    editor.feed(small)

    def samples(value: str) -> str:
        # As `GraphEditor.samples`, one tile below the other.
        last = editor.add("Transpose", value, perm=[0, 2, 3, 1])
        return editor.add("Reshape", last, editor.constant([count * wanted.height, wanted.width, -1], np.int64))

    large = samples(editor.image())

    def inner(value: str) -> str:
        kept = editor.part(value, 2, rows, height - rows)
        return samples(editor.part(kept, 3, columns, width - columns))

    if repeated and not scaled:
        large = editor.add("Add", large, inner(small))
    large = editor.add("Mul", large, editor.constant(top))
    if scaled:
        large = editor.add("Add", large, inner(codes))
    editor.samples_out(UNSHUFFLED, editor.rounded(large, bits), bits)
    return TileGraph(editor.finish(), rows, columns)


def _regrouped(layer: Layer, channels: int) -> Layer | None:
    """Return what becomes of a layer whose neighbours in a row become channels, or the other way round."""
    wide, remainder = divmod(layer.wide * channels, layer.channels)
    columns, rest = divmod(layer.columns * layer.channels, channels)
    if remainder or rest or not wide:
        return None
    return replace(layer, columns=columns, channels=channels, wide=wide)
