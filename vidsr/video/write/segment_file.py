"""Segments of an encoded video on disk: packets with their exact timestamps, joined later without encoding again.

None of FFmpeg's containers keeps them: Matroska rounds timestamps to milliseconds, NUT stores no dts, and mp4 does not
return every duration. A segment file holds for each packet its pts, dts and duration in the time base of the output
(three int64), whether it is a keyframe (one byte), its size (uint32), all little-endian, and then its bytes.
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

import av

from vidsr.context import Context
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.video.write.encoder import Encoder
from vidsr.video.write.encoding_plan import EncodingPlan

_PACKET = struct.Struct("<qqq?I")
_IGNORED_SIDE_DATA = ("quality_stats", "cpb_properties")  # no muxer writes them


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment file contains; a line of the journal."""

    index: int
    """From 0."""
    frames: int
    tick: str
    """Time base, in seconds as a fraction."""
    first: int
    """Pts of the first frame, in that time base."""
    last: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """A packet of the video, ready to be muxed."""

    packet: av.Packet

    @property
    def decoding_time(self) -> Fraction:
        """Seconds."""
        assert self.packet.dts is not None
        return self.packet.dts * self.packet.time_base


def write_segment(
    frames: Iterable[Frame], file: Path, index: int, plan: EncodingPlan, context: Context
) -> Segment | None:
    """Encode frames with a new encoder into a segment file, and sync it; return None without frames.

    The bytes depend only on the frames and the plan. Raises OutputError, and OSError as the system does.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        return None
    times: list[int] = []
    digest, size = hashlib.sha256(), 0
    # This container is never written: it only requests the headers that the muxer of the output needs.
    with av.open(io.BytesIO(), "w", format=plan.muxer.name) as container, file.open("wb") as out:
        encoder = Encoder(container, plan, context)
        for frame in chain([first], frames, [None]):
            for packet in encoder.encode(frame):
                for part in (_header(packet), bytes(packet)):
                    out.write(part)
                    digest.update(part)
                    size += len(part)
            assert encoder.last is not None
            times.append(encoder.last)
        out.flush()
        os.fsync(out.fileno())
    return Segment(index, len(times) - 1, str(plan.time_base), times[0], times[-1], size, digest.hexdigest())


def read_segments(segments: Iterable[tuple[Segment, Path]]) -> Iterator[EncodedPacket]:
    """Give the packets of consecutive segments, in order.

    Pts rise across segments as in a video that is encoded at once: with a coarse time base, the last frame of one
    segment and the first of the next may have the same.
    """
    last: int | None = None
    for segment, file in segments:
        times: dict[int, int] = {}
        for pts in sorted(_pts_of(file)):
            times[pts] = last = pts if last is None else max(pts, last + 1)
        with file.open("rb") as stored:
            while header := stored.read(_PACKET.size):
                pts, dts, duration, is_keyframe, size = _PACKET.unpack(header)
                packet = av.Packet(stored.read(size))
                packet.time_base = Fraction(segment.tick)
                packet.pts, packet.dts, packet.duration, packet.is_keyframe = times[pts], dts, duration, is_keyframe
                yield EncodedPacket(packet)


def _pts_of(file: Path) -> Iterator[int]:
    with file.open("rb") as stored:
        while header := stored.read(_PACKET.size):
            pts, _, _, _, size = _PACKET.unpack(header)
            stored.seek(size, os.SEEK_CUR)
            yield pts


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()


def codec_versions() -> dict[str, str]:
    """Return the versions of PyAV and FFmpeg's libraries."""
    versions = {name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()}
    return {"PyAV": av.__version__, **versions}


def _header(packet: av.Packet) -> bytes:
    for entry in packet.iter_sidedata():
        if entry.data_type not in _IGNORED_SIDE_DATA:
            what = entry.data_type.replace("_", " ")
            raise OutputError(
                f"segments cannot keep the {what} of this codec; leave --resume out, or use another codec"
            )
    return _PACKET.pack(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, packet.size)
