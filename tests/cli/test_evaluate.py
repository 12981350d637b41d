"""`vidsr evaluate`: tables and JSON, and lists of values after one option."""

import json
import sys
from dataclasses import asdict

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.evaluate.quality.test_images import picture
from tests.evaluate.quality.test_videos import write_video
from vidsr.cli import app
from vidsr.engines import settle
from vidsr.evaluate.bandwidth import study
from vidsr.evaluate.quality.images import evaluate_images
from vidsr.options import EvaluateOptions


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "set"
    place.mkdir()
    Image.fromarray(picture()).save(place / "one.png")
    return place


def run(*words):
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def plain(output):
    """Text that a panel wraps."""
    return " ".join(output.replace("│", " ").split())


def test_the_protocol_stands_above_the_table(folder):
    done = run("bicubic", "--scale", 2, "--images", folder)
    assert done.exit_code == 0, done.output
    assert "limited-range BT.601 luma" in done.stdout.splitlines()[0]
    rows = [line for line in done.stdout.splitlines() if "x2" in line]
    assert ["protocol bicubic" in row for row in rows] == [True, False, False]
    assert "+0.00" in rows[0]


def test_the_precision_of_pytorch_is_said(folder):
    pytest.importorskip("torch")
    done = run("live-x2", "--images", folder, "--engine", "torch", "--metrics", "psnr")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith(f"vidsr: PyTorch computes in {settle(engine='torch').precision} on ")


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
    clips = [write_video(tmp_path / name, frames=2) for name in ("a.mkv", "b.mkv")]
    done = run("lanczos", "--scale", 2, "--videos", *clips, "--metrics", "psnr")
    assert done.exit_code == 0, done.output
    assert len([line for line in done.stdout.splitlines() if "| lanczos" in line]) == 8
    assert "lanczos x2: " in done.stdout.splitlines()[-1]
    assert "dB over Lanczos, least " in done.stdout.splitlines()[-1]


def test_wrong_usage_is_explained(folder):
    done = run("lanczos", "--scale", 2)
    assert done.exit_code == 2 and "give --images DIR, --videos CLIP or both" in done.output
    done = run("lanczos", "--scale", 2, "--images", folder, "--compress", "best")
    assert done.exit_code == 2 and "expected --compress with CRFs such as 23" in plain(done.output)


def test_values_are_those_of_the_function(folder):
    rows = json.loads(run("--scale", 2, "--images", folder, "--json").stdout)["images"]["rows"]
    assert rows == [asdict(row) for row in evaluate_images([], [folder], EvaluateOptions(scale=2))]


def test_metrics_are_chosen_by_name(folder):
    done = run("--scale", 2, "--images", folder, "--metrics", "ssim", "psnr-edge", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["images"]["rows"]
    assert all(list(row["figures"]) == ["psnr", "ssim", "psnr_edge"] for row in rows)
    done = run("--scale", 2, "--images", folder, "--metrics", "ssim,niqe")
    assert done.exit_code == 2 and "expected metrics among psnr, ssim" in plain(done.output)


def test_a_missing_metric_is_reported_once_and_the_rest_is_measured(folder, monkeypatch):
    monkeypatch.setattr("vidsr.evaluate.quality.lpips_dists.find_spec", lambda name: None)
    done = run("--scale", 2, "--images", folder, "--metrics", "ssim", "lpips", "dists", "warping")
    assert done.exit_code == 0, done.output
    for said in ("LPIPS needs torch", "DISTS needs torch", "warping applies only to videos"):
        assert done.stderr.count(said) == 1
    assert "SSIM-Y" in done.stdout and "LPIPS" not in done.stdout


def test_without_opencv_the_warping_error_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    video = write_video(tmp_path / "a.mkv", frames=2)
    done = run("--scale", 2, "--videos", video, "--compress", 23, 33, "--metrics", "warping")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("the warping error needs OpenCV") == 1
    assert "vidsr[evaluate]" in done.stderr


def test_the_codec_stands_in_the_protocol(folder):
    done = run("--scale", 2, "--images", folder, "--compress", 60, "--codec", "libsvtav1", "--preset", 10)
    assert done.exit_code == 0, done.output
    assert "SVT-AV1 preset 10 at the CRF given" in done.stdout and "bit/pixel" in done.stdout
    done = run("--scale", 2, "--images", folder, "--compress", 60)
    assert done.exit_code == 2 and "libx264 takes CRFs from 0 to 51" in plain(done.output)
    done = run("--scale", 2, "--images", folder, "--codec", "divx")
    assert done.exit_code == 2 and "expected one of the codecs libx264" in plain(done.output)


def test_sheet_and_page_replace_older_ones_and_nothing_else(folder, tmp_path):
    sheet, page = tmp_path / "s.png", tmp_path / "r.html"
    for _ in range(2):
        done = run("--scale", 2, "--images", folder, "--metrics", "ssim", "--sheet", sheet, "--html", page)
        assert done.exit_code == 0, done.output
    with Image.open(sheet) as drawn:
        assert drawn.width > 400
    assert "protocol bicubic" in page.read_text(encoding="utf-8")
    done = run("--scale", 2, "--images", folder, "--html", folder / "one.png")
    assert done.exit_code == 6 and "is not a report" in done.stderr
    done = run("--scale", 2, "--images", folder, "--html", folder / "one.png" / "r.html")
    assert done.exit_code == 6 and done.stdout == ""
    done = run("--scale", 2, "--images", folder, "--sheet", tmp_path / "s.jpg")
    assert done.exit_code == 2 and "writes a PNG" in done.output


def test_models_may_be_given_by_the_option_too(folder):
    done = run("--model", "lanczos", "nearest", "--scale", 2, "--images", folder, "--metrics", "psnr", "--json")
    assert done.exit_code == 0, done.output
    methods = [row["method"] for row in json.loads(done.stdout)["images"]["rows"]]
    assert methods == ["protocol bicubic", "protocol lanczos", "nearest", "lanczos"]


def test_bandwidth_is_measured_alone(folder, tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mkv", frames=2)
    calls = []
    monkeypatch.setattr(study, "evaluate_bandwidth", lambda *given, progress: calls.append(given) or [])
    done = run("--bandwidth", video, video, "--model", "live-x2", "--frames", 2, "--codec", "libx265")
    assert done.exit_code == 0, done.output
    assert calls == [(["live-x2"], [video, video], EvaluateOptions(frames=2, codec="libx265"))]
    for more in (["--images", folder], ["--scale", 3], ["--sheet", "s.png"]):
        done = run("--bandwidth", video, *more)
        assert done.exit_code == 2 and "--bandwidth cannot be combined with" in plain(done.output)
    assert len(calls) == 1
