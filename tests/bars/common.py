"""What the measuring scripts share: where the data is, how vidsr and ffmpeg are called, how a table is printed."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import isa

VIDSR = [sys.executable, "-m", "vidsr"]
FILM = "clips/bbb-480p-30s.mp4"


class Parser(argparse.ArgumentParser):
    """Starts the script again where --isa asks for it."""

    def parse_args(self, *words: Any, **more: Any) -> Any:
        """Parse the arguments."""
        given = super().parse_args(*words, **more)
        isa.apply(given.isa)
        return given


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options that every script has."""
    options = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=os.environ.get("VIDSR_DATA"), help="default: VIDSR_DATA")
    options.add_argument("--isa", choices=isa.NAMES, help="measure as on a processor with no more than this")
    return options


def small_film(data: Path | None, folder: Path) -> Path:
    """Make the 480x270 film, 720 frames with sound, of the clip in the data folder."""
    if data is None or not (data / FILM).exists():
        sys.exit(f"give --data (or VIDSR_DATA) with {FILM} in it")
    small = folder / "small.mp4"
    encoding = ["-c:v", "libx264", "-preset", "medium", "-crf", "18", "-c:a", "copy"]
    ffmpeg("-i", data / FILM, "-vf", "scale=480:270:flags=lanczos,setsar=1", *encoding, small)
    return small


def ffmpeg(*words: object) -> None:
    """Run the ffmpeg command."""
    if shutil.which("ffmpeg") is None:
        sys.exit("this script needs the ffmpeg command")
    subprocess.run(["ffmpeg", "-loglevel", "error", "-nostdin", "-y", *map(str, words)], check=True)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under titles, the first column to the left."""
    lines = [list(titles), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    for line in lines:
        print(
            "  ".join(
                cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
        )
