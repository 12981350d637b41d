import importlib.util
import logging
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

for package in ("nncf", "onnxruntime"):
    if importlib.util.find_spec(package) is None:  # importing it would let it find its telemetry
        pytest.skip("quantising needs vidsr[train]", allow_module_level=True)

from tests.clips import video as film_at
from tests.networks import network, runnable, save
from vidsr import load_upscaler
from vidsr.card import ModelCard, read_card
from vidsr.color import ColorSpec
from vidsr.errors import NotAModel, ParityFailed
from vidsr.export import to_int8
from vidsr.export.to_int8 import export_int8, inner_nodes
from vidsr.frames import Frame


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}.{index}"
    return model


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_at(tmp_path_factory.mktemp("films") / "film.mp4")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = ModelCard("mine", 2, 1, 4, qp=True, recipe="live 1a2b", metrics={"psnr": 30.0})
    model = named(network(layers=3, width=16, residual=0.02, qp=0.0))
    return save(model, tmp_path_factory.mktemp("models") / "mine.onnx", card)


@pytest.fixture(scope="module")
def quantised(source: Path, video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_int8(source, [video], tmp_path_factory.mktemp("int8") / "q.onnx")


def test_the_file_is_plain_and_its_inner_layers_are_in_8_bits(quantised: Path) -> None:
    graph = onnx.load(quantised).graph
    assert [port.name for port in graph.input] == ["x"]
    assert len(graph.output) == 1
    fed = {output: node.op_type for node in graph.node for output in node.output}
    layers = [node for node in graph.node if node.op_type == "Conv" and node.input[0] != "quantiser"]
    assert [fed.get(layer.input[0], "") for layer in layers] == ["", *["DequantizeLinear"] * 3]
    assert "quantiser" in [tensor.name for tensor in graph.initializer]


def test_the_card_names_its_source_and_has_no_metrics_of_it(quantised: Path) -> None:
    card = read_card(quantised)
    assert card is not None
    assert (card.name, card.scale, card.receptive_field, card.qp, card.metrics) == ("mine-int8", 2, 4, True, {})
    assert card.recipe.startswith("int8 by NNCF ") and card.recipe.endswith(" of mine, live 1a2b")


@pytest.mark.parametrize("engine", [name for name in runnable() if name != "torch"])
@pytest.mark.parametrize("bits", [8, 10])
def test_all_engines_give_nearly_the_same_output_and_the_qp_still_matters(
    source: Path, quantised: Path, engine: str, bits: int
) -> None:
    ramp = np.add.outer(np.arange(48), np.arange(64)) * 2 + 16
    luma = (ramp << (bits - 8)).astype(np.uint8 if bits == 8 else np.uint16)
    results = {}
    for path in (source, quantised):
        with load_upscaler(path, engine=engine, precision="f32") as upscaler:
            for qp in (0, 30):
                frame = Frame((luma,), ColorSpec(1, full_range=False), bits, qp=qp)
                results[path, qp] = upscaler.submit(frame).result().planes[0].astype(float)
    for qp in (0, 30):
        assert np.abs(results[source, qp] - results[quantised, qp]).mean() < 1 << (bits - 8)
    assert not np.array_equal(results[quantised, 0], results[quantised, 30])


def test_clips_that_do_not_fit_a_network_of_several_pixels_at_once_calibrate_it(tmp_path: Path) -> None:
    card = ModelCard("mine", 2, 1, 9, 2)
    model = save(named(network(layers=3, width=16, residual=0.02, columns=2)), tmp_path / "mine.onnx", card)
    video = film_at(tmp_path / "odd.mkv", codec="ffv1", size=(61, 47))
    eight = export_int8(model, [video], tmp_path / "q.onnx")
    assert read_card(eight).step == 2  # type: ignore[union-attr]


def test_inner_nodes_lie_between_two_layers_outside_the_qp_branch() -> None:
    model = named(network(layers=2, qp=0.5))
    kinds = sorted(name.split(".")[0] for name in inner_nodes(model))
    assert kinds == ["Conv", "Conv", "Relu", "Relu"]


def test_a_network_without_inner_layers_or_names_is_refused() -> None:
    with pytest.raises(NotAModel, match="no two consecutive convolutions"):
        inner_nodes(named(network(layers=0)))
    with pytest.raises(NotAModel, match="have no unique names"):
        inner_nodes(network())


def test_a_network_that_int8_changes_too_much_is_not_written(
    source: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_int8, "MIN_PSNR", 90)
    with pytest.raises(
        ParityFailed, match=r"the PSNR between int8 and float output is [\d.]+ dB, expected at least 90"
    ):
        export_int8(source, [video], tmp_path / "q.onnx")
    assert not list(tmp_path.iterdir())


def test_telemetry_is_not_imported(quantised: Path) -> None:
    assert sys.modules.get("openvino_telemetry") is None


def test_logging_of_others_is_not_silenced(
    source: Path, video: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to_int8.export_int8(source, [video], tmp_path / "mine.onnx")
    logging.getLogger("mine").warning("still heard")
    assert "still heard" in caplog.text
