"""How a film is to be written, and the encoder chosen and opened for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av
from av.codec.codec import Codec, UnknownCodecError

from vidsr.context import Context
from vidsr.errors import OutputError
from vidsr.frames import VideoInfo
from vidsr.options import EncodeOptions
from vidsr.system import keep_priority
from vidsr.video.write.containers import FITTING, TS_CODECS, Muxer


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a film is to be written."""

    muxer: Muxer
    info: VideoInfo
    options: EncodeOptions

    @property
    def encoder_options(self) -> Mapping[str, str]:
        """The user's options for the encoder; `pix_fmt` chooses the pixel format."""
        return self.options.encoder_options or {}


def encoder_for(name: str, muxer: str) -> str:
    """The encoder asked for, or the one that takes its place where the container would not take H.264."""
    return FITTING.get(muxer, name) if name == "libx264" else name


def choose_codec(container: Any, plan: Encoding, context: Context) -> Codec:
    """Find the encoder, another than asked for where the container would not take H.264.

    Raises OutputError where there is none of that name, or the container does not hold what it makes.
    """
    muxer = plan.muxer.name
    name = encoder_for(plan.options.codec, muxer)
    if name != plan.options.codec and muxer != "yuv4mpegpipe":  # everyone knows that one to be raw
        context.warn(f"{muxer} holds no H.264: {name} is used")
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # it writes to stderr past every log level but this one
    try:
        codec = Codec(name, "w")
    except UnknownCodecError as exc:
        raise OutputError(f"{name!r} is no encoder here; libx264, libx265, libsvtav1, libvpx-vp9 and ffv1 are") from exc
    if codec.type != "video":
        raise OutputError(f"{name} encodes no video but {codec.type}; try libx264")
    fits = codec.canonical_name in TS_CODECS if muxer == "mpegts" else codec.name in container.supported_codecs
    if not fits:
        raise OutputError(f"{muxer} holds no {name}; use another --codec, or .mkv, which holds nearly any")
    return codec


def open_codec(context: Any, plan: Encoding) -> None:
    """Open an encoder that was set up. Raises OutputError with its own reason where it refuses."""
    name, options = context.name, dict(context.options)  # asked now: PyAV 19 crashes when a failed context is asked
    try:
        with keep_priority():
            context.open()
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        what = f"{plan.info.width}x{plan.info.height} {context.pix_fmt}"
        hint = f" with {dict(plan.encoder_options)}" if plan.encoder_options else ""
        raise OutputError(f"{name} cannot encode {what}{hint}: {_reason(name, context, options)}") from exc
    unknown = [key for key in plan.encoder_options if key in context.options]
    if unknown:
        raise OutputError(f"{name} knows no option {unknown[0]!r}; see `ffmpeg -h encoder={name}`")


def _reason(name: str, failed: Any, options: Mapping[str, str]) -> str:
    # Tried once more with FFmpeg's log switched on: in threads it can deadlock, so it is off at all other times.
    context: Any = av.CodecContext.create(name, "w")
    for key in ("width", "height", "pix_fmt", "time_base", "framerate", "color_range"):
        setattr(context, key, getattr(failed, key))
    if failed.pix_fmt == "cuda":
        context.pix_fmt = failed.sw_format.name
    context.options = dict(options)
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as lines:
            context.open()
    except (av.error.FFmpegError, ValueError, OSError):
        return lines[-1][2].strip().rstrip(".") if lines else "it does not say why, but may lack memory"
    finally:
        av.logging.set_level(before[0])
        av.logging.set_skip_repeated(before[1])
    return "it does not say why"
