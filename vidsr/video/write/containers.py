"""Which container an output gets, what it can do, and what its muxer is told."""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import av
from av.format import ContainerFormat

from vidsr.errors import NotPipeable, OutputError
from vidsr.io.names import is_address, is_folder, title_of
from vidsr.io.pipes import is_fifo
from vidsr.video.metadata import ATTACHED, codec_of

IMAGES = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF"}
MUXERS = {
    "mp4": "mp4",
    "m4v": "mp4",
    "mov": "mov",
    "mkv": "matroska",
    "webm": "webm",
    "ts": "mpegts",
    "m2ts": "mpegts",
    "mts": "mpegts",
    "nut": "nut",
    "y4m": "yuv4mpegpipe",
    "avi": "avi",
    "flv": "flv",
}
_BY_SCHEME = {"rtmp": "flv", "rtmps": "flv", "rtmpt": "flv", "rtmpte": "flv", "rtmpts": "flv", "rtsp": "rtsp"}
_REWOUND = ("mp4", "mov", "ipod", "3gp", "3g2", "ismv")  # their index is written at the end, into the beginning
# What encodes for containers that the default codec does not go into.
FITTING = {"webm": "libvpx-vp9", "yuv4mpegpipe": "wrapped_avframe"}


@dataclass(frozen=True, slots=True)
class Muxer:
    """A container format."""

    name: str
    """FFmpeg's name; Pillow's for an image."""
    image: bool = False
    """One picture, rather than a film."""

    def check(self, name: str | Path | BinaryIO) -> None:
        """Raise NotPipeable where the format must be rewound and the output cannot be.

        Raises OutputError where the format is not one file.
        """
        if not self.image and not is_address(name) and ContainerFormat(self.name, "w").no_file:
            raise OutputError(f"{self.name} is written as files of its own, not as one; pipe NUT into ffmpeg for that")
        piped = name == "-" or is_address(name)
        if isinstance(name, str | Path):
            piped = piped or is_fifo(Path(name))
        elif hasattr(name, "seekable"):
            piped = not name.seekable()
        if piped and self.name in _REWOUND:
            where = title_of(name, pipe="stdout")
            raise NotPipeable(f"{self.name} cannot be written to {where}, which cannot be rewound; use NUT: -f nut")

    def options(self, *, live: bool, free_tags: bool, tick: Fraction, repeatable: bool = False) -> dict[str, str]:
        """Options of the muxer. free_tags: keep tags that an mp4 usually has no place for. tick: the film's.

        repeatable: the same packets make the same file, byte by byte.
        """
        options: dict[str, str] = {"fflags": "+bitexact"} if repeatable else {}
        if self.name in ("matroska", "webm"):
            # Sound begins a little before 0 where its encoder needs a run-up; a shift would move the picture.
            options["avoid_negative_ts"] = "disabled"
        if self.name in ("mp4", "mov"):
            # Where a track begins is said in these; by default in milliseconds. Whole for the film, fine for others.
            whole = tick.denominator if tick >= Fraction(1, 90000) else 90000
            options["movie_timescale"] = str(-(-90000 // whole) * whole)
            if free_tags:
                options["movflags"] = "+use_metadata_tags"
        if self.name == "yuv4mpegpipe":
            options["strict"] = "-1"  # 10 bits are an extension of the format
        if live:
            options["flush_packets"] = "1"
            if self.name == "nut":
                options["write_index"] = "0"  # it would be kept in memory to the end, which may never come
            if self.name != "flv":  # which refuses packets that do not rise in time across its streams
                options["max_interleave_delta"] = "1"  # else a packet waits 10 s for one of each other stream
            if self.name in ("matroska", "webm"):
                options |= {"live": "1", "cluster_time_limit": "0"}
        return options


def muxer_of(name: str | Path | BinaryIO, format: str | None) -> Muxer:
    """The container for an output: as asked for, or by its name; NUT for a pipe.

    Raises OutputError where neither tells.
    """
    if format is not None:
        return _named(format)
    if name == "-":
        return Muxer("nut")
    if is_address(name):
        parts = urlsplit(str(name))
        known = _known(Path(parts.path).suffix) if parts.scheme in ("http", "https", "ftp") else None
        return known or Muxer(_BY_SCHEME.get(parts.scheme, "mpegts"))
    if not isinstance(name, str | Path):
        return _known(Path(str(getattr(name, "name", ""))).suffix) or Muxer("nut")
    if is_folder(name):
        raise OutputError(f"{title_of(name)} is a folder; name a file in it, as film.mp4, or pictures, as %05d.png")
    suffix = Path(name).suffix
    known = _known(suffix)
    if known is None and is_fifo(Path(name)):
        return Muxer("nut")
    if known is None:
        what = f"ends in {suffix}, which is no output format" if suffix else "has no extension"
        raise OutputError(
            f"{title_of(name)} {what}; use one of .{', .'.join([*MUXERS, *IMAGES])}, or name it with --format"
        )
    return known


def _known(suffix: str) -> Muxer | None:
    extension = suffix.lower().removeprefix(".")
    if extension in IMAGES:
        return Muxer(IMAGES[extension], image=True)
    return Muxer(MUXERS[extension]) if extension in MUXERS else None


def _named(format: str) -> Muxer:
    known = _known(format)
    if known is not None:
        return known
    try:
        return Muxer(ContainerFormat(format, "w").name)
    except ValueError as exc:
        raise OutputError(f"{format!r} is no output format; use one of {', '.join([*MUXERS, *IMAGES])}") from exc


UNKNOWN = "nothing is known of it yet; a longer probe would tell (give a file, or pipe NUT)"
_COVER_ART = ("matroska", "mp4", "ipod")
# MPEG-TS takes any codec, and then nobody can read it: these have a stream type of their own.
# fmt: off
TS_CODECS = {
    "mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "dirac", "vc1", "cavs", "mp1", "mp2", "mp3",
    "mp2float", "mp3float", "aac", "aac_latm", "ac3", "eac3", "dts", "dca", "truehd", "opus", "libopus", "s302m",
    "pcm_bluray", "dvbsub", "dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle", "pgssub", "smpte_klv", "klv",
    "timed_id3", "arib_caption",
}
# fmt: on

CHANNELS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Which channels players take so many to be."""


def unfit(format: str, stream: Any) -> str | None:
    """Why a container cannot hold a stream; None where it can. Tried in memory, up to the header."""
    codec, known = codec_of(stream), stream.codec_context is not None
    if stream.type == "video" and stream.disposition & ATTACHED and format not in _COVER_ART:
        return f"{format} holds no cover art"
    if stream.type == "attachment" and format != "matroska":
        return f"{format} holds no attachments"
    if format == "mpegts" and codec not in TS_CODECS:
        return f"{format} holds no {codec}"
    if stream.type == "data" and format in ("mov", "mp4", "flv", "avi"):
        return f"{format} holds no {codec} data"
    if stream.type == "audio" and known and not stream.codec_context.sample_rate:
        return UNKNOWN
    if format == "flv" and codec in ("opus", "libopus", "flac") and not stream.codec_context.extradata:
        return f"{format} holds no {codec} without its header"  # its muxer would abort the process
    if unnamed_channels(format, stream) and stream.codec_context.layout.nb_channels not in CHANNELS:
        return f"{format} holds no {codec} of {stream.codec_context.layout.nb_channels} channels without names"
    try:
        with av.open(io.BytesIO(), "w", format=format) as trial:
            copy = trial.add_stream_from_template(stream, opaque=True)
            if stream.disposition & ATTACHED:
                copy.disposition = stream.disposition
            trial.start_encoding()
    except (ValueError, av.error.FFmpegError, OSError):
        return f"{format} holds no {codec} {stream.type}"
    return None


def unnamed_channels(format: str, stream: Any) -> bool:
    """Whether raw sound does not say which channels it has, as an mp4 must, which would fail only at its end."""
    known = stream.type == "audio" and stream.codec_context is not None
    raw = format == "mp4" and known and codec_of(stream).startswith("pcm_")
    return raw and stream.codec_context.layout.name.endswith(" channels")
