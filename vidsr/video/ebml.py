"""EBML elements (RFC 8794), as far as the tracks of a Matroska file need them."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SEGMENT, CLUSTER, TRACKS, TRACK_ENTRY = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE
TRACK_NUMBER, TRACK_TYPE, TRACK_NAME, TRACK_VIDEO = 0xD7, 0x83, 0x536E, 0xE0
LANGUAGE_BCP47 = 0x22B59D
_HEADER, _VOID, _CRC32 = 0x1A45DFA3, 0xEC, 0xBF


@dataclass(frozen=True, slots=True)
class Element:
    """An element in a block of bytes."""

    id: int
    """With its marker, as Matroska's specification writes it."""
    header: bytes
    body: bytes

    def __bytes__(self) -> bytes:
        return self.header + self.body


def elements(data: bytes) -> Iterator[Element]:
    """Yield the elements of a block; ends at one that does not fit into it."""
    at = 0
    while at < len(data):
        header = _header(data[at : at + 12])
        if header is None or at + header[2] + header[1] > len(data):
            return
        kind, size, length = header
        yield Element(kind, data[at : at + length], data[at + length : at + length + size])
        at += length + size


def element(kind: int, body: bytes) -> bytes:
    """Return an element as bytes."""
    length = next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1)
    return _id_bytes(kind) + (len(body) | 1 << 7 * length).to_bytes(length, "big") + body


def void(size: int) -> bytes:
    """Return an element of padding; size: of all of it, 0 or from 2 up."""
    if size == 0:
        return b""
    length = 1 if size < 100 else 8
    body = size - 1 - length
    return bytes([_VOID]) + (body | 1 << 7 * length).to_bytes(length, "big") + bytes(body)


def with_checksum(body: bytes) -> bytes:
    """Return the body of an element with its checksum calculated anew, if it begins with one."""
    if body[:2] != bytes([_CRC32, 0x84]):
        return body
    return body[:2] + zlib.crc32(body[6:]).to_bytes(4, "little") + body[6:]


def find_tracks(file: BinaryIO) -> tuple[int, bytes] | None:
    """Return where the body of Tracks begins in a file, and its bytes; None without one before the clusters.

    What claims to be larger than the file ends at its end.
    """
    at, end = 0, file.seek(0, os.SEEK_END)
    file.seek(0)
    while header := _header(file.read(12)):
        kind, size, length = header
        at += length
        if kind == TRACKS:
            file.seek(at)
            return at, file.read(max(0, min(size, end - at)))
        if kind == CLUSTER:
            return None
        at += 0 if kind == SEGMENT else size
        if at > end:  # of a damaged size; seeking beyond the largest possible file would fail
            return None
        file.seek(at)
    return None


def _header(data: bytes) -> tuple[int, int, int] | None:
    # Id, size of the body, and length of the header of the element that data begins with.
    if not data or data[0] < 0x10:
        return None
    id_length = 9 - data[0].bit_length()
    if len(data) <= id_length or not data[id_length]:
        return None
    size_length = 9 - data[id_length].bit_length()
    size = int.from_bytes(data[id_length : id_length + size_length], "big") & (1 << 7 * size_length) - 1
    return int.from_bytes(data[:id_length], "big"), size, id_length + size_length


def _id_bytes(kind: int) -> bytes:
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big")
