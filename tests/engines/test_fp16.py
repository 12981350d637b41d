"""The network of a graph in float16: really all of it, and close to float32."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.networks import attached as edged
from tests.networks import network
from vidsr import zoo
from vidsr.card import QP_NAME
from vidsr.color import BT709, ColorSpec
from vidsr.engines.fp16 import halved
from vidsr.engines.graph_format import EDGE
from vidsr.errors import EngineError
from vidsr.upscaling.model_file import load_model

HEIGHT, WIDTH = 12, 16
COLOR = ColorSpec(BT709, full_range=False)
WITHIN = 1  # levels, at 8 and 10 bits: what an 11-bit mantissa adds to a picture in [0, 1] stays below one


def attached(model: onnx.ModelProto, channels: int, bits: int = 8) -> bytes:
    whole = channels == 3  # as on a GPU: else the matrix goes into the last convolution, which becomes an edge
    return edged(model, channels=channels, height=HEIGHT, width=WIDTH, bits=bits, color=COLOR, shuffled=whole)


def planes(graph: bytes, bits: int) -> dict[str, NDArray[Any]]:
    """Something for every input."""
    rng, inputs = np.random.default_rng(0), {}
    for port in onnx.load_from_string(graph).graph.input:
        shape = [dim.dim_value for dim in port.type.tensor_type.shape.dim]
        if port.name == QP_NAME:
            inputs[port.name] = np.full(shape, 0.5, np.float32)
        else:
            codes = rng.integers(0, 1 << bits, shape)
            inputs[port.name] = codes.astype(np.uint8 if bits == 8 else np.uint16)
    return inputs


def types(graph: bytes) -> dict[str, int]:
    """The element type of every value, as ONNX infers it where nothing may contradict."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), strict_mode=True, check_type=True)
    ports = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    found = {port.name: port.type.tensor_type.elem_type for port in ports}
    return found | {tensor.name: tensor.data_type for tensor in model.graph.initializer}


def check_all_half(graph: bytes, convolutions: int) -> None:
    """Every convolution's picture, weights and result are float16, and nothing but edges computes in float32."""
    known, counted = types(graph), 0
    for node in onnx.load_from_string(graph).graph.node:
        kinds = {known[name] for name in (*node.input, *node.output) if name}
        if node.op_type == "Conv":
            counted += 1
            assert kinds == {TensorProto.FLOAT16}, node
        elif node.op_type not in ("Cast", "Resize") and not node.name.startswith(EDGE):
            assert TensorProto.FLOAT not in kinds, node
    assert counted == convolutions


@pytest.mark.parametrize("path", [path for path, _ in zoo.shelf()], ids=lambda path: path.stem)
@pytest.mark.parametrize("bits", [8, 10])
def test_every_model_of_the_shelf_computes_in_float16_throughout(path: Any, bits: int) -> None:
    model = load_model(path)
    graph = attached(model.graph, model.card.channels, bits)
    count = sum(node.op_type == "Conv" for node in model.graph.graph.node)
    half = halved(graph)
    check_all_half(half, count)
    assert len(half) < 0.6 * len(graph)


def shift_by_constant(model: onnx.ModelProto) -> onnx.ModelProto:
    """What community models are made of: constants that are operators, of both kinds."""
    nodes = model.graph.node
    nodes.extend(
        [
            helper.make_node("Constant", [], ["shift"], value=numpy_helper.from_array(np.float32([0.25]))),
            helper.make_node("Constant", [], ["gain"], value_float=0.5),
            helper.make_node("Add", ["y", "shift"], ["shifted"]),
            helper.make_node("Mul", ["shifted", "gain"], ["z"]),
        ]
    )
    model.graph.output[0].name = "z"
    return model


KINDS = {
    "luma": (network(), 1),
    "unshuffled, upscaling by Resize": (network(unshuffle=2), 1),
    "on pairs of columns": (network(columns=2), 1),
    "with QP as an input": (network(qp=0.3), 1),
    "colour": (network(channels=3), 3),
    "with constants": (shift_by_constant(network()), 1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [8, 10])
def test_a_network_in_float16_is_within_a_level_of_float32(kind: str, bits: int) -> None:
    graph = attached(*KINDS[kind], bits)
    half, inputs = halved(graph), planes(graph, bits)
    check_all_half(half, sum(node.op_type == "Conv" for node in KINDS[kind][0].graph.node))
    exact, ours = (ReferenceEvaluator(onnx.load_from_string(each)).run(None, inputs) for each in (graph, half))
    for expected, found in zip(exact, ours, strict=True):
        assert found.dtype == expected.dtype
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= WITHIN


def test_onnx_runtime_computes_the_same_float16_graph() -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs vidsr[onnx]")
    graph = attached(network(qp=0.3), 1)
    inputs = planes(graph, 8)
    results = [
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"]).run(None, inputs)[0].astype(int)
        for each in (graph, halved(graph))
    ]
    assert np.abs(results[0] - results[1]).max() <= WITHIN


def test_edges_stay_exact_where_a_network_adds_nothing() -> None:
    graph = halved(attached(network(residual=0), 1, 10))
    codes = np.arange(1024, dtype=np.uint16)[: HEIGHT * WIDTH].reshape(1, 1, HEIGHT, WIDTH) + 500
    (found,) = ReferenceEvaluator(onnx.load_from_string(graph)).run(None, {"in.y": codes})
    np.testing.assert_array_equal(found[..., 0], codes[0])


def test_a_plain_network_still_takes_and_gives_float32() -> None:
    plain = network()
    half = onnx.load_from_string(halved(plain.SerializeToString()))
    assert {port.type.tensor_type.elem_type for port in (*half.graph.input, *half.graph.output)} == {TensorProto.FLOAT}
    picture = np.random.default_rng(0).random((1, 1, 8, 8), np.float32)
    (exact,), (ours,) = (ReferenceEvaluator(each).run(None, {"x": picture}) for each in (plain, half))
    assert np.abs(exact - ours).max() < 1 / 512


def test_what_computes_sizes_is_left_in_float32() -> None:
    model = network()
    constants = {"times": np.float32([1, 1, 2, 2]), "none": np.float32([])}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["y"], ["shape"]),
            helper.make_node("Cast", ["shape"], ["sides"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["sides", "times"], ["large"]),
            helper.make_node("Cast", ["large"], ["sizes"], to=TensorProto.INT64),
            helper.make_node("Resize", ["y", "", "", "sizes"], ["z"], mode="nearest"),
        ]
    )
    model.graph.output[0].name = "z"
    half = halved(model.SerializeToString())
    assert types(half)["sides"] == types(half)["large"] == TensorProto.FLOAT
    (found,) = ReferenceEvaluator(onnx.load_from_string(half)).run(None, {"x": np.zeros((1, 1, 8, 8), np.float32)})
    assert found.shape == (1, 1, 32, 32)


def test_weights_that_float16_cannot_hold_are_refused() -> None:
    model = network()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "b0")
    weights.CopyFrom(numpy_helper.from_array(np.full(8, 1e5, np.float32), "b0"))
    with pytest.raises(EngineError, match=r"b0 reaches 1e\+05, more than float16 holds; use --precision f32"):
        halved(model.SerializeToString())


def test_networks_with_branches_or_already_quantised_are_refused() -> None:
    model = network()
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    with pytest.raises(EngineError, match="has branches"):
        halved(model.SerializeToString())
    model = network()
    model.graph.node.append(helper.make_node("QuantizeLinear", ["y", "wq"], ["z"]))
    with pytest.raises(EngineError, match="quantised to integers"):
        halved(model.SerializeToString())
