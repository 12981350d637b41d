import sys

import pytest
from typer.testing import CliRunner

pytest.importorskip("matplotlib", reason="reports need vidsr[evaluate]")

from tests.report.runs import write_recipe
from tests.report.stores import write_store
from vidsr.cli import app
from vidsr.errors import DataError


def run(*words: object):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_a_store_becomes_a_page(tmp_path):
    write_store(tmp_path / "store")
    done = run(tmp_path / "store", "-o", tmp_path / "new" / "page.html")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'new' / 'page.html'}\n")
    html = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>") and "<h1>Store store</h1>" in html


def test_a_run_becomes_a_page_without_torch(tmp_path, monkeypatch):
    for name in ("torch", "safetensors"):
        monkeypatch.setitem(sys.modules, name, None)
    write_recipe(tmp_path / "run")
    done = run(tmp_path / "run", "-o", tmp_path / "page.html")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'page.html'}\n")
    assert "<h1>Run mine &amp; yours</h1>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_other_folders_and_other_files_than_pages_are_refused(tmp_path):
    refused = run(tmp_path, "-o", tmp_path / "page.html")
    assert refused.exit_code == DataError.exit_code
    said = " ".join(refused.stderr.replace("│", " ").split())
    assert "is neither a store, which has a manifest.json, nor a run, which has a recipe.json" in said
    write_store(tmp_path / "store")
    refused = run(tmp_path / "store", "-o", tmp_path / "photo.png")
    assert refused.exit_code == 2 and "photo.html" in "".join(refused.stderr.replace("│", "").split())
