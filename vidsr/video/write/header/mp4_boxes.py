"""Boxes of an mp4 or mov that FFmpeg's muxer does not write, added to the index of a finished file.

The muxer puts the index (moov) at the end, where it can grow without moving a frame.
"""

import os
import struct
from collections.abc import Mapping
from typing import BinaryIO

from vidsr.errors import OutputError
from vidsr.video.boxes import box, boxes, boxes_in
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
    file: BinaryIO,
    *,
    spherical: SphericalMapping | None = None,
    stereo: StereoLayout | None = None,
    place: str = "",
    languages: Mapping[int, str] | None = None,
) -> None:
    """Add boxes to a finished file, whose first track is the video: Google's Spherical Video V2, a place, languages.

    place: ISO 6709, as in the tag `location`; empty for none. languages: BCP 47, by the track, from 1.
    """
    start, moov = _index(file)
    added = b""
    if stereo is not None:
        added += box("st3d", struct.pack(">IB", 0, _STEREO[stereo.layout]))
    if spherical is not None:
        added += _sv3d(spherical)
    if added:
        moov = _inserted(moov, _SAMPLE_ENTRY, added)
    if place:
        text = place.encode()
        moov = _with_user_data(moov, box("\xa9xyz", struct.pack(">HH", len(text), _UNDETERMINED) + text))
    for number, language in (languages or {}).items():
        moov = _with_language(moov, number, language)
    file.seek(start - 8)
    file.write(box("moov", moov))


def _index(file: BinaryIO) -> tuple[int, bytes]:
    # Where the body of the moov box begins, and what is in it.
    last = file.seek(0, os.SEEK_END)
    for kind, start, end in boxes_in(file, 0, last):
        if kind == "moov" and end == last:
            file.seek(start)
            return start, file.read(end - start)
    raise OutputError("the index of the written mp4 is not at its end; write .mkv, or report this")


def _inserted(data: bytes, path: tuple[str, ...], added: bytes) -> bytes:
    """Add bytes to the end of the first sample entry of the first track."""
    if not path:  # in stsd: version, flags and number of entries, then the entries
        kind, start, end = next(boxes(data, 8))
        return data[:start] + box(kind, data[start + 8 : end] + added) + data[end:]
    start, end = next((start, end) for kind, start, end in boxes(data) if kind == path[0])
    return data[:start] + box(path[0], _inserted(data[start + 8 : end], path[1:], added)) + data[end:]


def _with_user_data(moov: bytes, added: bytes) -> bytes:
    for kind, start, end in boxes(moov):
        if kind == "udta":
            known = moov[start + 8 : end]
            if any(name == "\xa9xyz" for name, *_ in boxes(known)):
                return moov
            return moov[:start] + box("udta", known + added) + moov[end:]
    return moov + box("udta", added)


def _with_language(moov: bytes, number: int, language: str) -> bytes:
    tracks = [(start, end) for kind, start, end in boxes(moov) if kind == "trak"]
    start, end = tracks[number - 1]
    track = moov[start + 8 : end]
    a, b = next((a, b) for kind, a, b in boxes(track) if kind == "mdia")
    extended = box("elng", bytes(4) + language.encode() + b"\0")
    track = track[:a] + box("mdia", track[a + 8 : b] + extended) + track[b:]
    return moov[:start] + box("trak", track) + moov[end:]


def _sv3d(spherical: SphericalMapping) -> bytes:
    left, top, right, bottom = spherical.bounds
    if spherical.projection == CUBEMAP:
        mapping = box("cbmp", struct.pack(">III", 0, 0, spherical.padding))
    else:
        mapping = box("equi", struct.pack(">I4I", 0, top, bottom, left, right))
    pose = box("prhd", struct.pack(">I3i", 0, *spherical.pose))
    return box("sv3d", box("svhd", b"\0\0\0\0vidsr\0") + box("proj", pose + mapping))
