"""What a file without a card turns out to be."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.networks import network, receptive_field, save
from vidsr.card import ModelCard
from vidsr.errors import NotAModel
from vidsr.upscaling.model_file import EVERYWHERE, load_model


def load_card(path: Path) -> ModelCard:
    return load_model(path).card


@pytest.mark.parametrize(
    ("scale", "channels", "layers", "unshuffle", "opset"),
    [(4, 1, 2, 1, 17), (2, 3, 3, 1, 13), (3, 1, 1, 2, 21), (2, 1, 1, 4, 17), (2, 1, 0, 16, 17), (2, 1, 0, 32, 17)],
)
def test_scale_channels_and_reach_are_found(
    tmp_path: Path, scale: int, channels: int, layers: int, unshuffle: int, opset: int
) -> None:
    model = network(scale=scale, channels=channels, layers=layers, unshuffle=unshuffle, opset=opset, residual=1)
    card = load_card(save(model, tmp_path / "stranger.onnx"))
    assert (card.name, card.scale, card.channels, card.receptive_field, card.step) == (
        "stranger", scale, channels, receptive_field(layers, unshuffle), unshuffle
    )  # fmt: skip
    assert card.licence == "unknown"
    assert not card.qp


def test_a_network_whose_names_are_no_text_is_refused(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "damaged.onnx"
    model.graph.node[-1].domain = "zz"
    path.write_bytes(model.SerializeToString().replace(b"zz", b"\xa0\xa0"))
    with pytest.raises(NotAModel, match="its shapes do not fit together"):
        load_card(path)


def test_parameters_and_a_quantiser_are_found(tmp_path: Path) -> None:
    card = load_card(save(network(width=4, layers=1, qp=0.5), tmp_path / "q.onnx"))
    assert card.qp
    # head, its quantiser's weights, tail, the quantiser
    assert card.parameters == (4 * 9 + 4) + 4 + (4 * 4 * 9 + 4) + 1


def test_a_file_that_names_one_size_runs_at_others_where_its_operators_can(tmp_path: Path) -> None:
    assert load_card(save(network(size=(64, 48)), tmp_path / "fixed.onnx")).scale == 2


def test_a_network_that_looks_everywhere_has_no_finite_reach(tmp_path: Path) -> None:
    model = network(residual=0.1)
    half = numpy_helper.from_array(np.float32(0.5), "half")
    mean = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3])
    both = helper.make_node("Add", ["y", "mean"], ["both"])
    model.graph.initializer.append(half)
    model.graph.node.extend([mean, both, helper.make_node("Mul", ["both", "half"], ["z"])])
    model.graph.output[0].name = "z"
    assert load_card(save(model, tmp_path / "mean.onnx")).receptive_field == EVERYWHERE


def one_node(
    operator: str, shape: list[int | str], kind: int = TensorProto.FLOAT, **attributes: object
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (one_node("Relu", [1, 3, "h", "w"]), "it turns 1x3x32x32 into 1x3x32x32"),
        (one_node("GlobalAveragePool", [1, 3, "h", "w"]), "it turns 1x3x32x32 into 1x3x1x1"),
        (one_node("Relu", ["n", 128]), r"it takes float \?x128"),
        (one_node("Relu", [1, 4, "h", "w"]), "it takes float 1x4x"),
        (one_node("Identity", [1, 3, "h", "w"], TensorProto.INT8), "it takes int8 1x3x"),
        (one_node("NoSuchOperator", [1, 3, "h", "w"]), "cannot run the network"),
    ],
)
def test_what_is_no_image_network_is_refused_in_a_sentence(
    tmp_path: Path, model: onnx.ModelProto, sentence: str
) -> None:
    with pytest.raises(NotAModel, match=sentence):
        load_card(save(model, tmp_path / "other.onnx"))


def test_a_network_of_several_inputs_is_refused(tmp_path: Path) -> None:
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(NotAModel, match="2 inputs"):
        load_card(save(model, tmp_path / "two.onnx"))


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.onnx"
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42")
    with pytest.raises(NotAModel, match=r"film\.onnx is not an ONNX file"):
        load_card(path)


def test_a_network_that_names_no_set_of_operators_is_refused(tmp_path: Path) -> None:
    model = network()
    del model.opset_import[:]
    with pytest.raises(NotAModel, match=r"damaged\.onnx cannot be used: its shapes do not fit together"):
        load_card(save(model, tmp_path / "damaged.onnx"))


@pytest.mark.parametrize(("factor", "sentence"), [(1000, "makes 1x1x32000x32000 numbers"), (17, "by a whole factor")])
def test_a_network_that_enlarges_beyond_reason_is_refused_before_it_takes_memory(
    tmp_path: Path, factor: int, sentence: str
) -> None:
    model = network()
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), "scales"))
    model.graph.node.append(helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest"))
    with pytest.raises(NotAModel, match=sentence):
        load_card(save(model, tmp_path / "huge.onnx"))
