"""Pieces of an encoded film on disk: packets with their exact times, to be joined later without encoding again.

No container of FFmpeg's will do: Matroska rounds times to milliseconds, NUT keeps no decoding times, and an mp4 does
not give every duration back. So a file of packets is, for each packet, its pts, dts and duration in ticks of the output
(three int64), whether it is a key picture (one byte), how many bytes follow (uint32), little-endian, and these bytes.
"""

import hashlib
import io
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av

from vidsr.context import Context
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.video.copy_info import CopyInfo
from vidsr.video.write.encoder import Encoder
from vidsr.video.write.encoder_setup import Encoding

_PACKET = struct.Struct("<qqq?I")
_NEEDLESS = ("quality_stats", "cpb_properties")  # side data that no muxer writes


@dataclass(frozen=True, slots=True)
class Segment:
    """What a file of packets holds."""

    index: int
    """Its place on the grid, from 0."""
    frames: int
    tick: str
    """Seconds, as a fraction."""
    first: int
    """Pts of the first frame, in ticks."""
    last: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A packet of the film, ready to be muxed."""

    packet: Any


def write_segment(
    frames: Iterable[Frame], file: Path, index: int, encoding: Encoding, copy: CopyInfo, context: Context
) -> Segment | None:
    """Encode frames by an encoder of their own into a file of packets, synced; None where there are no frames.

    The bytes depend on nothing but the frames and the settings. Raises OutputError, and OSError as the system does.
    """
    pictures = iter(frames)
    opening = next(pictures, None)
    if opening is None:
        return None
    times: list[int] = []
    digest, size = hashlib.sha256(), 0
    # Never written: it only tells the encoder which headers the film will want.
    with av.open(io.BytesIO(), "w", format=encoding.muxer.name) as container, file.open("wb") as out:
        encoder = Encoder(container, encoding, copy, context=context)
        for frame in chain([opening], pictures, [None]):
            for packet in encoder.encode(frame):
                for part in (_head(packet), bytes(packet)):
                    out.write(part)
                    digest.update(part)
                    size += len(part)
            assert encoder.last is not None
            times.append(encoder.last)
        out.flush()
        os.fsync(out.fileno())
    return Segment(index, len(times) - 1, str(encoder.tick), times[0], times[-1], size, digest.hexdigest())


def read_segments(segments: Iterable[tuple[Segment, Path]]) -> Iterator[Encoded]:
    """The packets of segments that follow one another, in order.

    Each frame comes behind the one before, as in a film that is encoded at once: where ticks are coarse, two frames
    very close to one another may fall on the same.
    """
    last: int | None = None
    for segment, file in segments:
        times: dict[int, int] = {}
        for pts in sorted(_times(file)):
            times[pts] = last = pts if last is None else max(pts, last + 1)
        with file.open("rb") as stored:
            while head := stored.read(_PACKET.size):
                pts, dts, duration, key, size = _PACKET.unpack(head)
                packet = av.Packet(stored.read(size))
                packet.time_base = Fraction(segment.tick)
                packet.pts, packet.dts, packet.duration, packet.is_keyframe = times[pts], dts, duration, key
                yield Encoded(packet)


def _times(file: Path) -> Iterator[int]:
    with file.open("rb") as stored:
        while head := stored.read(_PACKET.size):
            pts, _, _, _, size = _PACKET.unpack(head)
            stored.seek(size, os.SEEK_CUR)
            yield pts


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, read piece by piece."""
    with file.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()


def codec_versions() -> dict[str, str]:
    """The versions of what encodes and decodes."""
    versions = {name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()}
    return {"PyAV": av.__version__, **versions}


def _head(packet: Any) -> bytes:
    for entry in packet.iter_sidedata():
        if entry.data_type not in _NEEDLESS:
            what = entry.data_type.replace("_", " ")
            raise OutputError(
                f"segments cannot keep the {what} of this codec; leave --resume out, or use another codec"
            )
    return _PACKET.pack(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, packet.size)
