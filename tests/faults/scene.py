"""The stage that a fault is played on: the command, what it said, and what it left."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vidsr.cli import app

TIME_LIMIT_S = 60


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    said: tuple[str, ...]
    """Lines on stderr."""

    @property
    def sentence(self) -> str:
        """The one line that a failed run says."""
        assert len(self.said) == 1 and self.said[0].startswith("vidsr: "), self.said
        return self.said[0].removeprefix("vidsr: ")


def upscale(*arguments: str | Path) -> Outcome:
    """Run `vidsr upscale` in this process, for speed: parsed, done and explained as in one of its own."""
    shown = CliRunner().invoke(app, ["upscale", "-q", "-m", "nearest", *map(str, arguments)])
    if shown.exception is not None and not isinstance(shown.exception, SystemExit):
        raise shown.exception
    return Outcome(shown.exit_code, tuple(shown.stderr.splitlines()))


def command(*arguments: str | Path) -> list[str | bytes]:
    """`vidsr upscale` as a process of its own."""
    return [sys.executable, "-m", "vidsr", "upscale", "-q", "-m", "nearest", *map(os.fspath, arguments)]


def run(*arguments: str | Path, bound_by_permissions: bool = False, **options: Any) -> Outcome:
    """Run `vidsr upscale` as a process of its own to its end; also as a user who is not above permissions."""
    line = command(*arguments)
    if bound_by_permissions and os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root is above permissions, and no setpriv is here to lay that down")
        line = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *line]
    shown = subprocess.run(line, stderr=subprocess.PIPE, timeout=TIME_LIMIT_S, **options)
    return Outcome(shown.returncode, tuple(shown.stderr.decode().splitlines()))


@contextmanager
def started(*arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start `vidsr upscale` as a process of its own; ended whatever happens."""
    with subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, bufsize=0, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> Outcome:
    """Wait for the end of a process."""
    code = process.wait(timeout=TIME_LIMIT_S)
    assert process.stderr is not None
    return Outcome(code, tuple(process.stderr.read().decode().splitlines()))


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder, by name, with a digest of what is in it."""
    return {os.fspath(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*"))}


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else "no file"
