"""Chunks of PNG files: colours that Pillow neither reads nor writes (ISO/IEC 15948; PNG, third edition)."""

import struct
import zlib
from collections.abc import Mapping

from vidsr.color import BT709, UNSPECIFIED, ColorSpec

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_COLORS = (b"cICP", b"gAMA", b"cHRM", b"sRGB", b"mDCV", b"cLLI")
# Transfer characteristics that images without any statement are shown with, closely enough (H.273, table 3).
_AS_SRGB = (1, UNSPECIFIED, 4, 5, 6, 13, 14, 15)
_NAMES = {8: "linear", 16: "PQ", 18: "HLG", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}


def color_chunks(png: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a PNG that state its colours, except for the colour profile, by type."""
    found: dict[bytes, bytes] = {}
    at = len(_SIGNATURE)
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind = png[at + 4 : at + 8]
        if kind == b"IDAT":
            break
        if kind in _OF_COLORS:
            found[kind] = png[at + 8 : at + 8 + length]
        at += 12 + length
    return found


def cicp(color: ColorSpec) -> dict[bytes, bytes]:
    """Return the chunk that states primaries and transfer; empty where images are shown so without it."""
    if is_as_srgb(color):
        return {}
    primaries, transfer = (13 if code == UNSPECIFIED else code for code in (color.primaries, color.transfer))
    return {b"cICP": bytes((BT709 if color.primaries == UNSPECIFIED else primaries, transfer, 0, 1))}


def is_as_srgb(color: ColorSpec) -> bool:
    """Return whether an image that states nothing is shown with these primaries and this transfer."""
    return color.primaries in (BT709, UNSPECIFIED, 5, 6) and color.transfer in _AS_SRGB


def named(color: ColorSpec) -> str:
    """Return primaries and transfer for messages."""
    codes = {"primaries": color.primaries, "transfer": color.transfer}
    return ", ".join(f"{what} {code}{f' ({_NAMES[code]})' if code in _NAMES else ''}" for what, code in codes.items())


def is_plain(chunks: Mapping[bytes, bytes]) -> bool:
    """Return whether chunks state what is assumed without them, such as the usual gamma."""
    gamma = chunks.get(b"gAMA", b"")
    unusual = b"sRGB" not in chunks and len(gamma) == 4 and not 44000 < struct.unpack(">I", gamma)[0] < 47000
    return b"cICP" not in chunks and not unusual


def with_chunks(png: bytes, chunks: Mapping[bytes, bytes]) -> bytes:
    """Return a PNG with chunks after its header, which is its first chunk."""
    start = len(_SIGNATURE) + (25 if len(png) > len(_SIGNATURE) else 0)  # of a fixed length
    added = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return png[:start] + b"".join(added) + png[start:]
