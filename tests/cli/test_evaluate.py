"""`vidsr evaluate`: tables and JSON, and lists of values after one option."""

import json
from dataclasses import asdict

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.evaluate.test_images import picture
from tests.evaluate.test_videos import write_film
from vidsr.cli import app


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "set"
    place.mkdir()
    Image.fromarray(picture()).save(place / "one.png")
    return place


def run(*words):
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def test_the_table_says_by_which_protocol_it_was_measured(folder):
    done = run("bicubic", "--scale", 2, "--images", folder)
    assert done.exit_code == 0, done.output
    assert "BT.601 studio luma" in done.stdout.splitlines()[0]
    rows = [line for line in done.stdout.splitlines() if "x2" in line]
    assert ["protocol bicubic" in row for row in rows] == [True, False, False]
    assert "+0.00" in rows[0]


def test_several_values_may_follow_one_option(folder):
    done = run("lanczos", "--scale", 2, "--images", folder, "--compress", 18, 28, 33, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)["images"]
    assert "x264 medium" in answer["protocol"]
    assert [row["crf"] for row in answer["rows"] if row["method"] == "lanczos"] == [18, 28, 33]


def test_crfs_may_be_separated_by_commas(folder):
    done = run("--scale", 2, "--images", folder, "--compress", "18,33", "--json")
    assert {row["crf"] for row in json.loads(done.stdout)["images"]["rows"]} == {18, 33}


def test_clips_are_measured_at_four_crfs_and_summed_up(tmp_path):
    clips = [write_film(tmp_path / name, frames=2) for name in ("a.mkv", "b.mkv")]
    done = run("lanczos", "--scale", 2, "--videos", *clips)
    assert done.exit_code == 0, done.output
    assert len([line for line in done.stdout.splitlines() if "| lanczos" in line]) == 8
    assert "lanczos x2: " in done.stdout.splitlines()[-1]
    assert "dB over Lanczos, least " in done.stdout.splitlines()[-1]


def test_wrong_usage_is_said_in_a_sentence(folder):
    done = run("lanczos", "--scale", 2)
    assert done.exit_code == 2 and "give --images DIR, --videos CLIP or both" in done.output
    done = run("lanczos", "--scale", 2, "--images", folder, "--compress", "best")
    assert done.exit_code == 2 and "--compress takes CRFs" in done.output


def test_figures_are_those_of_the_function(folder):
    from vidsr.evaluate.images import evaluate_images

    rows = json.loads(run("--scale", 2, "--images", folder, "--json").stdout)["images"]["rows"]
    assert rows == [asdict(row) for row in evaluate_images([], [folder], scale=2)]
