"""A network's two ends: its ports, and what edges can take into its last operators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.errors import NotAModel


def picture_ports(model: onnx.ModelProto) -> tuple[onnx.ValueInfoProto, str]:
    """The picture a network takes, and the name of the one it gives. Raises NotAModel where there are more."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [port for port in model.graph.input if port.name not in stored]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        found = f"{len(inputs)} inputs and {len(model.graph.output)} outputs"
        raise NotAModel(f"the network has {found}; vidsr runs networks with one picture in and one out")
    return inputs[0], model.graph.output[0].name


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


def repeats(node: NodeProto, picture: str) -> bool:
    """Whether a node puts one picture many times into channels."""
    return node.op_type == "Concat" and set(node.input) == {picture} and attribute(node, "axis", 0) == 1


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
