import json
import sys

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="training needs vidsr[train]")

from tests.data.drawings import draw_photo
from vidsr.card import read_card
from vidsr.cli import app
from vidsr.train.devices import default_precision

RECIPE = """
name = "tiny"
[net]
scale = 2
width = 4
depth = 1
[data]
patches = 320
side = 16
[degradation]
av1 = 0.0
[pixel]
steps = 20
batch = 4
validate_every = 10
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_photo(tmp_path / "photos" / "a.png")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


def test_a_recipe_becomes_weights_and_weights_become_a_model(folder):
    trained = CliRunner().invoke(app, ["train", "tiny.toml", "--data", "photos", "--validation", "photos"])
    assert trained.exit_code == 0, trained.output
    assert trained.stdout.strip() == "runs/tiny/best.safetensors"
    precision, *validations = trained.stderr.splitlines()
    assert precision.startswith(f"vidsr: training in {default_precision('cpu')}: cpu")
    assert len(validations) == 2, "a line each validation, however narrow the terminal"
    assert all("PSNR-Y clean" in line and "coded" in line for line in validations)
    exported = CliRunner().invoke(app, ["export", "runs/tiny", "--licence", "CC0", "--images", "photos"])
    assert exported.exit_code == 0, exported.output
    assert exported.stdout.strip() == "export/tiny.onnx"
    card = read_card(folder / "export" / "tiny.onnx")
    assert card.licence == "CC0"
    assert {"psnr_photos", "bicubic_psnr_photos"} <= card.metrics.keys()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["train", "tiny.toml", "--data", "nowhere", "--precision", "f32"], 3, "nowhere does not exist"),
        (["train", "nothing", "--data", "photos"], 9, "no recipe nothing"),
        (["train", "tiny.toml", "--data", "photos", "--device", "toaster"], 5, "no device toaster"),
        (["export", "photos"], 9, "photos does not contain weights"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(folder, arguments, code, sentence):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code
    assert result.stderr.startswith("vidsr: ")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_the_extra_the_command_names_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "vidsr.train.loop", None)
    result = CliRunner().invoke(app, ["train", "tiny.toml", "--data", "photos"])
    assert result.exit_code == 5
    assert "pip install vidsr[train]" in result.stderr


def test_the_log_of_a_run_is_json_lines(folder):
    draw_photo(folder / "more" / "b.png", seed=1)
    assert (
        CliRunner().invoke(app, ["train", "tiny.toml", "--data", "photos", "--data", "more", "--run", "here"]).exit_code
        == 0
    )
    lines = [json.loads(line) for line in (folder / "here" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
