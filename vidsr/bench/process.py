"""The command itself, as a process of its own: when its first frame is out, and what memory it takes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from vidsr.bench import peak_memory as weigh
from vidsr.errors import EngineError

VIDSR = [sys.executable, "-m", "vidsr", "upscale", "--quiet"]


def first_frame_s(video: Path, options: list[str]) -> float:
    """Seconds from starting `vidsr upscale FILM - ...` until the first byte of the first frame comes out of it.

    As bare H.264, which begins with the first frame; a container's header would come before the network is ready.
    """
    command = [*VIDSR, *options, "--format", "h264", str(video), "-"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        came = child.stdout.read(1)
        seconds = time.perf_counter() - start
        if not came:
            raise _failed(command, child.stderr.read().decode(errors="replace"))
        child.kill()
    return seconds


def peak_mb(video: Path, target: Path, options: list[str]) -> float | None:
    """The most memory that `vidsr upscale FILM TARGET ...` holds within a second of film; None where it is not told."""
    if not hasattr(os, "wait4"):
        return None
    command = [*VIDSR, *options, "--duration", "1", "--overwrite", str(video), str(target)]
    done = subprocess.run([sys.executable, "-S", weigh.__file__, *command], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    if told["code"]:
        raise _failed(command, done.stderr)
    return float(told["bytes"] / 1e6)


def _failed(command: list[str], said: str) -> EngineError:
    sentence = next(reversed(said.strip().splitlines()), "it said nothing").removeprefix("vidsr: ")
    return EngineError(f"`vidsr {' '.join(command[3:])}` could not be measured: {sentence}")
