"""Whether a video was read to its end, by what its container states; gaps in Matroska files."""

import os
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

from vidsr.video.timing import MICROSECOND

_EXACT = ("matroska,webm", "avi")  # formats whose header states the right duration
_TOLERANCE = Fraction(1, 2)  # seconds: durations are rounded, and include what is not shown


def frames_after(stream: av.VideoStream, dts: int | None) -> int:
    """Return how many frames the index of an mp4 has after the last packet that was read."""
    entries = stream.index_entries
    count = len(entries)
    if dts is None:
        return 0
    while count and entries[count - 1].timestamp > dts:
        count -= 1
    return len(entries) - count


def is_truncated(container: InputContainer, read_to: Fraction) -> bool:
    """Return whether a video ends before its container states.

    read_to: the end of the last packet, in seconds on the clock of the video.
    """
    name = container.format.name
    path = path_of(container)
    if name in ("matroska,webm", "mpegts") and path is not None:
        with path.open("rb") as file:
            return _ends_inside_packet(file) if name == "mpegts" else is_cut_off(file)
    return name in _EXACT and (container.duration or 0) * MICROSECOND - read_to > _TOLERANCE


def path_of(container: InputContainer) -> Path | None:
    """Return the file that a container is read from; None for pipes, addresses and file objects."""
    path = Path(container.name.removeprefix("file:"))
    return path if container.name.startswith("file:") and path.is_file() else None


def _ends_inside_packet(file: BinaryIO) -> bool:
    # In a whole file, the last packet of 188 bytes begins with 0x47 (ISO 13818-1).
    if file.seek(0, os.SEEK_END) < 188:
        return True
    file.seek(-188, os.SEEK_END)
    return file.read(1) != b"\x47"


_SEGMENT, _CLUSTER, _GROUP = 0x18538067, 0x1F43B675, 0xA0
_BLOCKS = (0xA3, 0xA1)
# Elements that may be between two blocks: the parts of clusters and groups, and all parts of a segment.
# fmt: off
_BETWEEN = {
    0xE7, 0xA7, 0xAB, 0xEC, 0xBF, 0x9B, 0xFB, 0xFA, 0xA4, 0x8E, 0x75A1, 0x75A2, 0x5854,
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}
# fmt: on
_USUAL = 256  # bytes between two packets; more are examined
_UNCERTAIN = range(-16, 64)  # offsets of the end of a packet: headers, laces, stripped headers


def is_cut_off(file: BinaryIO) -> bool:
    """Return whether a Matroska file ends before its segment; False for live files, which do not state it."""
    whole = os.fstat(file.fileno()).st_size
    for _ in range(8):
        name, size = _number(file, marked=True), _number(file, marked=False)
        if name is None or size is None:
            return False
        if name == _SEGMENT or size > whole:  # seeking beyond the largest possible file would fail
            return file.tell() + size > whole
        file.seek(size, os.SEEK_CUR)
    return False


class GapFinder:
    """Finds bytes between the packets of a Matroska file that are not elements; FFmpeg skips them silently."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, int] | None = None  # position and size of the last block

    def is_before(self, packet: av.Packet) -> bool:
        """Return whether there is a gap between a packet and the one before."""
        if packet.pos is None or packet.pos < 0:
            return False
        last = self._last
        laced = last is not None and last[0] == packet.pos
        self._last = packet.pos, packet.size + (last[1] if last is not None and laced else 0)
        if last is None or laced or packet.pos - sum(last) < _USUAL:
            return False
        try:
            with self._path.open("rb") as file:
                return not any(_joins(file, sum(last) + 4 + shift, packet.pos) for shift in _UNCERTAIN)
        except OSError:  # moved or removed since it was opened
            return False


def _joins(file: BinaryIO, start: int, end: int) -> bool:
    # Whether elements follow each other from `start` to the block whose content begins at `end`.
    file.seek(start)
    while file.tell() < end:
        name, size = _number(file, marked=True), _number(file, marked=False)
        if name in _BLOCKS and file.tell() == end:
            return True
        if name in (_CLUSTER, _GROUP):
            continue
        if name not in _BETWEEN or size is None or size > end:
            return False
        file.seek(size, os.SEEK_CUR)
    return False


def _number(file: BinaryIO, *, marked: bool) -> int | None:
    # EBML: the leading zeros are the length in bytes; all ones are an unknown size.
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(length - 1), "big")
    value = number & ((1 << 7 * length) - 1)
    if not marked and value == (1 << 7 * length) - 1:
        return None
    return number if marked else value
