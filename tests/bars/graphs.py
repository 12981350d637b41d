"""Networks of others as ONNX graphs of fixed size with random weights: their time without their weights."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT, SCALE = 480, 270, 4


class Graph:
    """A graph in the making, from input `x` (1, channels, HEIGHT, WIDTH) to `y`, SCALE times as large."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.rng = np.random.default_rng(0)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator; give the name of its result."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Store an array; give its name."""
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def conv(self, features: str, before: int, after: int, size: int = 3) -> str:
        """Append a convolution with bias."""
        kernel = self.rng.normal(0, (2 / (size * size * before)) ** 0.5, (after, before, size, size))
        weights = self.constant(kernel), self.constant(np.zeros(after))
        return self.add("Conv", features, *weights, pads=[size // 2] * 4)

    def shuffle(self, features: str) -> str:
        """Append the pixel shuffle."""
        return self.add("DepthToSpace", features, blocksize=SCALE, mode="CRD")

    def done(self, output: str, channels: int) -> bytes:
        """Give the ONNX bytes."""
        self.nodes.append(helper.make_node("Identity", [output], ["y"]))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, HEIGHT, WIDTH])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, HEIGHT * SCALE, WIDTH * SCALE])
        graph = helper.make_graph(self.nodes, "graph", [x], [y], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def span(width: int, blocks: int) -> bytes:
    """SPAN (Wan et al., 2023) as it is run, its triple convolutions folded: blocks of three convolutions with SiLU
    whose last result is an attention without parameters; four stages side by side into a 1x1, then the shuffle.
    """
    graph = Graph()
    half = graph.constant(0.5)
    first = features = graph.conv("x", 3, width)
    stages = [first]
    for index in range(blocks):
        inner = graph.conv(features, width, width)
        deep = inner
        for _ in range(2):
            deep = graph.conv(graph.add("Mul", deep, graph.add("Sigmoid", deep)), width, width)
        attention = graph.add("Sub", graph.add("Sigmoid", deep), half)
        features = graph.add("Mul", graph.add("Add", deep, features), attention)
        if index == 0:
            stages.append(features)
    last = graph.conv(features, width, width)
    joined = graph.add("Concat", first, last, stages[1], inner, axis=1)
    return graph.done(graph.shuffle(graph.conv(graph.conv(joined, 4 * width, width, 1), width, 3 * SCALE**2)), 3)


def compact(width: int, layers: int) -> bytes:
    """SRVGGNetCompact (Real-ESRGAN's for video): convolutions with PReLU, the shuffle, and the enlarged input."""
    graph = Graph()
    features, before = "x", 3
    for _ in range(layers + 1):
        slopes = graph.constant(np.full((width, 1, 1), 0.1))
        features, before = graph.add("PRelu", graph.conv(features, before, width), slopes), width
    large = graph.shuffle(graph.conv(features, width, 3 * SCALE**2))
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    enlarged = graph.add("Resize", "x", "", graph.constant([1, 1, SCALE, SCALE]), **nearest)
    return graph.done(graph.add("Add", large, enlarged), 3)


def plain(width: int, layers: int) -> bytes:
    """A network of the shelf's kind that sees colours: RGB to `width` channels, `layers` convolutions of those, to
    SCALE² values of each colour, ReLU between; the repeated input is added before the shuffle.
    """
    graph = Graph()
    features = graph.add("Relu", graph.conv("x", 3, width))
    for _ in range(layers):
        features = graph.add("Relu", graph.conv(features, width, width))
    graph.nodes.append(helper.make_node("Split", ["x"], ["red", "green", "blue"], axis=1))
    repeated = graph.add("Concat", *(name for name in ("red", "green", "blue") for _ in range(SCALE**2)), axis=1)
    values = graph.conv(features, width, 3 * SCALE**2)
    return graph.done(graph.shuffle(graph.add("Add", values, repeated)), 3)


def parameters(graph: bytes) -> int:
    """How many weights, biases and slopes the convolutions of a network and its PReLUs have."""
    parsed = onnx.ModelProto.FromString(graph).graph
    sizes = {each.name: int(np.prod(each.dims)) for each in parsed.initializer}
    learned = [node.input[1:] for node in parsed.node if node.op_type in ("Conv", "PRelu")]
    return sum(sizes[name] for names in learned for name in names)


def fixed(path: Any) -> bytes:
    """A file's graph at the size measured here."""
    model = onnx.load(path)
    _, channels, *_ = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim)
    for dim, value in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, channels, HEIGHT, WIDTH), strict=True):
        dim.dim_value = value
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return bytes(model.SerializeToString())
