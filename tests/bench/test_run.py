"""`vidsr bench`: figures that agree with one another, a table, JSON and a plot, of a few tiny frames."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.networks import network, receptive_field, save
from tests.video.videos import make_video
from vidsr.bench import cases
from vidsr.bench import matmul_peak as peak
from vidsr.bench.case_runs import run_of, timing_of
from vidsr.bench.test_clip import generated, write_video
from vidsr.card import ModelCard
from vidsr.cli import app
from vidsr.color import ColorSpec
from vidsr.engines import Precision, Setup
from vidsr.errors import EngineError

METRICS = {"psnr_Set14": 27.5, "bicubic_psnr_Set14": 26.1}
STAGES = ("network", "pipeline", "whole")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    card = ModelCard("double", 2, 1, receptive_field(2), macs=9 * (8 + 64 + 32), metrics=METRICS)
    return save(network(), folder / "double.onnx", card)


@pytest.fixture(scope="module")
def measured(folder: Path, model: Path) -> Result:
    """One run, whose JSON and plot the tests look at."""
    options = ("--size", "36p-72p", "--frames", 5, "--runs", 1, "--precision", "f32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peak, "WIDTH", 96)
        patch.setattr(peak, "HEIGHT", 54)
        return run(model, *options, "--json", "--plot", folder / "plot.png")


def test_json_has_every_model_beside_bicubic(measured: Result) -> None:
    assert measured.exit_code == 0, measured.output
    found = json.loads(measured.stdout)
    assert [(each["model"], each["engine"], each["precision"]) for each in found["results"]] == [
        ("bicubic", "swscale", None),
        ("double", "openvino", "f32"),
    ]
    assert all((each["input"], each["output"]) == ([64, 36], [128, 72]) for each in found["results"])
    assert found["machine"]["cpu"] and found["machine"]["cores"] >= 1
    assert {"vidsr", "av", "openvino"} == set(found["machine"]["versions"])
    assert "wrote" in measured.stderr


def test_the_figures_agree_with_one_another(measured: Result) -> None:
    bicubic, double = json.loads(measured.stdout)["results"]
    for each in (bicubic, double):
        for timing in (each[stage] for stage in STAGES):
            assert timing["fps"] == pytest.approx(1000 / timing["ms"])
            ratio = timing["of_bicubic"]
            assert 0 < ratio["least"] <= ratio["median"] <= ratio["most"]
        assert 0 < each["first_frame_s"] < 30
        assert each["peak_mb"] is None or 20 < each["peak_mb"] < 2000
        assert each["cores_busy"] > 0
    assert all(bicubic[stage]["of_bicubic"] == {"median": 1, "least": 1, "most": 1} for stage in STAGES)
    macs = 9 * (8 + 64 + 32) * 64 * 36
    assert double["gflops"] == pytest.approx(2e-9 * macs * double["network"]["fps"])
    assert 0 < double["share_of_peak"] < 1
    assert double["share_of_peak"] == pytest.approx(double["gflops"] / double["matrix_peak_gflops"])
    assert bicubic["gflops"] is None and bicubic["share_of_peak"] is None


def test_the_plot_is_a_picture(measured: Result, folder: Path) -> None:
    with Image.open(folder / "plot.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 300


def test_the_table_says_what_was_measured_and_on_what(tmp_path: Path) -> None:
    video = make_video(tmp_path / "mine.mkv", size=(96, 64), pts=range(6), codec="ffv1")
    shown = run("bicubic", "--size", "36p-72p", "--runs", 1, "--video", video)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert " cores, " in lines[0] and "vidsr 0" in lines[0]
    assert lines[1] == "mine.mkv, 6 frames, 1 run."  # all there are
    rows = [line for line in lines if line.startswith("| 36p-72p")]
    assert [row.split("|")[2].strip() for row in rows] == ["bicubic"] * 2


@pytest.mark.parametrize("size", ["270", "270p", "270p-90p", "271p-542p", "16p-32p", "36p-720p", "8K-16K", "1080p-2K"])
def test_a_size_that_cannot_be_is_refused_in_a_sentence(size: str) -> None:
    refused = run("bicubic", "--size", size)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"vidsr: {size}") or refused.stderr.startswith(f"vidsr: '{size}'")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--precision", "f7"), 5, "unknown precision 'f7'"),
        (("--engine", "abacus"), 5, "unknown engine 'abacus'"),
        (("no-such-model",), 4, "unknown model 'no-such-model'"),
        (("--frames", 2), 2, "expected 4 frames and 1 run, or more"),
        (("--plot", "plot.txt"), 2, "to end in .png"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    words: tuple[object, ...], code: int, sentence: str
) -> None:
    refused = run(*words)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert sentence in refused.stderr


def test_without_matplotlib_the_plot_is_refused_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused = run("--plot", tmp_path / "plot.png")
    assert refused.exit_code == 5
    assert "pip install 'vidsr[evaluate]'" in refused.stderr


def test_a_video_of_too_few_frames_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path / "short.mkv", size=(96, 64), pts=range(3), codec="ffv1")
    refused = run("bicubic", "--size", "36p-72p", "--video", video)
    assert refused.exit_code == 3
    assert "has 3 frames, too few" in refused.stderr


def test_the_generated_video_moves_and_is_the_same_each_time(tmp_path: Path) -> None:
    first, again = ([*generated(64, 36, 4, ColorSpec(6, full_range=False))] for _ in range(2))
    assert all((a.planes[0] == b.planes[0]).all() for a, b in zip(first, again, strict=True))
    assert all((a.planes[0] != b.planes[0]).mean() > 0.5 for a, b in pairwise(first))
    assert write_video(tmp_path / "video.mkv", 64, 36, 4) == 4


def test_a_run_lasts_from_the_first_frame_to_the_end() -> None:
    run = run_of([1.0, 1.010, 1.030], end=1.050)
    assert run.ms == pytest.approx(25)
    assert run.gaps == pytest.approx((10, 20))


def test_a_timing_is_the_median_of_runs_each_held_against_its_own_turn() -> None:
    runs = [run_of([0, ms / 1000]) for ms in (10, 30, 20)]
    beside = [run_of([0, ms / 1000]) for ms in (10, 15, 5)]
    timing = timing_of(runs, beside)
    assert (timing.ms, timing.fps) == (pytest.approx(20), pytest.approx(50))
    assert timing.p95_ms == pytest.approx(29)
    ratio = timing.of_bicubic
    assert (ratio.least, ratio.median, ratio.most) == pytest.approx((0.25, 0.5, 1.0))


def test_a_signal_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vidsr", "bench", "lanczos", "--size", "36p-72p", "--runs", "99"]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not (begun := list(tmp_path.glob("*/*"))) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert begun and not list(tmp_path.iterdir())


def test_what_does_not_go_together_is_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def settled(*, engine: str, precision: Precision) -> Setup:
        if (engine, precision) == ("onnxruntime", "bf16"):
            raise EngineError("it computes in f32")
        return Setup(engine, "cpu", precision)

    monkeypatch.setattr(cases, "choose", lambda engine: engine)
    monkeypatch.setattr(cases, "settle", settled)
    setups, notices = cases.setups_of(["openvino", "onnxruntime"], ["f32", "bf16"])
    assert [(each.engine, each.precision) for each in setups] == [
        ("openvino", "f32"),
        ("openvino", "bf16"),
        ("onnxruntime", "f32"),
    ]
    assert notices == ["left out: it computes in f32"]
    with pytest.raises(EngineError, match="it computes in f32"):
        cases.setups_of(["onnxruntime"], ["bf16"])


def test_the_models_that_fit_a_size_are_measured_where_none_is_named() -> None:
    setup = Setup("openvino", "cpu", "f32")
    found = cases.cases_of([], ["270p-1080p", "360p-1080p", "480p-1080p"], [setup])
    names = {size.name: [case.name for case in those] for size, those in found.items()}
    assert names["270p-1080p"][0] == "bicubic"
    assert {"fast-x4", "live-x4"} <= set(names["270p-1080p"])
    assert names["360p-1080p"] == ["bicubic", "live-x3"]
    assert names["480p-1080p"] == ["bicubic", "live-x3"]  # then shrunk


def test_a_model_alone_is_measured_at_a_size_of_its_own_factor() -> None:
    setup = Setup("openvino", "cpu", "f32")
    found = cases.cases_of(["live-x3", "srgan-x4"], [], [setup])
    assert [size.name for size in found] == ["360p-1080p", "270p-1080p"]


@pytest.mark.parametrize("faster", [True, False])
def test_precision_auto_is_measured_as_videos_are_upscaled(faster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidsr.upscaling.upscaler.computes_int8_faster", lambda: faster)
    setups, _ = cases.setups_of(["openvino"], ["auto"])
    found = cases.cases_of(["live-x3", "live-x4"], ["270p-1080p"], setups)
    ((_, *networks),) = found.values()
    plain = cases.settle(engine="openvino").precision
    assert [case.setup.precision for case in networks if case.setup] == [plain, "int8" if faster else plain]
    assert networks[-1].arguments[-1] == ("int8" if faster else plain)
