"""Boxes of an mp4 or mov that FFmpeg's muxer does not write, added to the index of a finished file.

The muxer puts the index (moov) at the end, where it can grow without moving a frame.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from vidsr.errors import OutputError
from vidsr.video.convert.immersive import (
    CUBEMAP,
    EQUIRECTANGULAR,
    SIDE_BY_SIDE,
    TILED_EQUIRECTANGULAR,
    TOP_AND_BOTTOM,
    SphericalMapping,
    StereoLayout,
)

_STEREO = {TOP_AND_BOTTOM: 1, SIDE_BY_SIDE: 2}  # of st3d, by AVStereo3DType
_SAMPLE_ENTRY = ("trak", "mdia", "minf", "stbl", "stsd")
_UNDETERMINED = 0x55C4  # the language "und", packed


def can_store(spherical: SphericalMapping | None, stereo: StereoLayout | None) -> bool:
    """Return whether an mp4 has boxes for a mapping and a layout."""
    known = spherical is None or spherical.projection in (EQUIRECTANGULAR, CUBEMAP, TILED_EQUIRECTANGULAR)
    return known and (stereo is None or (stereo.layout in _STEREO and not stereo.inverted))


def add_to_index(
    file: BinaryIO, *, spherical: SphericalMapping | None = None, stereo: StereoLayout | None = None, place: str = ""
) -> None:
    """Add boxes to a finished file, whose first track is the video: Google's Spherical Video V2, and a place.

    place: ISO 6709, as in the tag `location`; empty for none.
    """
    start, moov = _index(file)
    added = b""
    if stereo is not None:
        added += _box("st3d", struct.pack(">IB", 0, _STEREO[stereo.layout]))
    if spherical is not None:
        added += _sv3d(spherical)
    if added:
        moov = _inserted(moov, _SAMPLE_ENTRY, added)
    if place:
        text = place.encode()
        moov = _with_user_data(moov, _box("\xa9xyz", struct.pack(">HH", len(text), _UNDETERMINED) + text))
    file.seek(start)
    file.write(_box("moov", moov))


def boxes(data: bytes, at: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield the boxes of a block as type, start and end."""
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield kind.decode("latin-1"), at, at + size
        at += size


def _index(file: BinaryIO) -> tuple[int, bytes]:
    # Where the moov box begins, and what is in it.
    at, last = 0, file.seek(0, 2)
    while at < last:
        file.seek(at)
        header = file.read(16)
        size, kind = struct.unpack_from(">I4s", header)
        size = struct.unpack_from(">Q", header, 8)[0] if size == 1 else size or last - at
        if kind == b"moov" and at + size == last:
            file.seek(at + 8)
            return at, file.read(size - 8)
        at += max(size, 8)
    raise OutputError("the index of the written mp4 is not at its end; write .mkv, or report this")


def _inserted(data: bytes, path: tuple[str, ...], added: bytes) -> bytes:
    """Add bytes to the end of the first sample entry of the first track."""
    if not path:  # in stsd: version, flags and number of entries, then the entries
        kind, start, end = next(boxes(data, 8))
        return data[:start] + _box(kind, data[start + 8 : end] + added) + data[end:]
    start, end = next((start, end) for kind, start, end in boxes(data) if kind == path[0])
    return data[:start] + _box(path[0], _inserted(data[start + 8 : end], path[1:], added)) + data[end:]


def _with_user_data(moov: bytes, added: bytes) -> bytes:
    for kind, start, end in boxes(moov):
        if kind == "udta":
            known = moov[start + 8 : end]
            if any(name == "\xa9xyz" for name, *_ in boxes(known)):
                return moov
            return moov[:start] + _box("udta", known + added) + moov[end:]
    return moov + _box("udta", added)


def _sv3d(spherical: SphericalMapping) -> bytes:
    left, top, right, bottom = spherical.bounds
    if spherical.projection == CUBEMAP:
        mapping = _box("cbmp", struct.pack(">III", 0, 0, spherical.padding))
    else:
        mapping = _box("equi", struct.pack(">I4I", 0, top, bottom, left, right))
    pose = _box("prhd", struct.pack(">I3i", 0, *spherical.pose))
    return _box("sv3d", _box("svhd", b"\0\0\0\0vidsr\0") + _box("proj", pose + mapping))


def _box(kind: str, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind.encode("latin-1") + body
