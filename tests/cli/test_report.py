import pytest
from typer.testing import CliRunner

pytest.importorskip("matplotlib", reason="reports need vidsr[evaluate]")

from tests.report.stores import write_store
from vidsr.cli import app
from vidsr.errors import DataError


def run(*words: object):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_a_store_becomes_a_page(tmp_path):
    write_store(tmp_path / "store")
    done = run(tmp_path / "store", "-o", tmp_path / "new" / "page.html")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'new' / 'page.html'}\n")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_what_is_no_store_and_what_is_no_page_get_a_sentence(tmp_path):
    refused = run(tmp_path, "-o", tmp_path / "page.html")
    assert refused.exit_code == DataError.exit_code
    assert "is no store, for it holds no manifest.json" in refused.stderr.replace("\n", " ")
    write_store(tmp_path / "store")
    refused = run(tmp_path / "store", "-o", tmp_path / "photo.png")
    assert refused.exit_code == 2 and "photo.html" in refused.stderr.replace("\n", "")
