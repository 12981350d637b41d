"""`vidsr evaluate --bandwidth`: tables, JSON and a page."""

import json

import pytest
from typer.testing import CliRunner

from tests.evaluate.networks import repeating
from tests.video.videos import make_video
from vidsr.cli import app
from vidsr.evaluate.bandwidth import study
from vidsr.evaluate.quality.vmaf import why_unavailable


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_video(tmp_path / "clip.mkv", size=(192, 128), pts=range(4), codec="ffv1")


def run(*words):
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def test_tables_verdict_and_commands_are_printed_and_the_page_is_written(video, tmp_path):
    page = tmp_path / "page.html"
    model = repeating(tmp_path / "twice.onnx")
    done = run("--bandwidth", video, "--model", model, "--frames", 3, "--html", page)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("clip.mkv: 3 frames (0.12 s) of 192x128")
    assert len([line for line in lines if line.startswith("| half + twice")]) == 6 + (1 if why_unavailable() else 3)
    assert any(line.startswith(("Encode it at", "Below", "Above")) for line in lines)
    assert any(line.startswith("  ffmpeg -i ") for line in lines)
    assert "vidsr evaluate" in page.read_text() and page.read_text().count("<svg") == 1
    assert "wrote" in done.stderr and "wrote" not in done.stdout
    assert list((tmp_path / "cache" / "vidsr" / "bandwidth").glob("*.json"))


def test_only_json_is_on_stdout(video):
    done = run("--bandwidth", video, "--json")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["bandwidth"]
    assert found["video"]["frames"] == 4
    assert [curve["name"] for curve in found["curves"]] == ["native", "half + lanczos"]
    assert ("only PSNR-Y is measured" in done.stderr) == (why_unavailable() is not None)


def test_the_number_of_frames_has_a_default(video, monkeypatch):
    monkeypatch.setattr(study, "FRAMES", 2)
    done = run("--bandwidth", video, "--json")
    assert json.loads(done.stdout)["bandwidth"][0]["video"]["frames"] == 2


def test_a_page_is_not_written_over_something_else(video, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    done = run("--bandwidth", video, "--html", page)
    assert done.exit_code == 6
    assert page.read_text() == "mine"
