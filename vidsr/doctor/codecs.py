"""Which codecs work. FFmpeg lists hardware codecs whether the hardware exists or not, so each is tried on a frame."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Literal, cast

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.codeccontext import VideoCodecContext

_SIDE = 256  # of the frame that is tried; NVENC refuses much smaller ones
_SOFTWARE = {
    "libx264": "h264", "libx265": "hevc", "libsvtav1": "av1", "libvpx-vp9": "vp9", "libvpx": "vp8", "ffv1": "ffv1",
    "prores_ks": "prores", "mpeg4": "mpeg4", "mpeg2video": "mpeg2video", "mjpeg": "mjpeg", "png": "png",
}  # fmt: skip
_VENDORS = ("nvenc", "qsv", "amf", "vaapi", "videotoolbox", "mf", "vulkan")
_HARDWARE = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
"""Formats of hardware codecs, with the encoder that makes a packet to try decoders on."""


def versions() -> tuple[str, str]:
    """Return the versions of PyAV and FFmpeg."""
    return av.__version__, av.ffmpeg_version_info


def software() -> tuple[list[str], list[str]]:
    """Return the encoders, and the formats that can be decoded, among the most common."""
    encoders = [name for name in _SOFTWARE if _codec(name, "w")]
    return encoders, [name for name in (*_SOFTWARE.values(), "vvc") if _codec(name, "r")]


def trials() -> Iterator[dict[str, Any]]:
    """Try every hardware encoder and decoder of this FFmpeg on one frame; see `diagnosis.HardwareCodec`."""
    av.logging.set_level(av.logging.ERROR)  # the log has the reasons; no other thread runs that could deadlock with it
    for name in (f"{codec}_{vendor}" for vendor in _VENDORS for codec in _HARDWARE):
        if _codec(name, "w"):
            yield _trial(name, True, _packets, name, "nv12")
    for device in hwdevices_available():
        for name, encoder in _HARDWARE.items():
            codec = _codec(name, "r")
            if codec and any(config.device_type.name == device for config in codec.hardware_configs or ()):
                yield _trial(f"{name} ({device})", False, _decode, name, encoder, device)


def _trial(name: str, encodes: bool, function: Callable[..., object], *arguments: str) -> dict[str, Any]:
    av.logging.set_skip_repeated(False)
    reason = ""
    try:
        with av.logging.Capture(local=False) as lines:
            function(*arguments)
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        # the first line is nearest to the cause
        reason = lines[0][2].strip().rstrip(".") if lines else getattr(exc, "strerror", None) or repr(exc)
    return {"name": name, "encodes": encodes, "works": not reason, "reason": reason}


def _packets(encoder: str, pixel_format: str = "yuv420p") -> list[Any]:
    """Encode one gray frame."""
    context = cast(VideoCodecContext, av.CodecContext.create(encoder, "w"))
    context.width = context.height = _SIDE
    context.pix_fmt, context.framerate, context.time_base = pixel_format, Fraction(25), Fraction(1, 25)
    av_frame = av.VideoFrame(_SIDE, _SIDE, pixel_format)
    for plane in av_frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    av_frame.pts = 0
    packets = [*context.encode(av_frame), *context.encode(None)]
    if not packets:
        raise ValueError("it returned no packet for a frame")
    return packets


def _decode(name: str, encoder: str, device: str) -> None:
    """Decode one frame on a device. Raises ValueError if the CPU decodes it."""
    packets = _packets(encoder)
    settings = HWAccel(device, allow_software_fallback=False, is_hw_owned=True)
    context = cast(VideoCodecContext, av.CodecContext.create(name, "r", hwaccel=settings))
    av_frames = [av_frame for packet in (*packets, None) for av_frame in context.decode(packet)]
    if not av_frames or av_frames[0].format.name == "yuv420p":
        raise ValueError("the CPU decodes it")


def _codec(name: str, mode: Literal["r", "w"]) -> av.Codec | None:
    try:
        return av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return None
