"""Whether a film was read to its end: what its container promised, against what came."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

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


_SEGMENT, _CLUSTER, _GROUP = 0x18538067, 0x1F43B675, 0xA0
_BLOCKS = (0xA3, 0xA1)
# What may stand between two blocks: the parts of clusters and groups, and all that a segment holds.
# fmt: off
_BETWEEN = {
    0xE7, 0xA7, 0xAB, 0xEC, 0xBF, 0x9B, 0xFB, 0xFA, 0xA4, 0x8E, 0x75A1, 0x75A2, 0x5854,
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,
}
# fmt: on
_USUAL = 256  # bytes between two packets; where there are more, they are looked at
_VAGUE = range(-16, 64)  # bytes by which the end of a packet may lie elsewhere: headers, laces, stripped headers


def is_cut_off(file: BinaryIO) -> bool:
    """Whether a file ends before its segment does; live files do not know where that is."""
    whole = os.fstat(file.fileno()).st_size
    for _ in range(8):
        name, size = _number(file, marked=True), _number(file, marked=False)
        if name is None or size is None:
            return False
        if name == _SEGMENT or size > whole:  # a seek beyond what any file may have would fail
            return file.tell() + size > whole
        file.seek(size, os.SEEK_CUR)
    return False


class Holes:
    """Watches the packets of a file for bytes between them that are no elements: FFmpeg skips those in silence."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, int] | None = None  # where the last block began, and its bytes

    def before(self, packet: Any) -> bool:
        """Whether there is a hole between this packet and the one before."""
        if packet.pos is None or packet.pos < 0:
            return False
        last = self._last
        laced = last is not None and last[0] == packet.pos
        self._last = packet.pos, packet.size + (last[1] if last is not None and laced else 0)
        if last is None or laced or packet.pos - sum(last) < _USUAL:
            return False
        try:
            with self._path.open("rb") as file:
                return not any(_joins(file, sum(last) + 4 + shift, packet.pos) for shift in _VAGUE)
        except OSError:  # moved or removed since it was opened; FFmpeg reads on
            return False


def _joins(file: BinaryIO, start: int, end: int) -> bool:
    # Whether elements stand one behind the other from `start` to the block whose content begins at `end`.
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
