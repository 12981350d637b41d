"""Payload of packets: the bytes without the framing that one container asks for."""

from collections.abc import Iterator
from typing import Any

_AROUND_AV1 = {2, 7, 8, 15}  # temporal delimiters, redundant headers, tile lists, padding: some containers drop them
_PGS_START = b"\x16"  # a presentation composition segment
# NAL unit types of H.264 and HEVC that are in the header of one container and among the packets of another.
_AROUND = {"h264": {7, 8, 9}, "hevc": {32, 33, 34, 35}}


def payload(packet: Any, codec: str, config: bytes) -> bytes:
    """Return the bytes of a packet without what a container adds to them.

    codec: its canonical name. config: the extradata of its stream, which state the framing of H.264 and HEVC.
    """
    data = bytes(packet)
    if codec == "aac" and data[:1] == b"\xff" and data[1:2] and data[1] & 0xF6 == 0xF0:  # ADTS, as in MPEG-TS
        return data[7 if data[1] & 1 else 9 :]
    if codec == "opus" and data[:1] == b"\x7f" and data[1:2] and data[1] & 0xE0 == 0xE0:
        return _without_control_header(data)
    if codec == "av1":
        return b"".join(_open_units(data))
    if codec in _AROUND:
        return b"".join(_units(data, codec, config))
    return data


def is_continued(packet: Any, codec: str) -> bool:
    """Return whether a packet continues the one before: a segment of a PGS picture, which is one packet in Matroska."""
    return codec == "hdmv_pgs_subtitle" and bytes(packet)[:1] != _PGS_START


def is_filler(packet: Any, codec: str) -> bool:
    """Return whether a packet only clears the display, as mp4 has them between subtitles."""
    return codec == "mov_text" and bytes(packet)[:2] == b"\0\0"


def config_of(stream: Any) -> bytes:
    """Return the extradata of a stream."""
    context = stream.codec_context
    return bytes(context.extradata or b"") if context is not None else b""


def _without_control_header(data: bytes) -> bytes:
    # ETSI TS 103 491, the header of Opus in MPEG-TS: 11 bits of sync, 3 flags, the size, then optional fields.
    position, flags = 2, data[1]
    while data[position : position + 1] == b"\xff":
        position += 1
    position += 1 + (2 if flags & 0x10 else 0) + (2 if flags & 0x08 else 0)
    if flags & 0x04:
        position += 1 + data[position]
    return data[position:]


def _units(data: bytes, codec: str, config: bytes) -> Iterator[bytes]:
    # NAL units without start codes, lengths and parameter sets.
    units = _sized(data, config, codec) if config[:1] == b"\x01" else _started(data)
    for unit in units:
        kind = unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
        if kind not in _AROUND[codec]:
            yield unit


def _sized(data: bytes, config: bytes, codec: str) -> Iterator[bytes]:
    width = (config[4 if codec == "h264" else 21] & 3) + 1
    position = 0
    while position + width < len(data):
        size = int.from_bytes(data[position : position + width], "big")
        if size:
            yield data[position + width : position + width + size]
        position += width + size


def _started(data: bytes) -> Iterator[bytes]:
    for part in data.split(b"\0\0\1")[1:]:
        if unit := part.rstrip(b"\0"):
            yield unit


def _open_units(data: bytes) -> Iterator[bytes]:
    # OBUs of AV1 (its specification, 5.3), without their sizes.
    position = 0
    while position < len(data):
        header = data[position]
        position += 1 + (header >> 2 & 1)  # with an extension
        size = len(data) - position
        if header & 2:  # has_size
            size = shift = 0
            while position < len(data):
                byte = data[position]
                size, shift, position = size | (byte & 127) << shift, shift + 7, position + 1
                if byte < 128:
                    break
        if header >> 3 & 15 not in _AROUND_AV1:
            yield data[position : position + size]
        position += size
