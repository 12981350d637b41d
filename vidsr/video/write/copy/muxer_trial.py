"""Which streams a container holds: its muxer is asked, by writing a header in memory.

Ordinary pairs of muxer and codec are tried at once. Any other pair is first tried in another process, because muxers
may abort; its result is cached. What that muxer writes is then read back, because some write streams that no demuxer
recognises.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from functools import cache, partial
from typing import Any, cast

import av
from av.container import OutputContainer
from av.stream import Stream

from vidsr.errors import DiskFull
from vidsr.io.cache import read_cache, write_cache
from vidsr.video.metadata import ATTACHED, codec_of
from vidsr.video.pcm_samples import is_pcm
from vidsr.video.write.copy.added_stream import CHANNELS, add_copy, add_with_parameters, has_unnamed_channels
from vidsr.video.write.copy.containers import BLURAY_CODECS, TS_CODECS, Muxer

UNKNOWN_AUDIO = "too little was read to know its format; --probe 50M reads more"
_COVER_ART = ("matroska", "mp4", "ipod")
# fmt: off
_COMMON = {
    "h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg4", "mpeg2video", "mjpeg", "png", "aac", "mp3", "mp3float",
    "mp2", "mp2float", "ac3", "eac3", "dca", "truehd", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac",
    "pcm_s16le", "pcm_s24le", "subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "dvdsub", "dvbsub", "pgssub",
}
# fmt: on
"""Names of decoders, as `codec_of` returns them."""
_ORDINARY = {
    **dict.fromkeys(("matroska", "webm", "mp4", "mov", "nut"), _COMMON),
    "avi": _COMMON - {"hevc"},  # which would come back as raw video
    "mpegts": TS_CODECS,
    "flv": {"h264", "aac", "mp3", "mp3float"},
}
"""Codecs that a muxer is known to accept or to refuse without harm, and that are read back."""
Facts = tuple[str, str, int | str]
"""Type and codec of a stream; its sample rate, as FLV states 8000 Hz of all A-law; of raw video its pixel format."""
_NEEDS_FRAME_SIZE = ("adpcm_ms", "adpcm_ima_wav", "adpcm_yamaha", "g722")  # whose samples the muxer of mov counts
_TIMEOUT_S = 30


def why_unsupported(muxer: Muxer, stream: Stream) -> str:
    """Return why a container cannot hold a stream; empty if it can, which is tried in memory."""
    name, codec, known = muxer.name, codec_of(stream), stream.codec_context is not None
    if stream.type == "video" and stream.disposition & ATTACHED and name not in _COVER_ART:
        return f"{muxer.title} cannot hold cover art"
    if stream.type == "attachment":
        return "" if name == "matroska" else f"{muxer.title} cannot hold attachments"
    if isinstance(stream, av.AudioStream) and known:
        channels = stream.codec_context.layout.nb_channels
        if not stream.codec_context.sample_rate:
            return UNKNOWN_AUDIO
        if name == "mov" and codec in _NEEDS_FRAME_SIZE and not stream.codec_context.frame_size:
            return f"{muxer.title} cannot hold {codec} with an unknown number of samples in a packet"
        if has_unnamed_channels(name, stream) and channels not in CHANNELS:
            return f"{muxer.title} cannot hold {codec} with {channels} unnamed channels"
    if isinstance(stream, av.VideoStream) and known and name == "avi" and codec == "rawvideo":
        context = stream.codec_context
        if context.format is not None and context.format.is_rgb and not context.bits_per_coded_sample:
            return "avi cannot hold raw RGB with an unknown number of bits in a pixel"  # its frames would be empty
    if name == "flv" and codec in ("opus", "libopus", "flac") and not stream.codec_context.extradata:
        return f"{muxer.title} cannot hold {codec} without its header"
    if _takes(muxer, stream) or needs_same_tag(muxer, stream):
        return ""
    rate = f" of {stream.sample_rate} Hz" if name == "flv" and isinstance(stream, av.AudioStream) and known else ""
    return f"{muxer.title} cannot hold {codec} {stream.type}{rate}"


def needs_same_tag(muxer: Muxer, stream: Stream) -> bool:
    """Return whether a container holds a stream only with its tag in the input, as the muxer has no other."""
    if _is_ordinary(muxer, stream) or stream.type not in ("video", "audio") or _takes(muxer, stream):
        return False
    add = partial(add_copy, stream=stream, same_tag=True)
    return not _kills(muxer, stream) and accepts(muxer, add, reads_back=facts_of(stream))


def lacks_parameters(muxer: Muxer, stream: Stream) -> bool:
    """Return whether a decoder needs more than NUT stores of a sound, such as the size of ADPCM's blocks."""
    if muxer.name != "nut" or not isinstance(stream, av.AudioStream) or _is_ordinary(muxer, stream):
        return False
    given: Any = stream.codec_context
    if given is None or is_pcm(stream):
        return False
    try:
        decoder: Any = av.CodecContext.create(given.name, "r")
        decoder.sample_rate, decoder.layout, decoder.extradata = given.sample_rate, given.layout, given.extradata
        decoder.open()
    except (ValueError, av.error.FFmpegError):
        return True
    return False


def _is_ordinary(muxer: Muxer, stream: Stream) -> bool:
    codec = codec_of(stream)
    return codec in _ORDINARY.get(muxer.name, ()) or (muxer.bluray and codec in BLURAY_CODECS)


def _takes(muxer: Muxer, stream: Stream) -> bool:
    # with the tag of the muxer

    def add(trial: OutputContainer) -> Stream:
        copy = add_copy(trial, stream)
        if stream.disposition & ATTACHED:
            copy.disposition = stream.disposition
        return copy

    if _is_ordinary(muxer, stream):
        return accepts(muxer, add, reads_back=None)
    return not _kills(muxer, stream) and accepts(muxer, add, reads_back=facts_of(stream))


def accepts(muxer: Muxer, add: Callable[[OutputContainer], Stream], *, reads_back: Facts | None) -> bool:
    """Return whether a muxer writes a header for the stream that `add` adds to an output.

    reads_back: also a demuxer must find a stream like that in what is written, where the muxer takes any packet.
    """
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=muxer.name, container_options=muxer.fixed_options()) as trial:
            copy = add(trial)
            trial.start_encoding()
            is_written = reads_back is not None and _write_packet(trial, copy)
        if not is_written:
            return True
        file.seek(0)
        with av.open(file) as written:
            is_same = [facts_of(each) for each in written.streams] == [reads_back]
            return is_same and (muxer.name == "nut" or not _lacks_channels(written.streams[0]))
    except (ValueError, av.error.FFmpegError, OSError):
        return False


def _lacks_channels(stream: Stream) -> bool:
    # A decoder needs their number, which a mov loses of WMA. NUT states it, but FFmpeg hides it if no decoder opens.
    known = isinstance(stream, av.AudioStream) and stream.codec_context is not None
    return known and not cast(av.AudioStream, stream).codec_context.layout.nb_channels


def _write_packet(trial: OutputContainer, copy: Stream) -> bool:
    packet = av.Packet(b"a" * 64)  # also a text
    packet.stream, packet.pts, packet.dts, packet.duration, packet.is_keyframe = copy, 0, 0, 1, True
    packet.time_base = copy.time_base or Fraction(1, 1000)
    try:
        trial.mux(packet)
        trial.close()
    except (ValueError, av.error.FFmpegError, OSError):
        return False
    return True


def facts_of(stream: Stream) -> Facts:
    """Return the facts of a stream that a container must keep."""
    context = stream.codec_context
    name = codec_of(stream) if context is None else context.codec.canonical_name
    if isinstance(context, av.AudioCodecContext):
        return stream.type, name, context.sample_rate
    raw = name == "rawvideo" and isinstance(context, av.VideoCodecContext)
    return stream.type, name, cast(av.VideoCodecContext, context).pix_fmt or "" if raw else ""


def _kills(muxer: Muxer, stream: Stream) -> bool:
    """Return whether the muxer ends the process for such a stream, or whether that cannot be tried."""
    context = stream.codec_context
    if context is None:  # data, which no muxer looks into
        return False
    changed: dict[str, Any] = {}
    if isinstance(context, av.AudioCodecContext):
        layout, channels = context.layout.name, context.layout.nb_channels
        named = CHANNELS[channels] if has_unnamed_channels(muxer.name, stream) else layout
        changed = {"sample_rate": context.sample_rate, "layout": named}
        changed |= {"format": context.format.name} if context.format is not None else {}
    elif isinstance(context, av.VideoCodecContext):
        changed = {"width": context.width, "height": context.height}
    extradata = "" if context.extradata is None else bytes(context.extradata).hex()
    question = [muxer.name, muxer.fixed_options(), stream.type, context.name, changed, extradata]
    return not _survives(json.dumps([*question, av.__version__, av.ffmpeg_version_info]))


@cache
def _survives(question: str) -> bool:
    # question: JSON, of `_kills`
    name = hashlib.blake2b(question.encode(), digest_size=12).hexdigest()
    known = read_cache("muxers", name)
    if isinstance(known, bool):
        return known
    command = [sys.executable, "-m", __spec__.name]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        run = subprocess.run(command, input=question.encode(), capture_output=True, env=environment, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    survives = run.returncode in (0, 1)  # 1: an exception, which this process would survive, too
    with suppress(OSError, DiskFull):  # then it is tried again the next time
        write_cache("muxers", name, survives)
    return survives


def _main() -> None:
    """Write the header that a question of `_kills` is about."""
    muxer, options, kind, codec, changed, extradata, *_ = json.load(sys.stdin)
    if extradata:
        changed["extradata"] = bytes.fromhex(extradata)
    with av.open(io.BytesIO(), "w", format=muxer, container_options=options) as trial:
        add_with_parameters(trial, kind, codec, **changed)
        trial.start_encoding()


if __name__ == "__main__":
    _main()
