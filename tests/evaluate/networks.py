"""Tiny networks with known results, as plain ONNX files with a card."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vidsr.card import KEY, QP_NAME, ModelCard


def repeating(path: Path, *, scale: int = 2, channels: int = 1) -> Path:
    """A network that repeats every pixel."""
    sizes = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "sizes")
    node = helper.make_node("Resize", ["x", "", "sizes"], ["y"], mode="nearest", nearest_mode="floor",
                            coordinate_transformation_mode="asymmetric")  # fmt: skip
    return _save(path, [node], [sizes], ModelCard(path.stem, scale, channels, receptive_field=0))


def qp_as_gray(path: Path) -> Path:
    """A network that returns a flat image with level QP / 51, at twice the size."""
    weights = [
        numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32), QP_NAME),
        numpy_helper.from_array(np.zeros((4, 1, 1, 1), np.float32), "black"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "black"], ["dark"]),
        helper.make_node("Add", ["dark", QP_NAME], ["flat"]),
        helper.make_node("DepthToSpace", ["flat"], ["y"], blocksize=2, mode="CRD"),
    ]
    return _save(path, nodes, weights, ModelCard(path.stem, 2, 1, receptive_field=0, qp=True))


def _save(path: Path, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], card: ModelCard) -> Path:
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", card.channels, f"h{name}", f"w{name}"])
        for name in ("x", "y")
    )
    graph = helper.make_graph(nodes, path.stem, [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {KEY: card.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
