"""An installed vidsr has every folder that the checkout has; a checkout also runs without being installed."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_folder_of_code_is_installed() -> None:
    project = ROOT / "pyproject.toml"
    if not project.exists():
        pytest.skip("the tests are not run from a checkout")
    listed = set(tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "vidsr").rglob("__init__.py")}
    assert listed == there | {"vidsr.shelf"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of vidsr/ and export/."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("vidsr", "export"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.png", "sr*.onnx"))
    return folder


@pytest.fixture(scope="module")
def python(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs Python in the checkout, with the packages that are installed here but without vidsr's editable install."""
    environment = tmp_path_factory.mktemp("venv")
    venv.create(environment, symlinks=os.name != "nt")
    variables = {"base": str(environment), "platbase": str(environment)}
    packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    # .pth files in these folders, such as the one of an editable install, are not read.
    Path(sysconfig.get_path("purelib", "venv", variables), "packages.pth").write_text("\n".join(packages))
    program = Path(sysconfig.get_path("scripts", "venv", variables), "python")

    def run(*arguments: str) -> str:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [program, *arguments], cwd=checkout, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_checkout_that_is_not_installed_has_its_shelf(checkout: Path, python: Callable[..., str]) -> None:
    cards = json.loads(python("-m", "vidsr", "models", "--json"))
    assert Path(next(card["path"] for card in cards if card["name"] == "live-x2")) == checkout / "export/live-x2.onnx"


def test_bench_starts_the_same_checkout_in_its_child_processes(python: Callable[..., str], tmp_path: Path) -> None:
    from tests.video.videos import make_video

    video = make_video(tmp_path / "small.mkv", size=(64, 48), pts=range(4))
    script = "import pathlib; from vidsr.bench.case_runs import first_frame_s; "
    script += f'print(first_frame_s(pathlib.Path({str(video)!r}), ["--model", "live-x2"]))'
    assert float(python("-c", script)) > 0
