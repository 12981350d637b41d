"""`vidsr models`: the shelf as a table and as JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.cli import app

CARD = ModelCard(
    "live-x9",
    9,
    1,
    5,
    parameters=12345,
    macs=21300,
    licence="CC0",
    metrics={"psnr_clean": 30.314, "bicubic_psnr_clean": 28.4, "ssim_clean": 0.9},
)


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "shelf", lambda: [(Path("live-x9.onnx"), CARD)])


def test_the_table_has_what_one_chooses_by() -> None:
    shown = CliRunner().invoke(app, ["models"])
    assert shown.exit_code == 0
    row = next(line.split() for line in shown.stdout.splitlines() if "live-x9" in line)
    assert row == ["live-x9", "x9", "12,345", "21.3", "30.31", "dB", "clean", "(+1.91)", "CC0"]


def test_json_has_the_whole_card() -> None:
    (card,) = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert card["path"] == "live-x9.onnx"
    assert (card["scale"], card["receptive_field"], card["metrics"]["ssim_clean"]) == (9, 5, 0.9)
