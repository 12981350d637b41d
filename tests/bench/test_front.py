"""`vidsr bench --front`: every model and precision, and which of them videos get."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.networks import network, save
from vidsr.card import ModelCard
from vidsr.cli import app


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["bench", "--front", *map(str, words)])


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_model_of_the_factor_is_measured_and_one_is_taken(tmp_path: Path) -> None:
    result = run("--size", "32p-64p", "--json", "--plot", tmp_path / "front.svg")
    assert result.exit_code == 0, result.output
    front = json.loads(result.stdout)
    f32 = {each["model"]: each for each in front["points"] if each["precision"] == "f32"}
    assert f32.keys() == {"live-x2", "fast-x2"}
    assert f32["fast-x2"]["psnr"] > f32["live-x2"]["psnr"]
    assert all(each["ms"] > 0 and each["fps"] > 0 for each in front["points"])
    assert any(each["best"] for each in front["points"])
    (taken,) = (each for each in front["points"] if each["taken"])
    assert taken["model"] == front["choice"]["model"]
    assert "<svg" in (tmp_path / "front.svg").read_text()


def test_the_table_has_a_model_by_path(tmp_path: Path) -> None:
    model = save(network(), tmp_path / "double.onnx", ModelCard("double", 2, 1, 3, macs=900))
    result = run(model, "--size", "32p-64p", "--plot", tmp_path / "front.png")
    assert result.exit_code == 0, result.output
    assert "double" in result.stdout and "frames a second" in result.stdout
    with Image.open(tmp_path / "front.png") as picture:
        assert min(picture.size) > 100


@pytest.mark.parametrize("words", [("--size", "32p-64p", "--size", "36p-72p"), ("--plot", "front.gif")])
def test_what_makes_no_sense_is_refused(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2
