"""What every command shares: help, version, errors as one line, exit codes."""

import logging
import os
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


def cpu_seconds_of_help() -> float:
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen([sys.executable, "-m", "vidsr", "--help"], stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    # Its own processor time, not the clock's: it waits for nothing, and other processes are not its fault.
    assert min(cpu_seconds_of_help() for _ in range(5)) < 0.3


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


@pytest.mark.parametrize("arguments", [["nonsense"], ["upscale"], ["upscale", "a.mp4"], ["models", "--colour"]])
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
