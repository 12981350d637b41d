"""Upscales every file of some folders into every container and verifies each output, every time in a new process.

Prints a line for each that did not succeed: `died` (a signal), `traceback`, `differs` (what verify found), `raw` (words
of FFmpeg's), `refused`; then how many there were of each. Bar: nothing but faithful and refused. Whether a file is
rightly refused is for the reader to say.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from common import VIDSR

CONTAINERS = ("mkv", "mp4", "mov", "ts")
STILLS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".exr", ".gif"}
PASSED_OVER = {".onnx", ".md", ".txt", ".json", ".csv"}
LONGEST_S = 300
RAW = "returned"  # as in FFmpeg's "Invalid argument: '<none>' returned 22"


def main() -> None:
    """Print the table; exit with 1 if the bar is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="+", type=Path)
    options.add_argument("--to", default=",".join(CONTAINERS), help="extensions of the outputs")
    options.add_argument("--model", default="bicubic")
    given = options.parse_args()
    counts: Counter[str] = Counter()
    for source in inputs(given.folders):
        kinds = [*given.to.split(","), "png"] if source.suffix.lower() in STILLS else given.to.split(",")
        for kind in kinds:
            outcome, said = outcome_of(source, kind, given.model)
            counts[outcome] += 1
            if outcome != "faithful":
                print(f"{outcome}: {source.parent.name}/{source.name} -> {kind}: {said}", flush=True)
    print(dict(counts))
    sys.exit(any(counts[bad] for bad in ("died", "traceback", "differs", "raw")))


def inputs(folders: list[Path]) -> Iterator[Path]:
    """Every file that may be a video or an image."""
    for folder in folders:
        files = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        yield from (file for file in files if file.is_file() and file.suffix.lower() not in PASSED_OVER)


def outcome_of(source: Path, kind: str, model: str) -> tuple[str, str]:
    """What came of one file, and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, f"out.{kind}")
        how = ["--model", model, "--preset", "ultrafast", "--verify", "--quiet"]
        try:
            done = subprocess.run(
                [*VIDSR, "upscale", str(source), str(target), *how],
                capture_output=True, text=True, timeout=LONGEST_S, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "died", f"still busy after {LONGEST_S} s"
    said = " ".join(done.stderr.split())
    if done.returncode < 0:
        return "died", f"signal {-done.returncode}: {said[-300:]}"
    if "Traceback" in done.stderr or done.returncode == 1:
        return "traceback", said[-600:]
    if done.returncode == 8:
        return "differs", said[-600:]
    if RAW in said:
        return "raw", said[-300:]
    return ("faithful", said) if done.returncode == 0 else ("refused", said[-250:])


if __name__ == "__main__":
    main()
