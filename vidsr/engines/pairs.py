"""Pairs of columns as channels: what makes a small convolution fill the matrix unit (AMX) of a CPU.

AMX multiplies rows of 32 bf16 numbers, so a convolution of 16 channels leaves half of it idle. Two neighbouring columns
taken for one column of twice the channels fill it; the kernels get zeros where the other column is out of reach, and
every sum stays what it was. Channels last, both are the same bytes: nothing is moved. An eighth of such a network's
time on a Xeon of the fourth generation.
"""

from functools import cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper, shape_inference

from vidsr.system import processor_flags

FULL = 32  # channels that fill the unit
ALIKE = ("Add", "Mul", "Relu", "LeakyRelu", "PRelu", "Clip", "Max", "Min", "Round", "Cast")
"""Operators that do not care which column a number stands in."""


@cache
def has_amx() -> bool:
    """Whether this CPU has a matrix unit for bf16, as far as the system tells."""
    return "amx_bf16" in processor_flags()


def pair_columns(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let a model's 3x3 convolutions of few channels, and what lies between them, run on pairs of columns.

    model: of fixed shapes; widths that are odd or not known stay as they are. Results stay equal but for the order of
    sums. Returns the model itself, changed.
    """
    Pairing(model).rewrite()
    return model


def paired_kernel(kernel: NDArray[Any]) -> NDArray[Any]:
    """(out, in, 3, 3) -> (2 * out, 2 * in, 3, 3): the same convolution on pairs of columns."""
    more, channels, height, _ = kernel.shape
    pairs = np.zeros((2, more, 2, channels, height, 3), kernel.dtype)
    for column in range(2):
        for tap in range(3):
            pair, other = divmod(column + tap - 1, 2)
            pairs[column, :, other, :, :, pair + 1] = kernel[..., tap]
    return pairs.reshape(2 * more, 2 * channels, height, 3)


def copied(node: NodeProto) -> NodeProto:
    """A node that outlives its graph."""
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy


class Pairing:
    """A model on its way to pairs. A value that is computed on pairs keeps its name for what it was before."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        graph = shape_inference.infer_shapes(model).graph
        self._stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._shapes = {name: list(array.shape) for name, array in self._stored.items()}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self._shapes[value.name] = [side.dim_value for side in value.type.tensor_type.shape.dim]
        self._nodes: list[NodeProto] = []
        self._pairs: dict[str, str] = {}  # of values that are there in pairs, under this name
        self._only: set[str] = set()  # those that are there in pairs alone

    def rewrite(self) -> None:
        """Pair what gains by it, and put back in order whatever else needs."""
        graph = self._graph
        for node in graph.node:
            if self._is_small(node):
                picture, kernel, *bias = node.input
                stored = [paired_kernel(self._stored[kernel])] + [np.tile(self._stored[name], 2) for name in bias]
                self._compute(node, [self._in_pairs(picture), *map(self._store, stored)])
            elif (inputs := self._alike(node)) is not None:
                self._compute(node, inputs)
            else:
                self._restore(node.input)
                self._nodes.append(copied(node))
        self._restore([port.name for port in graph.output])
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self._nodes)

    def _is_small(self, node: NodeProto) -> bool:
        """Whether a node is a convolution that gains by it."""
        if node.op_type != "Conv" or not all(name in self._stored for name in node.input[1:]):
            return False
        traits = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        kernel, shape = self._shapes[node.input[1]], self._shapes.get(node.output[0], [])
        plain = traits.get("pads") == [1, 1, 1, 1] and traits.get("group", 1) == 1 and "auto_pad" not in traits
        plain &= all(set(traits.get(name, [1])) == {1} for name in ("strides", "dilations"))
        few = FULL // 4 < kernel[1] <= FULL // 2 and kernel[0] <= FULL // 2
        even = len(shape) == 4 and all(shape) and shape[3] % 2 == 0
        return plain and few and kernel[2:] == [3, 3] and even and self._stored[node.input[1]].dtype == np.float32

    def _alike(self, node: NodeProto) -> list[str] | None:
        """The inputs in pairs of an operator that can take them and has some already; None of any other."""
        own = self._shapes.get(node.output[0], [])
        if node.op_type not in ALIKE or not self._only.intersection(node.input) or len(own) != 4:
            return None
        small = {name: self._shapes.get(name) for name in node.input if name and name not in self._only}
        channel = ([1, own[1], 1, 1], [own[1], 1, 1])
        single = [name for name, shape in small.items() if name in self._stored and np.prod(shape or [1]) == 1]
        if not all(shape == own or shape in channel or name in single for name, shape in small.items()):
            return None
        if any(self._shapes[name] != own for name in self._only.intersection(node.input)):
            return None

        def in_pairs(name: str) -> str:
            if not name or name in single:
                return name
            return self._twice(name) if self._shapes[name] in channel and own[2:] != [1, 1] else self._in_pairs(name)

        return [in_pairs(name) for name in node.input]

    def _compute(self, node: NodeProto, inputs: list[str]) -> None:
        """Let a node give pairs, of inputs that are pairs."""
        (out,) = node.output
        copy = copied(node)
        del copy.input[:], copy.output[:]
        copy.input.extend(inputs)
        copy.output.append(f"{out}.pairs")
        self._nodes.append(copy)
        self._pairs[out] = f"{out}.pairs"
        self._only.add(out)

    def _in_pairs(self, name: str) -> str:
        if name not in self._pairs:
            self._pairs[name] = f"{name}.pairs"
            self._move(name, f"{name}.pairs", name, columns=2)
        return self._pairs[name]

    def _restore(self, names: Any) -> None:
        """Give values that are there in pairs alone as they were."""
        for name in names:
            if name in self._only:
                self._only.remove(name)
                self._move(self._pairs[name], name, name, columns=1)

    def _move(self, source: str, target: str, name: str, *, columns: int) -> None:
        """Take so many columns of a picture for one: 2 make pairs, 1 makes it plain; `name` tells its plain shape."""
        batch, channels, height, width = self._shapes[name]
        last, shaped = f"{target}.last", f"{target}.shaped"
        size = self._store(np.array([batch, height, width // columns, channels * columns]))
        self._nodes += [
            helper.make_node("Transpose", [source], [last], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [last, size], [shaped]),
            helper.make_node("Transpose", [shaped], [target], perm=[0, 3, 1, 2]),
        ]

    def _twice(self, name: str) -> str:
        """One number a channel, for both columns."""
        if name in self._stored:
            values = self._stored[name]
            return self._store(np.concatenate([values, values], axis=values.ndim - 3))
        twice = f"{name}.twice.{len(self._nodes)}"
        self._nodes.append(helper.make_node("Concat", [name, name], [twice], axis=1))
        return twice

    def _store(self, values: NDArray[Any]) -> str:
        name = f"pairs.{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name
