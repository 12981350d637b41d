"""Which streams a container can hold."""

import io
from typing import Any

import av

ATTACHED = av.stream.Disposition.attached_pic
UNKNOWN = "nothing is known of it yet; a longer probe would tell (give a file, or pipe NUT)"
_COVERS = ("matroska", "mp4", "ipod")
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
    if stream.type == "video" and stream.disposition & ATTACHED and format not in _COVERS:
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


def codec_of(stream: Any) -> str:
    """The name of a stream's codec, as far as it has one."""
    if stream.codec_context is None and "timecode" in stream.metadata:
        return "time code"
    return (
        stream.codec_context.name if stream.codec_context is not None else (getattr(stream, "name", None) or "unknown")
    )
