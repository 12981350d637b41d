import onnx
import pytest
from onnx import TensorProto, helper

from tests.data.drawings import draw_photo
from vidsr.card import KEY, ModelCard, read_card
from vidsr.errors import CardMismatch
from vidsr.evaluate.quality.reports import write_card_metrics


def nearest(path, card):
    """A luma network that repeats every pixel."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, f"h{name}", f"w{name}"]) for name in "ab"]
    repeat = helper.make_node("Concat", ["a"] * 4, ["c"], axis=1)
    shuffle = helper.make_node("DepthToSpace", ["c"], ["b"], blocksize=2, mode="CRD")
    model = helper.make_model(
        helper.make_graph([repeat, shuffle], "nearest", ports[:1], ports[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=10,
    )
    if card:
        helper.set_model_props(model, {KEY: card.to_json(), "other": "kept"})
    onnx.save(model, path)
    return path


def test_metrics_are_written_on_the_card_and_nothing_else_changes(tmp_path):
    path = nearest(tmp_path / "nearest.onnx", ModelCard("nearest", 2, 1, 0, metrics={"old": 1}))
    before = onnx.load(path).graph
    draw_photo(tmp_path / "Pictures" / "a.png")
    write_card_metrics(path, [tmp_path / "Pictures"])
    card = read_card(path)
    assert card.name == "nearest"
    assert set(card.metrics) == {f"{of}{what}_Pictures" for of in ("", "bicubic_") for what in ("psnr", "ssim")}
    assert 15 < card.metrics["psnr_Pictures"] < 60
    assert onnx.load(path).graph == before
    assert "other" in [entry.key for entry in onnx.load(path).metadata_props]


def test_a_model_without_a_card_is_refused(tmp_path):
    path = nearest(tmp_path / "nearest.onnx", None)
    with pytest.raises(CardMismatch, match="has no card"):
        write_card_metrics(path, [tmp_path])
