"""What every command shares: help, version, errors as one line, exit codes."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vidsr.cli import app

COMMANDS = ("upscale", "models", "evaluate", "train", "export", "bench")


def vidsr(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_help_imports_little() -> None:
    """Imports take the time of `vidsr --help`; their number does not depend on the machine."""
    code = "import sys; from vidsr.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    modules = shown.stdout.splitlines()[-1].split()
    assert not {"rich", "numpy", "av", "onnx", "openvino", "torch"} & set(modules)
    assert len(modules) < 230


def test_help_names_every_command() -> None:
    shown = vidsr("--help")
    assert shown.exit_code == 0
    for command in COMMANDS:
        assert command in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    assert vidsr(command, "--help").exit_code == 0


def test_version_is_the_installed_one() -> None:
    assert vidsr("--version").stdout == f"vidsr {version('vidsr')}\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["upscale"], ["upscale", "a.mp4"], ["models", "--nonsense"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert vidsr(*arguments).exit_code == 2


def test_an_error_is_one_line_with_the_exit_code_of_its_class(tmp_path: Path) -> None:
    shown = vidsr("upscale", "-m", "bicubic", tmp_path / "missing.mp4", tmp_path / "out.mp4")
    assert shown.exit_code == 3
    assert shown.stderr == f"vidsr: {tmp_path}/missing.mp4 is not there; check the path\n"
    assert shown.stdout == ""


def test_a_traceback_comes_only_with_verbose(tmp_path: Path, log_as_it_was: None) -> None:
    shown = vidsr("upscale", "--verbose", "-m", "bicubic", tmp_path / "missing.mp4", tmp_path / "out.mp4")
    assert shown.exit_code == 3
    assert "Traceback" in shown.stderr
    assert shown.stderr.splitlines()[-1].startswith("vidsr: ")


@pytest.fixture
def log_as_it_was() -> Iterator[None]:
    yield
    logging.getLogger("vidsr").setLevel(logging.NOTSET)
