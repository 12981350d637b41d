"""`vidsr doctor`: the whole report, of this machine and of one with broken packages."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vidsr.engines import installed

KEYS = {
    "vidsr": None, "python": None, "system": None, "models_reason": None,
    "cpu": {"name", "cores", "usable", "features"}, "memory": {"total", "available", "limit"},
    "disks": {"folder", "free", "total"}, "gpus": {"name", "memory", "free", "capability", "driver"},
    "engines": {"name", "state", "version", "device", "precision", "precisions", "reason", "other_devices"},
    "video": {"state", "pyav", "ffmpeg", "encoders", "decoders", "hardware", "reason"},
    "models": {"name", "path", "own", "scale", "engine", "reason"}, "extras": {"name", "missing", "command"},
    "missing": {"what", "command"},
}  # fmt: skip


def doctor(*options: str, packages: Path | None = None, **environment: str) -> str:
    """Run it, with a folder of packages that come before those installed."""
    path = [str(packages)] if packages else []
    path += [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "vidsr", "doctor", *options], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)} | environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def package(folder: Path, name: str, text: str) -> Path:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    own = tmp_path_factory.mktemp("own models")
    (own / "torn.onnx").write_bytes(b"\xff\xff\xff")
    return json.loads(doctor("--json", VIDSR_MODELS=str(own)))


def test_the_shape_of_the_json_is_stable(report: Any) -> None:
    assert report.keys() == KEYS.keys()
    for key, names in KEYS.items():
        for one in report[key] if isinstance(report[key], list) else [report[key]]:
            assert names is None or one.keys() == names
    for codec in report["video"]["hardware"]:
        assert codec.keys() == {"name", "encodes", "works", "reason"}


def test_every_engine_that_is_installed_has_run_a_network(report: Any) -> None:
    engines = {one["name"]: one for one in report["engines"]}
    for name in installed():
        if engines[name]["state"] == "works":
            assert engines[name]["version"][0].isdigit()
            assert "f32" in engines[name]["precisions"]
            assert engines[name]["precision"] in engines[name]["precisions"]
    assert engines["openvino"]["state"] == "works"


def test_hardware_is_what_works_rather_than_what_ffmpeg_lists(report: Any) -> None:
    hardware = report["video"]["hardware"]
    for codec in hardware:
        assert codec["works"] is not bool(codec["reason"])
    if not report["gpus"]:
        assert not any(codec["works"] for codec in hardware if "nvenc" in codec["name"] or "cuda" in codec["name"])


def test_every_model_is_there_with_what_runs_it(report: Any) -> None:
    models = {one["name"]: one for one in report["models"]}
    assert (models["live-x2"]["scale"], models["live-x2"]["own"]) == (2, False)
    assert models["live-x2"]["engine"] in [one["name"] for one in report["engines"] if one["state"] == "works"]
    assert report["gpus"] or models["live-x2"]["engine"] == "openvino"
    assert models["torn"]["own"] is True
    assert models["torn"]["engine"] is None
    assert "not an ONNX file" in models["torn"]["reason"]


def test_what_is_missing_comes_with_its_command(report: Any) -> None:
    for one in report["missing"]:
        assert one["command"].startswith(("pip install ", "docker run "))
        assert not re.search(r"(?<!')\bvidsr\[", one["command"]), "zsh takes [ for a pattern"


def test_a_broken_runtime_is_a_line_of_the_report(tmp_path: Path) -> None:
    packages = package(tmp_path, "openvino", "raise ImportError('libtbb.so.12: no such file')")
    package(tmp_path, "torch", "import os\nos._exit(3)")
    package(tmp_path, "tensorrt", "__version__ = '10.9'")
    report = json.loads(doctor("--json", packages=packages))
    engines = {one["name"]: one for one in report["engines"]}
    assert engines["torch"]["reason"] == "it crashes (exit status 3)"
    if not report["gpus"]:  # installed, but there is nothing to compute on
        assert engines["tensorrt"]["state"] == "idle"
        assert "GPU" in engines["tensorrt"]["reason"]
        assert "the engine tensorrt" not in [one["what"] for one in report["missing"]]
    assert (engines["openvino"]["state"], engines["openvino"]["reason"]) == (
        "broken",
        "ImportError: libtbb.so.12: no such file",
    )
    assert {"what": "the engine openvino", "command": "pip install --force-reinstall vidsr"} in report["missing"]
    assert report["models"][0]["reason"] == "the engine openvino is broken"
    assert report["video"]["state"] == "works"


def test_broken_pyav_and_a_runtime_that_crashes_are_lines_of_the_table(tmp_path: Path) -> None:
    package(tmp_path, "av", "raise ImportError('libavcodec is damaged')")
    package(tmp_path, "torch", "raise ImportError('damaged')")
    package(tmp_path, "openvino", "import os\nos.abort()")
    shown = {line.split()[0]: line for line in doctor(packages=tmp_path).splitlines() if line.startswith("  ")}
    assert "broken" in shown["PyAV"]
    assert "ImportError: libavcodec is damaged" in shown["PyAV"]
    assert "pip install --force-reinstall av" in shown["video"]
    # the runtime is tried by vidsr's own upscaler, which needs PyAV
    assert "broken" in shown["openvino"]


def test_without_numpy_it_still_answers(tmp_path: Path) -> None:
    shown = doctor(packages=package(tmp_path, "numpy", "raise ImportError('damaged')"))
    assert "ImportError: damaged" in shown
    assert "pip install --force-reinstall vidsr" in shown
