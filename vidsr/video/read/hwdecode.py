"""Decoding on a GPU (NVDEC), where there is one that decodes this film."""

from dataclasses import dataclass
from typing import Any

import av
from av.codec.hwaccel import HWAccel

from vidsr.context import Context
from vidsr.video.convert.nv12 import cuda_hwaccel, in_memory, is_surface, stays
from vidsr.video.convert.qp import ESTIMATED

DECODED = ("h264", "hevc", "vp9", "vp8", "mpeg2video")
"""What a GPU is asked to decode: codecs whose decoder of that name falls back to the CPU. AV1's does not."""
_LAYOUTS = ("yuv420p", "yuvj420p", "yuv420p10le")
_PROGRESSIVE = (0, 1)  # of AVFieldOrder: not told, and progressive


@dataclass(frozen=True, slots=True)
class Offload:
    """What a GPU is to do for a source."""

    device: str
    """cuda or cuda:N decodes there what it can; cpu nothing."""
    keeps: bool = False
    """Whether pictures stay as they are decoded, NV12 or P010 and in the GPU's memory, where nothing is lost by it."""
    always: bool = True
    """Whether it decodes also where only the CPU's decoder would tell the codec's QP."""


def opens(device: str) -> bool:
    """Whether FFmpeg can open a GPU.

    What is opened first decides how the GPU's primary context is made, and FFmpeg takes none that it would not have
    made so itself: ask before anything else uses the GPU.
    """
    try:
        context: Any = av.CodecContext.create("h264", "r", hwaccel=cuda_hwaccel(device))
    except (av.error.FFmpegError, OSError, ValueError, NotImplementedError):
        return False
    return bool(context.is_hwaccel)  # false without a word where this FFmpeg was built without CUDA


def why_not(stream: Any) -> str:
    """Why a film's own decoder does better than the GPU, as a sentence; empty where the GPU is to be tried."""
    context = stream.codec_context
    codec, layout = context.codec.canonical_name, context.pix_fmt
    if codec not in DECODED:
        return f"the CPU decodes {codec}; a GPU is asked for {', '.join(DECODED)} only"
    if layout not in _LAYOUTS:
        return f"GPUs do not decode {codec} as {layout}: the CPU does"
    if context.field_order not in _PROGRESSIVE:
        return "interlaced film is decoded on the CPU, where it is deinterlaced"
    return ""


def second_decoder(stream: Any, name: str, settings: HWAccel | None = None) -> Any:
    """Another decoder for the packets of a stream, set up as its own is. To be made after `set_up_decoder`.

    name: FFmpeg's.
    """
    own = stream.codec_context
    decoder: Any = av.CodecContext.create(name, "r", hwaccel=settings)
    for key in ("color_range", "colorspace", "color_primaries", "color_trc"):
        setattr(decoder, key, getattr(own, key))
    decoder.extradata = own.extradata
    decoder.reorder_depth = own.reorder_depth  # else the first pictures of some H.264 come in another order
    decoder.thread_type = own.thread_type
    decoder.options = dict(own.options)
    return decoder


class GpuDecoder:
    """A decoder on a GPU, and what it decoded brought into our memory where it cannot go on as it is."""

    def __init__(self, stream: Any, gpu: Offload, context: Context) -> None:
        """notice: called where the CPU decodes after all: FFmpeg's decoder falls back to it where the GPU refuses."""
        self._codec = stream.codec_context.codec.canonical_name
        self._decoder = second_decoder(stream, self._codec, cuda_hwaccel(gpu.device))
        self._keeps, self._context, self._told = gpu.keeps, context, False

    def decode(self, packet: Any | None) -> list[av.VideoFrame]:
        """The pictures that a packet, or None for the end, sets free. Raises as PyAV's decoders do."""
        return [self._landed(picture) for picture in self._decoder.decode(packet)]

    def _landed(self, picture: av.VideoFrame) -> av.VideoFrame:
        if not is_surface(picture) and not self._told:
            self._told = True
            self._context.warn(f"this GPU refuses {self._codec} of this kind: the CPU decodes it")
        return picture if self._keeps and stays(picture) else in_memory(picture)


def gpu_decoder(stream: Any, gpu: Offload | None, context: Context) -> GpuDecoder | None:
    """A decoder on a GPU; None where the stream's own does as well or better, and why, where the GPU was asked for.

    To be made after `set_up_decoder`.
    """
    codec = stream.codec_context.codec.canonical_name
    told = codec not in ESTIMATED  # the QP of its pictures, by the CPU's decoder
    if gpu is None or gpu.device == "cpu" or (told and not gpu.always):
        return None
    reason = why_not(stream)
    if not reason and not opens(gpu.device):
        reason = "no GPU decodes here, which `vidsr doctor` tells more of: the CPU does"
    if reason:
        if gpu.always:
            context.warn(reason)
        return None
    if told:
        context.warn(
            f"a GPU does not tell the QP of {codec}: how damaged the film is, is estimated; --hwaccel none reads it"
        )
    return GpuDecoder(stream, gpu, context)
