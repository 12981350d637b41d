"""Convolutions on pairs of columns give what they gave on columns."""

import threading
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.engines.test_contract import IN, picture
from tests.networks import network
from vidsr.color import ColorSpec
from vidsr.engines import open_engine
from vidsr.engines.pairs import pair_columns
from vidsr.upscaling.graph.edges import attach

HEIGHT = 18


def model(across: int, bits: int = 8, **options: Any) -> onnx.ModelProto:
    color = ColorSpec(1, full_range=True)
    return onnx.load_from_string(
        attach(network(**options), channels=1, height=HEIGHT, width=across, bits=bits, color=color)
    )


def results(model: onnx.ModelProto, codes: NDArray[Any], name: str = IN) -> NDArray[Any]:
    known = {port.name: np.full((1, 1, 1, 1), 0.3, np.float32) for port in model.graph.input if port.name != name}
    with open_engine(model.SerializeToString(), engine="openvino", precision="f32") as engine:
        (output,) = engine.submit({name: codes, **known}).result().values()
        return np.array(output)


def channels(model: onnx.ModelProto) -> list[int]:
    stored = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    return [stored[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("qp", [None, 0.5])
def test_a_network_on_pairs_gives_the_same_codes(bits: int, scale: int, qp: float | None) -> None:
    options: dict[str, Any] = {"scale": scale, "width": 16, "layers": 4, "residual": 1, "qp": qp}
    codes = picture(2, HEIGHT, 34).astype(np.uint8 if bits == 8 else np.uint16) * (1 if bits == 8 else 4)
    paired = pair_columns(model(34, bits, **options))
    assert 32 in channels(paired)
    check_whole(paired)
    np.testing.assert_array_equal(results(paired, codes), results(model(34, bits, **options), codes))


def check_whole(model: onnx.ModelProto) -> None:
    """Every value is made once, before it is taken."""
    known = [port.name for port in model.graph.input] + [tensor.name for tensor in model.graph.initializer]
    for node in model.graph.node:
        assert all(name in known for name in node.input if name), node
        assert not set(known).intersection(node.output), node
        known += node.output
    assert all(port.name in known for port in model.graph.output)


def test_a_network_that_sees_pairs_itself_is_left_alone() -> None:
    before = model(34, width=32, columns=2, scale=4).SerializeToString(deterministic=True)
    paired = pair_columns(model(34, width=32, columns=2, scale=4))
    assert paired.SerializeToString(deterministic=True) == before


def test_three_channels_are_not_taken_for_the_three_taps_of_a_kernel() -> None:
    codes = np.random.default_rng(0).random((1, 16, 8, 10)).astype(np.float32)
    paired = pair_columns(_rgb())
    assert channels(paired) == [6]
    np.testing.assert_allclose(results(paired, codes, "x"), results(_rgb(), codes, "x"), atol=1e-5)


def _rgb() -> onnx.ModelProto:
    """A convolution 16 -> 3, and one slope a channel."""
    rng = np.random.default_rng(1)
    stored = {"w": rng.normal(size=(3, 16, 3, 3)), "b": rng.normal(size=3), "slope": rng.random((3, 1, 1))}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("PRelu", ["c", "slope"], ["y"]),
        ],
        "rgb",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 8, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 10])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_network_that_ends_in_a_named_plane_keeps_the_name() -> None:
    paired = pair_columns(model(34, width=16, layers=3, unshuffle=2, scale=2))
    codes = picture(2, HEIGHT, 34)
    np.testing.assert_array_equal(results(paired, codes), results(model(34, width=16, layers=3, unshuffle=2), codes))
    assert [port.name for port in paired.graph.output] == ["out.y"]


@pytest.mark.parametrize(("across", "width"), [(33, 16), (34, 32), (34, 8)])
def test_odd_widths_and_networks_of_other_sizes_are_left_alone(across: int, width: int) -> None:
    plain = model(across, width=width, layers=3)
    before = plain.SerializeToString(deterministic=True)
    assert pair_columns(plain).SerializeToString(deterministic=True) == before


def test_a_quantised_network_stays_in_8_bits() -> None:
    before = _quantised().SerializeToString(deterministic=True)
    assert pair_columns(_quantised()).SerializeToString(deterministic=True) == before


def _quantised() -> onnx.ModelProto:
    """A convolution 16 -> 16 of whole numbers."""
    kernel = np.random.default_rng(1).integers(-127, 128, (16, 16, 3, 3)).astype(np.int8)
    stored = {"kernel": kernel, "step": np.float32(0.01), "zero": np.int8(0)}
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["codes"]),
            helper.make_node("DequantizeLinear", ["codes", "step", "zero"], ["values"]),
            helper.make_node("DequantizeLinear", ["kernel", "step", "zero"], ["weights"]),
            helper.make_node("Conv", ["values", "weights"], ["y"], pads=[1, 1, 1, 1]),
        ],
        "quantised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 8, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, 8, 10])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_two_threads_open_engines_at_once() -> None:
    color = ColorSpec(1, full_range=True)
    graph = attach(network(width=16, layers=3), channels=1, height=HEIGHT, width=34, bits=8, color=color)

    def open_many() -> None:
        for _ in range(5):
            open_engine(graph, engine="openvino").close()

    threads = [threading.Thread(target=open_many, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
