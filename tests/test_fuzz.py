"""Damaged files crash nothing, hang nothing, take no memory, and leave nothing half done.

VIDSR_FUZZ_SECONDS: how long to try (5). VIDSR_FUZZ_FIRST: the number of the first damage (0).
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

import pytest

from tests.fuzzing import make_whole

LONGEST_S = 60  # for one file, on a busy machine
MOST_MB = 2000  # with pictures of up to 4 megapixels in any codec


class Child:
    """A process that damages and enlarges files, and what it says."""

    def __init__(self, folder: Path, first: int, seconds: float) -> None:
        command = [sys.executable, "-m", "tests.fuzzing", str(folder), str(first), f"{max(seconds, 0):.3f}"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self.errors = folder / "stderr"
        with self.errors.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=file, text=True, env=environment, cwd=Path(__file__).parents[1]
            )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def line(self) -> str | None:
        """What it says next, "" at its end; None where it says nothing for too long."""
        try:
            return self._lines.get(timeout=LONGEST_S)
        except Empty:
            return None


def watch(child: Child, outcomes: Counter[str], faults: list[str]) -> tuple[int, int]:
    """Follow a process to its end; the number it would do next, and the most memory it held, in MB."""
    number, at, held = 0, "nothing", 0
    while line := child.line():
        word, text, *rest = line.split(maxsplit=3)
        number = int(text) + 1
        at = f"{text}, {rest[0]}" if word == "begin" else at
        if word == "end":
            held = int(rest[0])
            outcomes[rest[1].strip() if "FAULT" not in rest[1] else "FAULT"] += 1
            if "FAULT" in rest[1]:
                faults.append(f"{at}: {rest[1].strip()}")
            if held > MOST_MB:
                faults.append(f"{at}: {held} MB")
                child.process.kill()
                break
    if line is None:
        faults.append(f"{at}: still busy after {LONGEST_S} s")
        child.process.kill()
    elif child.process.wait() and held <= MOST_MB:
        last = child.errors.read_text(errors="replace").strip().splitlines()[-1:]
        faults.append(f"{at}: ended with {child.process.returncode} {last}")
    child.process.wait()
    return number, held


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="watches memory through Linux's /proc")
def test_damaged_files_are_upscaled_or_refused(tmp_path: Path) -> None:
    make_whole(tmp_path)
    seconds, number = float(os.environ.get("VIDSR_FUZZ_SECONDS", 5)), int(os.environ.get("VIDSR_FUZZ_FIRST", 0))
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    most, first, began = 0, number, time.monotonic()
    while not outcomes or (time.monotonic() - began < seconds and len(faults) < 20):
        child = Child(tmp_path, number, seconds - (time.monotonic() - began))
        try:
            number, held = watch(child, outcomes, faults)
        finally:
            child.close()
        most = max(most, held)
        if child.process.returncode == 0:
            break
    print(f"damages {first} to {number - 1}, {most} MB at most: {dict(outcomes.most_common())}")
    assert not faults, "VIDSR_FUZZ_FIRST=<number> VIDSR_FUZZ_SECONDS=0 repeats one:\n" + "\n".join(faults)
