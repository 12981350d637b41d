"""Networks by other people: whatever they take and return, a picture comes out as that picture, or a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.networks import network, save
from vidsr import load_upscaler
from vidsr.errors import NotAModel
from vidsr.upscaling.model_file import load_model

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)
Shape = list[int | str | None]


class Nearest:
    """A network that repeats each pixel twice, with operators around it; `x` is its input."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.stored: list[TensorProto] = []

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        self.stored.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{len(self.stored)}"))
        return self.stored[-1].name

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        out = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [out], **attributes))
        return out

    def upscaled(self, image: str, channels: int = 3) -> str:
        weights = np.zeros((4 * channels, channels, 1, 1))
        for channel in range(4 * channels):
            weights[channel, channel // 4] = 1
        return self.add("DepthToSpace", self.add("Conv", image, self.constant(weights)), blocksize=2, mode="CRD")

    def saved(self, path: Path, shape: Shape, outputs: list[str], types: tuple[int, int] = (1, 1)) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "nearest",
            [helper.make_tensor_value_info("x", types[0], shape)],
            [helper.make_tensor_value_info(name, types[1], None) for name in outputs],
            self.stored,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, path)
        return path


NCHW: Shape = [1, 3, "h", "w"]


def bytes_in_and_out(net: Nearest, path: Path) -> Path:
    unit = net.add("Div", "x", net.constant(255))
    whole = net.add("Round", net.add("Mul", net.upscaled(unit), net.constant(255)))
    return net.saved(path, NCHW, [net.add("Clip", whole, net.constant(0), net.constant(255))])


def uint8_out(net: Nearest, path: Path) -> Path:
    whole = net.add("Round", net.add("Mul", net.upscaled("x"), net.constant(255)))
    return net.saved(path, NCHW, [net.add("Cast", whole, to=TensorProto.UINT8)], (1, TensorProto.UINT8))


def uint8_in_and_out(net: Nearest, path: Path) -> Path:
    image = net.upscaled(net.add("Cast", "x", to=TensorProto.FLOAT))
    return net.saved(path, NCHW, [net.add("Cast", image, to=TensorProto.UINT8)], (2, 2))


def around_zero(net: Nearest, path: Path) -> Path:
    image = net.upscaled("x")
    return net.saved(path, NCHW, [net.add("Sub", net.add("Mul", image, net.constant(2)), net.constant(1))])


def channels_last(net: Nearest, path: Path) -> Path:
    image = net.upscaled(net.add("Transpose", "x", perm=[0, 3, 1, 2]))
    return net.saved(path, [1, "h", "w", 3], [net.add("Transpose", image, perm=[0, 2, 3, 1])])


def uint8_channels_last_of_any_number(net: Nearest, path: Path) -> Path:
    image = net.add("Transpose", net.add("Cast", "x", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    image = net.add("Cast", net.add("Transpose", net.upscaled(image), perm=[0, 2, 3, 1]), to=TensorProto.UINT8)
    return net.saved(path, ["n", "h", "w", "c"], [image], (2, 2))


def any_channels(net: Nearest, path: Path) -> Path:
    return net.saved(path, ["n", "c", "h", "w"], [net.upscaled("x")])


def blue_first(net: Nearest, path: Path) -> Path:
    return net.saved(path, NCHW, [net.add("Gather", net.upscaled("x"), net.constant([2, 1, 0], np.int64), axis=1)])


def several_outputs(net: Nearest, path: Path) -> Path:
    image = net.upscaled("x")
    features = net.add("Conv", "x", net.constant(np.ones((8, 3, 1, 1))))
    return net.saved(path, NCHW, [features, net.add("Relu", image), image, net.add("Neg", image)])


def several_outputs_with_the_input(net: Nearest, path: Path) -> Path:
    net.add("Identity", "x", out="x_small")
    return several_outputs(net, path)


def cropped_by(pixels: int) -> Callable[[Nearest, Path], Path]:
    def make(net: Nearest, path: Path) -> Path:
        starts, ends = (net.constant([side, side], np.int64) for side in (pixels, -pixels))
        image = net.add("Slice", net.upscaled("x"), starts, ends, net.constant([2, 3], np.int64))
        return net.saved(path, NCHW, [image])

    make.__name__ = f"cropped_by_{pixels}"
    return make


def of_one_size(height: int, width: int) -> Callable[[Nearest, Path], Path]:
    def make(net: Nearest, path: Path) -> Path:
        image = net.add("Reshape", "x", net.constant([1, 3, height, width], np.int64))
        return net.saved(path, [1, 3, height, width], [net.upscaled(image)])

    make.__name__ = f"of_{width}x{height}"
    return make


@pytest.mark.parametrize("make", [
    bytes_in_and_out, uint8_out, uint8_in_and_out, around_zero, channels_last, uint8_channels_last_of_any_number,
    any_channels, blue_first, several_outputs_with_the_input, cropped_by(36), cropped_by(3), cropped_by(90),
    of_one_size(16, 16), of_one_size(32, 24), of_one_size(64, 64), of_one_size(40, 52),
])  # fmt: skip
def test_a_picture_comes_out_as_that_picture(tmp_path, make):
    with load_upscaler(make(Nearest(), tmp_path / "net.onnx"), device="cpu") as upscaler:
        found = upscaler(IMAGE)
    expected = IMAGE.repeat(2, 0).repeat(2, 1).astype(int)
    assert np.abs(found - expected).max() <= (0 if make not in (around_zero,) else 1)


def test_tiles_of_a_network_of_one_size_equal_the_whole(tmp_path):
    model = network(channels=3, layers=1, residual=0.1)
    free = save(model, tmp_path / "free.onnx")
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3, 48, 48], np.int64), "shape"))
    for node in model.graph.node:
        node.input[:] = ["reshaped" if name == "x" else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Reshape", ["x", "shape"], ["reshaped"]))
    for dim, side in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 48, 48), strict=True):
        dim.dim_value = side
    only = save(model, tmp_path / "only.onnx")
    assert load_model(only).fixed == (48, 48)
    image = np.random.default_rng(1).integers(0, 256, (96, 120, 3), dtype=np.uint8)
    found = []
    for path in (free, only):
        with load_upscaler(path, device="cpu", precision="f32") as upscaler:
            found.append(upscaler(image).astype(int))
    assert np.abs(found[0] - found[1]).max() <= 1


def test_a_network_in_our_convention_is_left_as_it_is(tmp_path):
    model = network(channels=3)
    assert load_model(save(model, tmp_path / "net.onnx")).graph.SerializeToString() == model.SerializeToString()


def dark(net: Nearest, path: Path) -> Path:
    return net.saved(path, NCHW, [net.add("Mul", net.upscaled("x"), net.constant(0.3))])


def ambiguous(net: Nearest, path: Path) -> Path:
    image = net.upscaled("x")
    blurred = net.add("AveragePool", image, kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    return net.saved(path, NCHW, [image, blurred])


@pytest.mark.parametrize(("make", "sentence"), [
    (dark, "it turns flat gray of 0.25, 0.5, 0.75 into"), (ambiguous, "several of its outputs may be the picture"),
])  # fmt: skip
def test_what_is_meant_is_not_guessed(tmp_path, make, sentence):
    with pytest.raises(NotAModel, match=sentence):
        load_model(make(Nearest(), tmp_path / "net.onnx"))
