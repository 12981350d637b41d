"""Boxes of mp4 and mov (ISO 14496-12), as far as the header of a track needs them."""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO


def boxes(data: bytes, at: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield the boxes of a block as type, start and end; ends at one that does not fit into it."""
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            return
        yield kind.decode("latin-1"), at, at + size
        at += size


def box(kind: str, body: bytes) -> bytes:
    """Return a box as bytes."""
    return struct.pack(">I", 8 + len(body)) + kind.encode("latin-1") + body


def boxes_in(file: BinaryIO, at: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield the boxes in a part of a file as type, start of the body and end, reading only their headers."""
    while at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        body = at + 8
        if size == 1 and len(header) == 16:
            size, body = struct.unpack_from(">Q", header, 8)[0], at + 16
        size = size or end - at  # 0: to the end of the file
        if size < 8 or at + size > end:
            return
        yield kind.decode("latin-1"), body, at + size
        at += size


def extended_languages(file: BinaryIO) -> dict[int, str]:
    """Return the languages of BCP 47 that the tracks of a file state (elng), by the id of the track."""
    whole = boxes_in(file, 0, file.seek(0, os.SEEK_END))
    start, end = next(((start, end) for kind, start, end in whole if kind == "moov"), (0, 0))
    tracks = [_track(file, a, b) for kind, a, b in boxes_in(file, start, end) if kind == "trak"]
    return {number: language for number, language in tracks if language}


def _track(file: BinaryIO, start: int, end: int) -> tuple[int, str]:
    number, language = 0, ""
    for kind, a, b in boxes_in(file, start, end):
        if kind == "tkhd":
            file.seek(a)
            header = file.read(24)
            number = int.from_bytes(header[20:24] if header[:1] == b"\1" else header[12:16], "big")
        for inner, c, d in boxes_in(file, a, b) if kind == "mdia" else ():
            if inner == "elng":
                file.seek(c + 4)  # version and flags
                language = file.read(max(0, min(d - c - 4, 64))).partition(b"\0")[0].decode("ascii", "replace")
    return number, language
