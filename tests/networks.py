"""Small networks with known or random weights, as plain ONNX files would hold them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vidsr.card import KEY, QP_NAME, ModelCard
from vidsr.color import ColorSpec
from vidsr.engines import installed
from vidsr.upscaling.graph.edges import attach
from vidsr.upscaling.graph.frame_format import FrameFormat


def runnable() -> list[str]:
    """The engines that are installed and compute any graph at once: TensorRT's are built for one first."""
    return [name for name in installed() if not name.endswith("tensorrt")]


def network(
    *,
    scale: int = 2,
    channels: int = 1,
    width: int = 8,
    layers: int = 2,
    residual: float = 0.1,
    qp: float | None = None,
    unshuffle: int = 1,
    columns: int = 1,
    opset: int = 17,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> onnx.ModelProto:
    """Convolutions 3x3 with ReLU between, a pixel shuffle, and the repeated input: (n, c, h, w) -> (n, c, h*s, w*s).

    residual: gain of what the convolutions add; 0 repeats the input. quantiser: the default of one that knows it.
    unshuffle, columns: what the convolutions see as channels: so many lines and columns, or columns alone.
    """
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    stored: list[onnx.TensorProto] = []

    def constant(name: str, value: Any, dtype: type = np.float32) -> str:
        stored.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(operator: str, *inputs: str, out: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, list(inputs), [out], **attributes))
        return out

    def regroup(value: str, count: int, out: str) -> str:
        last = add("Transpose", value, out=f"{out}.last", perm=[0, 2, 3, 1])
        last = add("Reshape", last, constant(f"{out}.shape", [0, 0, -1, count], np.int64), out=f"{out}.regrouped")
        return add("Transpose", last, out=out, perm=[0, 3, 1, 2])

    features, count = "x", channels
    if columns > 1:
        features, count = regroup("x", channels * columns, "joined"), channels * columns
    if unshuffle > 1:
        features, count = add("SpaceToDepth", "x", out="unshuffled", blocksize=unshuffle), channels * unshuffle**2
    for i in range(layers + 1):
        last = i == layers
        more = channels * columns * (scale * unshuffle) ** 2 if last else width
        weights = rng.normal(0, (2 / (9 * count)) ** 0.5, (more, count, 3, 3)) * (residual if last else 1)
        bias = rng.normal(0, 0.02, more) * (residual if last else 1)
        features = add(
            "Conv", features, constant(f"w{i}", weights), constant(f"b{i}", bias), out=f"conv{i}", pads=[1, 1, 1, 1]
        )
        if i == 0 and qp is not None:
            shift = constant("wq", rng.normal(0, 1, (width, 1, 1, 1)))
            shift = add("Conv", constant(QP_NAME, [[[[qp]]]]), shift, out="shift")
            features = add("Add", features, shift, out="shifted")
        if not last:
            features = add("Relu", features, out=f"relu{i}")
        count = more
    if columns > 1:
        features = regroup(features, channels * scale**2, "parted")
    if unshuffle == 1:
        # channel c of the input beside its s² channels before the shuffle (CRD)
        order = [f"x{c}" for c in range(channels) for _ in range(scale**2)]
        if channels > 1:
            nodes.append(helper.make_node("Split", ["x"], [f"x{c}" for c in range(channels)], axis=1))
        repeated = add("Concat", *(order if channels > 1 else ["x"] * scale**2), out="repeated", axis=1)
        features = add("Add", features, repeated, out="sum")
        add("DepthToSpace", features, out="y", blocksize=scale, mode="CRD")
    else:
        features = add("DepthToSpace", features, out="shuffled", blocksize=scale * unshuffle, mode="CRD")
        scales = constant("scales", [1, 1, scale, scale])
        nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        add("Add", features, add("Resize", "x", "", scales, out="nearest", **nearest), out="y")
    height, across = size or ("h", "w")
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, height, across])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, "H", "W"])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def receptive_field(layers: int, step: int = 1) -> int:
    """The receptive radius of `network` in input pixels; step: what it unshuffles by, or its columns."""
    return step * (layers + 1) + (step - 1)


def save(model: onnx.ModelProto, path: Path, card: ModelCard | None = None) -> Path:
    """Write a model with its card."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    if card:
        helper.set_model_props(model, {KEY: card.to_json()})
    onnx.save(model, path)
    return path


def attached(
    model: onnx.ModelProto,
    *,
    height: int,
    width: int,
    bits: int,
    color: ColorSpec,
    gray: bool = False,
    surface: bool = False,
    **options: Any,
) -> bytes:
    """Attach edges for frames of one format; options as of `attach`."""
    return attach(model, FrameFormat(width, height, bits, color, gray, surface), **options)
