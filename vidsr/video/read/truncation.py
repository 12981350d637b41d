"""Whether a film was read to its end: what its container promised, against what came."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from vidsr.video.read.truncation__ebml import is_cut_off
from vidsr.video.timing import TICK

_EXACT = ("matroska,webm", "avi")  # formats whose header tells how long the film is, and is right about it
_SLACK = Fraction(1, 2)  # seconds by which headers are rounded, or count what is not shown


def pictures_behind(stream: Any, dts: int | None) -> int:
    """How many pictures the index of an mp4 still names behind the last packet that was read."""
    entries = stream.index_entries
    count = len(entries)
    if dts is None:
        return 0
    while count and entries[count - 1].timestamp > dts:
        count -= 1
    return len(entries) - count


def breaks_off(container: Any, reached: Fraction) -> bool:
    """Whether a film ends before it should, as far as its container tells.

    reached: seconds on the film's own clock at which the last packet that was read ends.
    """
    name = container.format.name
    path = path_of(container)
    if name in ("matroska,webm", "mpegts") and path is not None:
        with path.open("rb") as file:
            return _ends_in_a_packet(file) if name == "mpegts" else is_cut_off(file)
    return name in _EXACT and bool(container.duration) and container.duration * TICK - reached > _SLACK


def path_of(container: Any) -> Path | None:
    """The file that a container is read from; None for pipes, addresses and file objects."""
    path = Path(container.name.removeprefix("file:"))
    return path if container.name.startswith("file:") and path.is_file() else None


def _ends_in_a_packet(file: BinaryIO) -> bool:
    # 0x47 opens the last packet, of 188 bytes (ISO 13818-1), where the file is whole.
    if file.seek(0, os.SEEK_END) < 188:
        return True
    file.seek(-188, os.SEEK_END)
    return file.read(1) != b"\x47"
