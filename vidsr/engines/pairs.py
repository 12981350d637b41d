"""Pairs of columns as channels: what makes a small convolution fill the matrix unit (AMX) of a CPU.

AMX multiplies rows of 32 bf16 numbers, so a convolution of 16 channels leaves half of it idle. Two neighbouring columns
taken for one column of twice the channels fill it; the kernels get zeros where the other column is out of reach, and
every sum stays what it was. Channels last, both are the same bytes: nothing is moved. An eighth of such a network's
time on a Xeon of the fourth generation.
"""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.processor import processor_flags

FULL = 32  # channels that fill the unit
ALIKE = ("Add", "Multiply", "PRelu", "Relu", "Maximum", "Minimum", "Round", "Convert")
"""Operators that do not care which column a number stands in."""


@cache
def has_amx() -> bool:
    """Whether this CPU has a matrix unit for bf16, as far as the system tells."""
    return "amx_bf16" in processor_flags()


def pair_columns(model: Any) -> None:
    """Let an OpenVINO model's 3x3 convolutions of few channels, and what lies between them, run on pairs of columns.

    Widths that are odd or not known stay as they are, and so do quantised networks: folding constants would turn their
    weights of 8 bits into floats.
    """
    if any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
        return
    passes = importlib.import_module("openvino.passes")
    folding = passes.Manager()
    folding.register_pass(passes.ConstantFolding())
    folding.run_passes(model)
    paired: set[str] = set()  # the nodes that give pairs
    for node in model.get_ordered_ops():
        taking = node.inputs()
        if _is_small(node):
            taking = [node.input(0)]
            node.input(1).replace_source_output(_constant(paired_kernel(_data(node, 1))))
        elif not _is_alike(node, paired):
            for port in _ports(node, paired.__contains__):
                _give(port, _moved(port.get_source_output(), 1))
            continue
        for port in taking:
            if port.get_source_output().get_node().get_name() not in paired:
                _take_pairs(port, _shape(node)[1])
        paired.add(node.get_name())
    model.validate_nodes_and_infer_types()


def paired_kernel(kernel: NDArray[Any]) -> NDArray[Any]:
    """(out, in, 3, 3) -> (2 * out, 2 * in, 3, 3): the same convolution on pairs of columns."""
    more, channels, height, _ = kernel.shape
    pairs = np.zeros((2, more, 2, channels, height, 3), kernel.dtype)
    for column in range(2):
        for tap in range(3):
            pair, other = divmod(column + tap - 1, 2)
            pairs[column, :, other, :, :, pair + 1] = kernel[..., tap]
    return pairs.reshape(2 * more, 2 * channels, height, 3)


def _is_small(node: Any) -> bool:
    """Whether a node is a convolution that gains by it."""
    if node.get_type_name() != "Convolution" or node.input_value(1).get_node().get_type_name() != "Constant":
        return False
    traits = node.get_attributes()
    shape, kernel = _shape(node), list(node.input_value(1).get_shape())
    plain = traits["strides"] == traits["dilations"] == traits["pads_begin"] == traits["pads_end"] == [1, 1]
    few = FULL // 4 < kernel[1] <= FULL // 2 and kernel[0] <= FULL // 2
    return plain and few and kernel[2:] == [3, 3] and len(shape) == 4 and min(shape) > 0 and shape[3] % 2 == 0


def _is_alike(node: Any, paired: set[str]) -> bool:
    """Whether a node has pairs among its inputs and can take them: the others are of its shape, or one a channel."""
    if node.get_type_name() not in ALIKE or not _ports(node, paired.__contains__):
        return False
    channels, own = _shape(node)[1], node.output(0).get_partial_shape()
    a_channel = [[1, channels, 1, 1], [channels, 1, 1]] + [[channels]] * (node.get_type_name() == "PRelu")
    for port in _ports(node, lambda name: name not in paired):
        source = port.get_source_output()
        if source.get_node().get_type_name() == "Constant":
            fits = np.prod(source.get_shape()) == 1 or list(source.get_shape()) in a_channel
        else:
            fits = source.get_partial_shape() == own
        if not fits:
            return False
    return True


def _take_pairs(port: Any, channels: int) -> None:
    """Give an input pairs of the picture it had, or its constants, one a channel, twice."""
    source = port.get_source_output()
    if source.get_node().get_type_name() != "Constant":
        _give(port, _moved(source, 2))
    elif np.prod(source.get_shape()) > 1:
        values = source.get_node().data
        _give(port, _constant(np.concatenate([values, values], values.shape.index(channels))))


def _moved(source: Any, columns: int) -> Any:
    """A picture with so many columns taken for one: 2 from a plain one, 1 from one of pairs."""
    ops = importlib.import_module("openvino.opset13")
    batch, channels, height, width = (each.get_length() for each in source.get_partial_shape())  # while still plain
    last = ops.transpose(source, _constant(np.array([0, 2, 3, 1])))
    size = np.array([batch, height, width // columns, channels * columns])
    shaped = ops.reshape(last, _constant(size), special_zero=False)
    return ops.transpose(shaped, _constant(np.array([0, 3, 1, 2]))).output(0)


def _give(port: Any, source: Any) -> None:
    """Connect an input to another output, which takes over the names where it ends the model."""
    if port.get_node().get_type_name() == "Result":
        tensor = port.get_source_output().get_tensor()
        source.get_tensor().set_names(tensor.get_names())
        tensor.set_names(set())
    port.replace_source_output(source)


def _ports(node: Any, wanted: Callable[[str], bool]) -> list[Any]:
    """The inputs that come from a node whose name is wanted."""
    return [port for port in node.inputs() if wanted(port.get_source_output().get_node().get_name())]


def _constant(values: NDArray[Any]) -> Any:
    return importlib.import_module("openvino.opset13").constant(values).output(0)


def _data(node: Any, port: int) -> NDArray[Any]:
    values: NDArray[Any] = node.input_value(port).get_node().data
    return values


def _shape(node: Any) -> list[int]:
    """Of what a node gives; -1 where a side is not known."""
    return [each.get_length() if each.is_static else -1 for each in node.output(0).get_partial_shape()]
