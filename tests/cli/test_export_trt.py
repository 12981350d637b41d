"""`vidsr export --trt`: what the command line says is what is built."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vidsr.cli import app
from vidsr.color import BT2020, ColorSpec
from vidsr.engines.gpus import gpus
from vidsr.export import to_tensorrt
from vidsr.export.to_tensorrt import Sizes
from vidsr.upscaling.graph.frame_format import FrameFormat


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is asked to be built, in place of building it."""
    asked: list[dict[str, Any]] = []

    def note(model: str, target: Path | None, **options: Any) -> Path:
        asked.append({"model": model, "target": target, **options})
        return Path("some.engine")

    monkeypatch.setattr(to_tensorrt, "export_engine", note)
    return asked


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["export", *arguments])


def test_a_model_and_a_size_are_enough(built: list[dict[str, Any]]) -> None:
    done = run("live-x4", "--trt", "--size", "480x270")
    assert (done.exit_code, done.stdout) == (0, "some.engine\n")
    (asked,) = built
    assert (asked["model"], asked["target"], asked["precision"], asked["device"]) == ("live-x4", None, "f16", "auto")
    assert asked["sizes"] == Sizes((480, 270), (480, 270), (480, 270))
    assert asked["pixels"] == FrameFormat(480, 270)


def test_every_option_reaches_the_builder(built: list[dict[str, Any]], tmp_path: Path) -> None:
    done = run(
        "my.onnx", "--trt", "--dynamic", "64x64", "96x96", "128x96", "--precision", "f32", "--bits", "10", "--color",
        "bt2020-full-gray", "--device", "cuda:1", "--output", str(tmp_path / "mine.engine"),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (asked,) = built
    assert asked["sizes"] == Sizes((64, 64), (96, 96), (128, 96))
    assert asked["pixels"] == FrameFormat(96, 96, 10, ColorSpec(BT2020, True), gray=True)
    assert (asked["precision"], asked["device"], asked["target"]) == ("f32", "cuda:1", tmp_path / "mine.engine")


def test_the_usual_size_is_full_hd(built: list[dict[str, Any]]) -> None:
    run("live-x2", "--trt")
    assert built[0]["sizes"].best == (1920, 1080)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--size", "480"], "expected a size such as 1920x1080"),
        (["--size", "480x270", "--dynamic", "64x64", "96x96", "128x96"], "give either --size or --dynamic"),
        (["--dynamic", "96x96", "64x64", "128x96"], "expected a minimum, a usual and a maximum"),
        (["--color", "purple"], "got 'purple'"),
        (["--bits", "9"], "expected 8 or 10"),
        (["--name", "mine"], "takes no option of a run"),
    ],
)
def test_contradictory_options_are_refused(built: list[dict[str, Any]], arguments: list[str], sentence: str) -> None:
    done = run("live-x2", "--trt", *arguments)
    assert done.exit_code == 2
    assert sentence in done.output
    assert not built


@pytest.mark.parametrize(
    "arguments",
    [["--size", "480x270"], ["--precision", "f32"], ["--bits", "10"], ["--surface"], ["--device", "cuda:1"]],
)
def test_an_option_of_tensorrt_without_it_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    done = run(str(tmp_path), *arguments)
    assert done.exit_code == 2
    assert "need --trt" in done.output


def test_without_a_gpu_it_says_so() -> None:
    if gpus():
        pytest.skip("there is a GPU here")
    done = run("live-x2", "--trt", "--size", "480x270")
    assert done.exit_code == 5
    assert "TensorRT needs an NVIDIA GPU, and this machine has none; see `vidsr doctor`" in done.output
