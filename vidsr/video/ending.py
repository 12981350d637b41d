"""Whether a film was read to its end: what its container promised, against what came."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from vidsr.video.timing import TICK

_EXACT = ("matroska,webm", "avi")  # formats whose header tells how long the film is, and is right about it
_SLACK = Fraction(1, 2)  # seconds by which headers are rounded, or count what is not shown
_SEGMENT = 0x18538067


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
    path = Path(container.name.removeprefix("file:"))
    if name in ("matroska,webm", "mpegts") and container.name.startswith("file:") and path.is_file():
        with path.open("rb") as file:
            return _ends_in_a_packet(file) if name == "mpegts" else _ends_in_a_segment(file)
    return name in _EXACT and bool(container.duration) and container.duration * TICK - reached > _SLACK


def _ends_in_a_packet(file: BinaryIO) -> bool:
    # 0x47 opens the last packet, of 188 bytes (ISO 13818-1), where the file is whole.
    if file.seek(0, os.SEEK_END) < 188:
        return True
    file.seek(-188, os.SEEK_END)
    return file.read(1) != b"\x47"


def _ends_in_a_segment(file: BinaryIO) -> bool:
    # The header of EBML (RFC 8794), then the segment that holds everything (RFC 9559); live files do not know its size.
    for _ in range(8):
        name, size = _number(file, marked=True), _number(file, marked=False)
        if name is None or size is None:
            return False
        if name == _SEGMENT:
            return file.tell() + size > os.fstat(file.fileno()).st_size
        file.seek(size, os.SEEK_CUR)
    return False


def _number(file: BinaryIO, *, marked: bool) -> int | None:
    # As many bytes as there are zeros before the first one, which marks the length; all ones: not known.
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(length - 1), "big")
    value = number & ((1 << 7 * length) - 1)
    if not marked and value == (1 << 7 * length) - 1:
        return None
    return number if marked else value
