"""Elements of Matroska's tracks that FFmpeg's muxer does not write: 360 degree projections, languages of BCP 47.

The tracks come before the frames, so that they cannot grow in a finished file. The muxer is given names of tracks with
blanks at their end, whose place the new elements take.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from vidsr.errors import OutputError
from vidsr.video import ebml
from vidsr.video.convert.immersive import CUBEMAP, EQUIRECTANGULAR, TILED_EQUIRECTANGULAR, SphericalMapping

ROOM = 160
"""Blanks after the name of a track: enough for a projection and a language."""
_TYPES = {EQUIRECTANGULAR: 1, TILED_EQUIRECTANGULAR: 1, CUBEMAP: 2}
"""ProjectionType by AVSphericalProjection."""
_PROJECTION, _TYPE, _PRIVATE, _POSE = 0x7670, 0x7671, 0x7672, (0x7673, 0x7674, 0x7675)


@dataclass(frozen=True, slots=True)
class TrackExtras:
    """What is added to a track."""

    spherical: SphericalMapping | None = None
    language: str = ""
    """BCP 47; empty for none."""


def can_store(spherical: SphericalMapping) -> bool:
    """Return whether Matroska has a projection."""
    return spherical.projection in _TYPES


def add_to_tracks(file: BinaryIO, extras: Mapping[int, TrackExtras]) -> None:
    """Add elements to the tracks of a finished file, in the room after their names. extras: by number of the track."""
    found = ebml.find_tracks(file)
    if found is None:
        raise OutputError("the tracks of the written Matroska file cannot be found; write .mp4, or report this")
    start, body = found
    new = b""
    for part in ebml.elements(body):
        more = extras.get(_number(part.body)) if part.id == ebml.TRACK_ENTRY else None
        # The entry keeps its size, and so its header.
        new += bytes(part) if more is None else part.header + _rewritten(part.body, more)
    file.seek(start)
    file.write(ebml.with_checksum(new))


def _number(entry: bytes) -> int:
    return next((int.from_bytes(x.body, "big") for x in ebml.elements(entry) if x.id == ebml.TRACK_NUMBER), 0)


def _rewritten(entry: bytes, extras: TrackExtras) -> bytes:
    new = b""
    for part in ebml.elements(entry):
        if part.id == ebml.TRACK_NAME:
            name = part.body.rstrip(b" \0")
            new += ebml.element(part.id, name) if name else b""
        elif part.id == ebml.TRACK_VIDEO and extras.spherical is not None:
            new += ebml.element(part.id, part.body + _projection(extras.spherical))
        else:
            new += bytes(part)
    if extras.language:
        new += ebml.element(ebml.LANGUAGE_BCP47, extras.language.encode())
    left = len(entry) - len(new)
    if left < 0 or left == 1:
        raise OutputError("the room in the header of the Matroska file is too small; write .mp4, or report this")
    return new + ebml.void(left)


def _projection(spherical: SphericalMapping) -> bytes:
    left, top, right, bottom = spherical.bounds
    private = b""
    if spherical.projection == CUBEMAP:
        private = struct.pack(">III", 0, 0, spherical.padding)
    elif spherical.projection == TILED_EQUIRECTANGULAR:
        private = struct.pack(">I4I", 0, top, bottom, left, right)
    body = ebml.element(_TYPE, bytes([_TYPES[spherical.projection]]))
    body += ebml.element(_PRIVATE, private) if private else b""
    for kind, angle in zip(_POSE, spherical.pose, strict=True):
        body += ebml.element(kind, struct.pack(">d", angle / 65536))
    return ebml.element(_PROJECTION, body)
