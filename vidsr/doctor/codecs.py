"""Which codecs are here, and which of the hardware's really work: FFmpeg lists them whether there is any or not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

_SIDE = 256  # of the picture that is tried; NVENC refuses much smaller ones
_SOFTWARE = {
    "libx264": "h264", "libx265": "hevc", "libsvtav1": "av1", "libvpx-vp9": "vp9", "libvpx": "vp8", "ffv1": "ffv1",
    "prores_ks": "prores", "mpeg4": "mpeg4", "mpeg2video": "mpeg2video", "mjpeg": "mjpeg", "png": "png",
}  # fmt: skip
_MAKERS = ("nvenc", "qsv", "amf", "vaapi", "videotoolbox", "mf", "vulkan")
_HARDWARE = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
"""What hardware decodes, with the encoder that makes the picture to try it on."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One encoder or decoder of the hardware's, tried on one picture."""

    name: str
    """FFmpeg's: `h264_nvenc`, or `h264 (cuda)` for a decoder on a device."""
    encodes: bool
    works: bool
    reason: str
    """Why it does not work; empty where it does."""


def versions() -> tuple[str, str]:
    """PyAV's and FFmpeg's."""
    return av.__version__, av.ffmpeg_version_info


def software() -> tuple[list[str], list[str]]:
    """The encoders, and the formats decoded, of those that films are mostly in."""
    encoders = [name for name in _SOFTWARE if _codec(name, "w")]
    return encoders, [name for name in (*_SOFTWARE.values(), "vvc") if _codec(name, "r")]


def trials() -> Iterator[Trial]:
    """Try every encoder and decoder of the hardware's that this FFmpeg knows, one picture each."""
    av.logging.set_level(av.logging.ERROR)  # the log says why; nothing else runs here that it could deadlock with
    for name in (f"{codec}_{maker}" for maker in _MAKERS for codec in _HARDWARE):
        if _codec(name, "w"):
            yield _tried(name, True, _packet, name, "nv12")
    for device in hwdevices_available():
        for name, encoder in _HARDWARE.items():
            codec = _codec(name, "r")
            if codec and any(config.device_type.name == device for config in codec.hardware_configs or ()):
                yield _tried(f"{name} ({device})", False, _decode, name, encoder, device)


def _tried(title: str, encodes: bool, work: Callable[..., object], *arguments: str) -> Trial:
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(local=False) as lines:
            work(*arguments)
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        # the first line is nearest to the cause
        reason = lines[0][2].strip().rstrip(".") if lines else getattr(exc, "strerror", None) or str(exc)
        return Trial(title, encodes, False, reason)
    return Trial(title, encodes, True, "")


def _packet(encoder: str, pixel_format: str = "yuv420p") -> list[Any]:
    """Encode one gray picture."""
    context: Any = av.CodecContext.create(encoder, "w")
    context.width = context.height = _SIDE
    context.pix_fmt, context.framerate, context.time_base = pixel_format, Fraction(25), Fraction(1, 25)
    picture = av.VideoFrame(_SIDE, _SIDE, pixel_format)
    for plane in picture.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    picture.pts = 0
    packets = [*context.encode(picture), *context.encode(None)]
    if not packets:
        raise ValueError("it makes nothing of a picture")
    return packets


def _decode(name: str, encoder: str, device: str) -> None:
    """Decode one picture on a device. Raises ValueError where it is decoded elsewhere."""
    packets = _packet(encoder)
    settings = HWAccel(device, allow_software_fallback=False, is_hw_owned=True)
    context: Any = av.CodecContext.create(name, "r", hwaccel=settings)
    pictures = [picture for packet in (*packets, None) for picture in context.decode(packet)]
    if not pictures or pictures[0].format.name == "yuv420p":
        raise ValueError("it is decoded on the CPU")


def _codec(name: str, mode: Literal["r", "w"]) -> Any:
    try:
        return av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return None
