"""The video stream of an output, added and opened as an EncodingPlan says."""

import os
from collections.abc import Mapping

import av
from av.container import OutputContainer

from vidsr.errors import OutputError
from vidsr.system import keep_priority
from vidsr.video._compat import ffmpeg_log
from vidsr.video.convert.nv12 import cuda_hwaccel
from vidsr.video.convert.scale import FULL, LIMITED
from vidsr.video.write.encoding_plan import EncodingPlan

_SVT_LOG = "SVT_LOG"  # the environment variable that sets SVT-AV1's log level; FFmpeg's own has no effect on it


def add_video_stream(container: OutputContainer, plan: EncodingPlan) -> av.VideoStream:
    """Add the video stream to a container, and open its encoder.

    Raises OutputError with the encoder's own reason if it refuses.
    """
    hwaccel = None if plan.cuda_device is None else cuda_hwaccel(f"cuda:{plan.cuda_device}")
    stream = container.add_stream(plan.encoder, rate=plan.frame_rate, hwaccel=hwaccel)
    assert isinstance(stream, av.VideoStream)
    stream.time_base = plan.time_base if plan.keeps_timestamps else 1 / plan.frame_rate
    stream.metadata.update(plan.stream_tags)
    if plan.disposition is not None:
        stream.disposition = plan.disposition
    if plan.pid is not None:
        stream.id = plan.pid
    if plan.display_matrix:
        stream.set_display_matrix(plan.display_matrix)
    _set_up(stream.codec_context, plan)
    _open(stream.codec_context, plan)
    return stream


def _set_up(context: av.VideoCodecContext, plan: EncodingPlan) -> None:
    info = plan.info
    context.width, context.height, context.pix_fmt = info.width, info.height, plan.pixel_format
    context.time_base = plan.frame_time_base or plan.time_base
    context.flags |= av.codec.context.Flags.frame_duration
    context.sample_aspect_ratio = info.aspect
    context.color_range = FULL if info.color.full_range else LIMITED
    context.colorspace = info.color.matrix
    context.color_primaries, context.color_trc = info.color.primaries, info.color.transfer
    # PyAV's default is slice threads, for which x264 cuts every frame into slices: useful for live streams only.
    context.thread_type = "SLICE" if plan.options.live else "AUTO"
    context.options = dict(plan.codec_options)
    if plan.display_order:
        context.max_b_frames = 0
    if plan.codec_tag is not None:
        context.codec_tag = plan.codec_tag


def _open(context: av.VideoCodecContext, plan: EncodingPlan) -> None:
    os.environ.setdefault(_SVT_LOG, "1")  # errors only
    user = plan.options.encoder_options or {}
    try:
        with keep_priority():
            context.open()
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        what = f"{plan.info.width}x{plan.info.height} {plan.pixel_format}"
        hint = f" with {dict(user)}" if user else ""
        reason = _reason(plan.encoder, context, plan.codec_options)
        raise OutputError(f"{plan.encoder} cannot encode {what}{hint}: {reason}") from exc
    unknown = [key for key in user if key in context.options]
    if unknown:
        raise OutputError(f"{plan.encoder} has no option {unknown[0]!r}; see `ffmpeg -h encoder={plan.encoder}`")


def _reason(encoder: str, failed: av.VideoCodecContext, options: Mapping[str, str]) -> str:
    """Open the encoder once more with FFmpeg's log captured. In threads the log can deadlock, so it is usually off.

    options: as given; PyAV 19 crashes when a failed context is asked for them.
    """
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    for key in ("width", "height", "pix_fmt", "time_base", "framerate", "color_range"):
        setattr(context, key, getattr(failed, key))
    if failed.pix_fmt == "cuda" and failed.sw_format is not None:
        context.pix_fmt = failed.sw_format.name
    context.options = dict(options)
    try:
        with ffmpeg_log(av.logging.ERROR) as lines:
            context.open()
    except (av.error.FFmpegError, ValueError, OSError):
        return lines[-1][2].strip().rstrip(".") if lines else "it gives no reason, but may lack memory"
    return "it gives no reason"
