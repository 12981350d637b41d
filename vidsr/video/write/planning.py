"""Choosing how to encode and mux a video, before anything is opened."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av
from av.codec.codec import Codec, UnknownCodecError

from vidsr.context import Code, Notice
from vidsr.errors import OutputError
from vidsr.frames import Frame, VideoInfo
from vidsr.options import EncodeOptions
from vidsr.video.convert.immersive import spherical_mapping, stereo_layout
from vidsr.video.convert.nv12 import lies_on_gpu
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS, pixel_format_name
from vidsr.video.convert.side_data import mastering_of, unstretched
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import needs_free_tags, stream_tags, video_tags
from vidsr.video.write.copy.container_losses import container_losses, stream_losses
from vidsr.video.write.copy.containers import TS_CODECS, Muxer, encoder_for
from vidsr.video.write.copy.programs import changed_pids, kept_pids, program_options
from vidsr.video.write.encoder_options import SEMI_PLANAR, choose_pixel_format, encoder_options, is_repeatable
from vidsr.video.write.encoding_plan import EncodingPlan
from vidsr.video.write.header.header_patch import stereo_mode
from vidsr.video.write.output_clock import encoder_frame_rate, needs_display_order, output_time_base, start_shift
from vidsr.video.write.rgb_video import encoded_info, rgb_notice

_REORDERING = ("libx264", "libx264rgb", "libx265", "h264_nvenc", "hevc_nvenc")
"""Encoders that use B-frames unless they are forbidden."""
_NVENC_FORMATS = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
"""What NVENC encodes from the memory of its GPU."""


def plan_encoding(muxer: Muxer, info: VideoInfo, options: EncodeOptions, copy: CopyInfo | None = None) -> EncodingPlan:
    """Choose encoder, pixel format, time base and options for a video, and collect warnings. Opens and writes nothing.

    info: of the output. copy: what it copies from its input.
    Raises OutputError if the encoder, the container or the size of the video does not allow the options.
    """
    across, down = info.color.subsampling
    if across and (info.width % 2 or (down and info.height % 2)):
        raise OutputError(f"video with subsampled chroma needs even sides; got {info.width}x{info.height}")
    user = options.encoder_options or {}
    codec = _find_encoder(muxer.name, encoder_for(options.codec, muxer.name))
    given, info = info, encoded_info(info, codec, user)
    pixel_format = choose_pixel_format(codec, info, user, muxer=muxer.name)
    cuda_device = None if copy is None or "pix_fmt" in user else _nvenc_device(codec.name, pixel_format, copy.first)
    mastering = None if copy is None else mastering_of(copy.first.av_frame)
    planar_format = SEMI_PLANAR.get(pixel_format, pixel_format)
    reorders = codec.name in _REORDERING and "bf" not in user
    plan = EncodingPlan(
        muxer=muxer,
        info=info,
        given=given,
        options=options,
        encoder=codec.name,
        codec=codec.canonical_name,
        pixel_format=pixel_format if cuda_device is None else _NVENC_FORMATS[pixel_format],
        cuda_device=cuda_device,
        time_base=output_time_base(muxer.name, codec.name, info.time_base),
        frame_rate=encoder_frame_rate(codec, info.rate),
        muxer_options=muxer.options(options, info.time_base, free_tags=copy is not None and needs_free_tags(copy.tags)),
        codec_options=encoder_options(codec.name, options, info, mastering, planar_format),
        display_order=reorders and needs_display_order(muxer.name, lambda: copy is None or copy.is_variable()),
        mastering=mastering,
    )
    if copy is not None:
        in_matroska = muxer.name in ("matroska", "webm")
        shift = start_shift(muxer.name, copy.first)
        spherical, stereo = spherical_mapping(copy.first.av_frame), stereo_layout(copy.first.av_frame)
        mode = stereo_mode(muxer.name, stereo)
        plan = replace(
            plan,
            start_shift=shift,
            tags=video_tags(copy.tags),
            chapters=shift.chapters(copy.chapters),
            stream_tags=stream_tags(copy.video_stream) | ({"stereo_mode": mode} if mode else {}),
            of_images=copy.image is not None,
            spherical=spherical and spherical.scaled(info.width / copy.info.width),
            stereo=stereo,
            disposition=copy.video_stream.disposition,
            # Matroska stores rotation and mirroring only, or nothing at all.
            display_matrix=unstretched(copy.display_matrix) if in_matroska else copy.display_matrix,
        )
        if muxer.name == "mpegts":
            options_of_ts = {**plan.muxer_options, **program_options(copy)}
            plan = replace(plan, muxer_options=options_of_ts, pid=kept_pids(muxer, copy).get(copy.video_stream.index))
    return replace(plan, warnings=tuple(_warnings(plan, copy)))


def _find_encoder(muxer: str, name: str) -> Codec:
    try:
        codec = Codec(name, "w")
    except UnknownCodecError as exc:
        known = "libx264, libx265, libsvtav1, libvpx-vp9 or ffv1"
        raise OutputError(f"expected an encoder such as {known}; got {name!r}") from exc
    if codec.type != "video":
        raise OutputError(f"expected a video encoder such as libx264; got {name}, which encodes {codec.type}")
    with av.open(io.BytesIO(), "w", format=muxer) as container:  # in memory, only to ask it
        fits = codec.canonical_name in TS_CODECS if muxer == "mpegts" else codec.name in container.supported_codecs
    if not fits:
        raise OutputError(f"{muxer} cannot hold {name}; use another --codec, or .mkv, which holds almost any")
    return codec


def _nvenc_device(encoder: str, pixel_format: str, first: Frame) -> int | None:
    """Return the GPU in whose memory the frames lie, if NVENC can encode them from there."""
    if not lies_on_gpu(first) or not encoder.endswith("_nvenc") or pixel_format not in _NVENC_FORMATS:
        return None
    plane: Any = first.planes[0]
    device: int = plane.__dlpack_device__()[1]
    return device


def _warnings(plan: EncodingPlan, copy: CopyInfo | None) -> Iterator[Notice]:
    if plan.encoder != plan.options.codec and plan.keeps_timestamps:  # y4m is known to hold raw frames
        yield Notice(f"{plan.muxer.name} cannot hold H.264: {plan.encoder} is used")
    yield from _pixel_format_warnings(plan)
    if not plan.keeps_timestamps and (copy is None or copy.is_variable()):
        what = "y4m stores no timestamps: frames of a variable frame rate are written at a constant one"
        yield Notice(what, (Code.PTS, Code.DURATION))
    if plan.options.repeatable and not is_repeatable(plan.encoder):
        yield Notice(f"{plan.encoder} may not be repeatable: a resumed output may differ from one made in one run")
    if copy is None:
        return
    if copy.image is not None:
        from vidsr.video.convert.image_metadata import lost_in_video, read_image_metadata  # which loads Pillow

        if lost := lost_in_video(read_image_metadata(copy.image)):
            yield lost
    yield from changed_pids(plan.muxer, copy)
    yield from container_losses(plan)
    yield from stream_losses(plan.muxer.name, copy.video_stream, video=True)


def _pixel_format_warnings(plan: EncodingPlan) -> Iterator[Notice]:
    info, planar_format = plan.info, plan.planar_format
    if info.rgb:
        yield rgb_notice(plan.given, info, planar_format, plan.encoder)
    gray = info.gray and not plan.keeps_alpha
    wanted = pixel_format_name(info.bits, info.color.subsampling, gray=gray, alpha=plan.keeps_alpha)
    if planar_format == wanted or (info.rgb and "pix_fmt" in (plan.options.encoder_options or {})):
        return
    if "pix_fmt" in (plan.options.encoder_options or {}):
        what = f"the video is encoded as {planar_format}, as requested, instead of {wanted}"
        yield Notice(what, (Code.PIXEL_FORMAT,))
    elif not (info.gray and PIXEL_FORMATS[planar_format][0] == info.bits):  # gray loses nothing by chroma planes
        what = f"{plan.encoder} does not support {wanted}: the video is encoded as {planar_format}, the closest"
        yield Notice(what, (Code.PIXEL_FORMAT,))
