import json

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from vidsr.card import KEY, ModelCard, read_card
from vidsr.errors import CardMismatch, NotAModel


@given(st.text(), st.integers(1, 8), st.sampled_from([1, 3]), st.dictionaries(st.text(), st.floats(-1e6, 1e6)))
def test_a_card_survives_json(name, scale, channels, metrics):
    card = ModelCard(name=name, scale=scale, channels=channels, receptive_field=5, metrics=metrics)
    assert ModelCard.from_json(card.to_json(), where="here") == card


def test_a_card_written_before_its_keys_were_renamed_is_read():
    values = json.loads(ModelCard("a", 2, 1, 3, qp=True).to_json())
    old = {{"receptive_field": "reach", "qp": "quantiser"}.get(key, key): value for key, value in values.items()}
    assert {"reach", "quantiser"} < old.keys()
    assert ModelCard.from_json(json.dumps(old), where="here") == ModelCard("a", 2, 1, 3, qp=True)


def test_a_card_of_a_later_vidsr_may_know_more():
    text = json.dumps({**json.loads(ModelCard("a", 2, 1, 3).to_json()), "mood": "good"})
    assert ModelCard.from_json(text, where="here") == ModelCard("a", 2, 1, 3)


@pytest.mark.parametrize("text", ["", "3", '{"name": "a"}', "[" * 100_000])
def test_text_that_is_not_a_card_is_refused(text):
    with pytest.raises(CardMismatch, match=r"here: its card cannot be read"):
        ModelCard.from_json(text, where="here")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", 1000), ("scale", 0), ("scale", 1.5), ("scale", "2"), ("scale", True), ("channels", 2), ("reach", -1),
        ("step", 0), ("step", 1000), ("receptive_field", None), ("name", 3), ("qp", 1),
        ("metrics", [1]), ("metrics", {"psnr": "high"}),
    ],
)  # fmt: skip
def test_a_card_that_makes_no_sense_is_refused(name, value):
    text = json.dumps({**json.loads(ModelCard("a", 2, 1, 3).to_json()), name: value})
    with pytest.raises(CardMismatch, match=r"here: its card cannot be read"):
        ModelCard.from_json(text, where="here")


def test_weights_without_a_valid_header_have_no_card(tmp_path):
    header = b'{"__metadata__": [1]}'
    (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert read_card(tmp_path / "m.safetensors") is None
    (tmp_path / "m.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + header)
    with pytest.raises(NotAModel, match="not a safetensors file"):
        read_card(tmp_path / "m.safetensors")


def test_a_card_is_read_from_an_onnx_file_and_its_absence_is_reported(tmp_path):
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "g", ports[:1], ports[1:])
    model = helper.make_model(graph)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    assert read_card(path) is None
    helper.set_model_props(model, {KEY: ModelCard("a", 2, 1, 3).to_json()})
    onnx.save(model, path)
    assert read_card(path) == ModelCard("a", 2, 1, 3)


@pytest.mark.parametrize("name", ["m.onnx", "m.safetensors"])
def test_a_file_that_is_not_a_model_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is text, no network at all")
    with pytest.raises(NotAModel, match=name):
        read_card(tmp_path / name)
