"""Containers: which one an output gets, and the options of its muxer."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from av.format import ContainerFormat
from av.stream import Stream

from vidsr.errors import NotPipeable, OutputError
from vidsr.io.names import is_address, is_folder, title_of
from vidsr.io.pipes import is_fifo
from vidsr.options import EncodeOptions
from vidsr.video.convert.image_kind import DEEP
from vidsr.video.metadata import ATTACHED, codec_of

IMAGES = {
    "png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF",
    "gif": "GIF", "apng": "APNG",
}  # fmt: skip
"""Pillow's name of an image format, by extension; APNG is a PNG with more than one frame."""
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
"""FFmpeg's name of a muxer, by extension."""
_BLURAY = ("m2ts", "mts")
_BY_SCHEME = {"rtmp": "flv", "rtmps": "flv", "rtmpt": "flv", "rtmpte": "flv", "rtmpts": "flv", "rtsp": "rtsp"}
_SEEKING = ("mp4", "mov", "ipod", "3gp", "3g2", "ismv")  # they seek back to complete the header
_ENCODERS = {"webm": "libvpx-vp9", "yuv4mpegpipe": "wrapped_avframe"}  # for containers that cannot hold H.264


@dataclass(frozen=True, slots=True)
class Muxer:
    """A container format, or an image format."""

    name: str
    """FFmpeg's name; Pillow's for an image."""
    image: bool = False
    bluray: bool = False
    """Whether MPEG-TS is written as on Blu-ray discs and by camcorders (BDAV): packets of 192 bytes."""

    @property
    def title(self) -> str:
        """How messages name it."""
        return "m2ts" if self.bluray else self.name

    def check(self, name: str | Path | BinaryIO) -> None:
        """Raise NotPipeable if the muxer must seek and the output cannot, OutputError if it does not write one file."""
        if not self.image and not is_address(name) and ContainerFormat(self.name, "w").no_file:
            raise OutputError(
                f"{self.name} consists of several files, which vidsr cannot write; pipe NUT to ffmpeg, which can"
            )
        piped = name == "-" or is_address(name)
        if isinstance(name, str | Path):
            piped = piped or is_fifo(Path(name))
        elif hasattr(name, "seekable"):
            piped = not name.seekable()
        if piped and self.name in _SEEKING:
            where = title_of(name, pipe="stdout")
            raise NotPipeable(f"{self.name} needs an output that can seek, and {where} cannot; use NUT: -f nut")

    def options(self, options: EncodeOptions, time_base: Fraction, *, free_tags: bool) -> dict[str, str]:
        """Return the muxer's options.

        time_base: of the input. free_tags: store tags that an mp4 usually has no place for.
        """
        chosen = self.fixed_options() | ({"fflags": "+bitexact"} if options.repeatable else {})
        if self.name in ("matroska", "webm"):
            # Audio may start a little before 0, where its decoder needs a run-up; a shift would move the video.
            chosen["avoid_negative_ts"] = "disabled"
        if self.name in ("mp4", "mov"):
            # Track starts are stored in this unit, by default a millisecond: make it a multiple of the time base.
            base = time_base.denominator if time_base >= Fraction(1, 90000) else 90000
            chosen["movie_timescale"] = str(-(-90000 // base) * base)
            if free_tags:
                chosen["movflags"] = "+use_metadata_tags"
        if self.name == "yuv4mpegpipe":
            chosen["strict"] = "-1"  # 10 bits are an extension of the format
        if options.live:
            chosen |= self._live_options()
        return chosen

    def fixed_options(self) -> dict[str, str]:
        """Return the options that decide what the container can hold."""
        return {"mpegts_m2ts_mode": "1"} if self.bluray else {}

    def _live_options(self) -> dict[str, str]:
        options = {"flush_packets": "1"}
        if self.name == "nut":
            options["write_index"] = "0"  # the index would grow in memory until the end, which may never come
        if self.name != "flv":  # whose packets must rise in time across all streams
            options["max_interleave_delta"] = "1"  # else a packet waits up to 10 s for one of every other stream
        if self.name in ("matroska", "webm"):
            options |= {"live": "1", "cluster_time_limit": "0"}
        return options


def muxer_of(name: str | Path | BinaryIO, format: str | None) -> Muxer:
    """Return the container of an output: the format asked for, else by its name, else NUT for pipes.

    Raises OutputError if neither names one.
    """
    if format is not None:
        return _named(format)
    if name == "-":
        return Muxer("nut")
    if is_address(name):
        parts = urlsplit(str(name))
        known = _by_suffix(Path(parts.path).suffix) if parts.scheme in ("http", "https", "ftp") else None
        return known or Muxer(_BY_SCHEME.get(parts.scheme, "mpegts"))
    if not isinstance(name, str | Path):
        return _by_suffix(Path(str(getattr(name, "name", ""))).suffix) or Muxer("nut")
    if is_folder(name):
        raise OutputError(f"{title_of(name)} is a folder; name a file in it, such as out.mp4, or images, as %05d.png")
    suffix = Path(name).suffix
    known = _by_suffix(suffix)
    if known is None and is_fifo(Path(name)):
        return Muxer("nut")
    if known is None:
        what = f"ends in {suffix}, an unknown output format" if suffix else "has no extension"
        raise OutputError(
            f"{title_of(name)} {what}; use one of .{', .'.join([*MUXERS, *IMAGES])}, or name it with --format"
        )
    return known


def holds_16_bits(name: str | Path | BinaryIO, format: str | None) -> bool:
    """Return whether an output is an image, or images, of a format that holds 16 bits a sample."""
    try:
        return muxer_of(name, format).name in DEEP
    except OutputError:  # which opening the output reports
        return False


def _by_suffix(suffix: str) -> Muxer | None:
    extension = suffix.lower().removeprefix(".")
    if extension in IMAGES:
        return Muxer(IMAGES[extension], image=True)
    return Muxer(MUXERS[extension], bluray=extension in _BLURAY) if extension in MUXERS else None


def _named(format: str) -> Muxer:
    known = _by_suffix(format)
    if known is not None:
        return known
    try:
        return Muxer(ContainerFormat(format, "w").name)
    except ValueError as exc:
        raise OutputError(f"expected an output format such as {', '.join([*MUXERS, *IMAGES])}; got {format!r}") from exc


def encoder_for(name: str, muxer: str) -> str:
    """Return the encoder asked for; instead of the default, libx264, another if the container cannot hold H.264."""
    is_raw = name == "rawvideo" and muxer == "yuv4mpegpipe"  # which holds nothing else, in an encoder's own wrapping
    return _ENCODERS.get(muxer, name) if name == "libx264" or is_raw else name


# MPEG-TS accepts any codec, but players can read only these, which have a stream type.
# fmt: off
TS_CODECS = {
    "mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "dirac", "vc1", "cavs", "mp1", "mp2", "mp3",
    "mp2float", "mp3float", "aac", "aac_latm", "ac3", "eac3", "dts", "dca", "truehd", "opus", "libopus", "s302m",
    "dvbsub", "dvb_subtitle", "dvb_teletext", "smpte_klv", "klv", "timed_id3", "arib_caption",
}
# fmt: on
BLURAY_CODECS = {"pcm_bluray", "hdmv_pgs_subtitle", "pgssub"}
"""What players can read in a BDAV MPEG-TS, too."""
BLURAY_TYPES = BLURAY_CODECS | {"mpeg2video", "h264", "hevc", "vc1", "ac3", "eac3", "dts", "dca", "truehd"}
"""What has a stream type there; FFmpeg's muxer calls all else private data."""


def describe(stream: Stream) -> str:
    """Return how messages name a stream: its index, type, codec and language."""
    kind = "cover art" if stream.type == "video" and stream.disposition & ATTACHED else stream.type
    language = stream.metadata.get("language", "und")
    return f"stream {stream.index} ({kind}, {codec_of(stream)}{'' if language == 'und' else f', {language}'})"
