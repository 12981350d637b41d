"""Convolutions on pairs of columns give what they gave on columns."""

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.engines.test_contract import IN, picture
from tests.networks import network
from vidsr.engines import open_engine
from vidsr.engines.on_openvino import _core
from vidsr.engines.pairs import pair_columns
from vidsr.frames import ColorSpec
from vidsr.upscaling.edges import attach

HEIGHT = 18


def model(across: int, bits: int = 8, **options: Any) -> Any:
    color = ColorSpec(1, full_range=True)
    graph = attach(network(**options), channels=1, height=HEIGHT, width=across, bits=bits, color=color)
    return _core().read_model(graph, b"")


def results(model: Any, codes: NDArray[Any]) -> NDArray[Any]:
    compiled = _core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    known = {"quantiser": np.full((1, 1, 1, 1), 0.3, np.float32)} if len(compiled.inputs) > 1 else {}
    output: NDArray[Any] = compiled({IN: codes, **known})[0]
    return output


def channels(model: Any) -> list[int]:
    return [node.get_output_shape(0)[1] for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("quantiser", [None, 0.5])
def test_a_network_on_pairs_gives_the_same_codes(bits: int, scale: int, quantiser: float | None) -> None:
    options: dict[str, Any] = {"scale": scale, "width": 16, "layers": 4, "residual": 1, "quantiser": quantiser}
    codes = picture(2, HEIGHT, 34).astype(np.uint8 if bits == 8 else np.uint16) * (1 if bits == 8 else 4)
    paired = model(34, bits, **options)
    pair_columns(paired)
    assert 32 in channels(paired)
    np.testing.assert_array_equal(results(paired, codes), results(model(34, bits, **options), codes))


def test_three_channels_are_not_taken_for_the_three_taps_of_a_kernel() -> None:
    small = _core().read_model(_rgb(), b"")
    plain, codes = _core().read_model(_rgb(), b""), np.random.default_rng(0).random((1, 16, 8, 10)).astype(np.float32)
    pair_columns(small)
    ours, theirs = (
        _core().compile_model(each, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(codes)[0] for each in (small, plain)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def _rgb() -> bytes:
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
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def test_a_network_that_ends_in_a_named_plane_keeps_the_name() -> None:
    paired = model(34, width=16, layers=3, unshuffle=2, scale=2)
    pair_columns(paired)
    codes = picture(2, HEIGHT, 34)
    np.testing.assert_array_equal(results(paired, codes), results(model(34, width=16, layers=3, unshuffle=2), codes))
    assert [port.get_any_name() for port in paired.outputs] == ["out.y"]


@pytest.mark.parametrize(("across", "width"), [(33, 16), (34, 32), (34, 8)])
def test_odd_widths_and_networks_of_other_sizes_are_left_alone(across: int, width: int) -> None:
    plain = model(across, width=width, layers=3)
    before = channels(plain)
    pair_columns(plain)
    assert channels(plain) == before


def test_a_quantised_network_stays_in_8_bits() -> None:
    quantised = _core().read_model(_quantised(), b"")
    pair_columns(quantised)
    stored = [node.output(0) for node in quantised.get_ops() if node.get_type_name() == "Constant"]
    assert [16, 16, 3, 3] in [list(each.get_shape()) for each in stored if each.get_element_type().to_string() == "i8"]


def _quantised() -> bytes:
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
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


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
