"""Decoding on a GPU (NVDEC)."""

from dataclasses import dataclass
from typing import cast

import av
from av.codec.hwaccel import HWAccel

from vidsr.context import Context
from vidsr.video.convert.nv12 import can_stay_semiplanar, cuda_hwaccel, download, is_surface
from vidsr.video.convert.qp import ESTIMATED

DECODED = ("h264", "hevc", "vp9", "vp8", "mpeg2video")
"""Codecs that are decoded on a GPU: those whose decoder of that name falls back to the CPU. That of AV1 does not."""
_PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv420p10le")
_PROGRESSIVE = (0, 1)  # AV_FIELD_UNKNOWN, AV_FIELD_PROGRESSIVE


@dataclass(frozen=True, slots=True)
class Offload:
    """What a GPU does for a source."""

    device: str
    """cuda or cuda:N decodes there what it can; cpu nothing."""
    keeps: bool = False
    """Whether frames stay NV12 or P010 in the memory of the GPU, if they lose nothing by it."""
    always: bool = True
    """Whether it decodes also codecs whose QP only the decoder of the CPU exports."""


def can_open_gpu(device: str) -> bool:
    """Return whether FFmpeg can open a GPU.

    Call this before anything else uses the GPU: FFmpeg accepts no primary context with other flags than its own.
    """
    try:
        decoder = av.CodecContext.create("h264", "r", hwaccel=cuda_hwaccel(device))
    except (av.error.FFmpegError, OSError, ValueError, NotImplementedError):
        return False
    return bool(decoder.is_hwaccel)  # false, without an error, if FFmpeg was built without CUDA


def second_decoder(stream: av.VideoStream, name: str, hwaccel: HWAccel | None = None) -> av.VideoCodecContext:
    """Return another decoder for a stream, set up as its own decoder is by `set_up_decoder`. name: FFmpeg's."""
    own = stream.codec_context
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(name, "r", hwaccel=hwaccel))
    for key in ("color_range", "colorspace", "color_primaries", "color_trc"):
        setattr(decoder, key, getattr(own, key))
    decoder.extradata = own.extradata
    decoder.reorder_depth = own.reorder_depth  # otherwise the first frames of some H.264 are out of order
    decoder.thread_type = own.thread_type
    decoder.options = dict(own.options)
    return decoder


class GpuDecoder:
    """A decoder on a GPU that copies frames to host memory unless they may stay."""

    def __init__(self, decoder: av.VideoCodecContext, *, keeps: bool, context: Context) -> None:
        """keeps: see `Offload`."""
        self._decoder, self._keeps, self._context = decoder, keeps, context
        self._warned = False

    def decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        """Return the frames that are ready after a packet, or after None for the end. Raises as PyAV's decoders do."""
        return [self._download(av_frame) for av_frame in self._decoder.decode(packet)]

    def _download(self, av_frame: av.VideoFrame) -> av.VideoFrame:
        if not is_surface(av_frame) and not self._warned:  # FFmpeg's decoder fell back to the CPU
            self._warned = True
            self._context.warn(f"the GPU cannot decode this {self._decoder.codec.canonical_name}: the CPU decodes it")
        return av_frame if self._keeps and can_stay_semiplanar(av_frame) else download(av_frame)


def gpu_decoder(stream: av.VideoStream, gpu: Offload | None, context: Context) -> GpuDecoder | None:
    """Return a decoder on a GPU, after `set_up_decoder`.

    None if the stream's own decoder is as good or better; warns why, if the GPU was asked for.
    """
    codec = stream.codec_context.codec.canonical_name
    exports_qp = codec not in ESTIMATED
    if gpu is None or gpu.device == "cpu" or (exports_qp and not gpu.always):
        return None
    reason = _unsupported(stream)
    if not reason and not can_open_gpu(gpu.device):
        reason = "no GPU can decode here, `vidsr doctor` shows why: the CPU decodes"
    if reason:
        if gpu.always:
            context.warn(reason)
        return None
    if exports_qp:
        context.warn(f"GPUs do not export the QP of {codec}, so it is estimated; --hwaccel none reads it")
    decoder = second_decoder(stream, codec, cuda_hwaccel(gpu.device))
    return GpuDecoder(decoder, keeps=gpu.keeps, context=context)


def _unsupported(stream: av.VideoStream) -> str:
    # Why a GPU cannot decode a stream, or should not; empty if it can.
    decoder = stream.codec_context
    codec, pixel_format = decoder.codec.canonical_name, decoder.pix_fmt
    if codec not in DECODED:
        return f"the CPU decodes {codec}; GPUs are used for {', '.join(DECODED)}"
    if pixel_format not in _PIXEL_FORMATS:
        return f"GPUs do not decode {codec} in {pixel_format}: the CPU decodes it"
    if decoder.field_order not in _PROGRESSIVE:
        return "interlaced video is decoded on the CPU, where it is deinterlaced"
    return ""
