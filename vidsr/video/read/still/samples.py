"""Samples of images as av.VideoFrame: linear light gets sRGB's transfer, colours are divided by associated alpha."""

from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vidsr.context import Code, Notice
from vidsr.frames import bands
from vidsr.video.convert.pixel_formats import planes_of

_BT709, _SRGB = 1, 13
FLOATS: dict[str, np.dtype[Any]] = {"f16le": np.dtype("<f2"), "f32le": np.dtype("<f4")}
"""The end of the name of each pixel format of floats, and its samples."""


@dataclass(slots=True)
class Picture:
    """An image as decoded, or one of an animation."""

    av_frame: av.VideoFrame
    milliseconds: float = 0
    """How long it is shown."""
    notices: tuple[Notice, ...] = field(default=())
    """What decoding has changed."""


def picture_of(samples: NDArray[np.float32], *, linear: bool, associated: bool) -> Picture:
    """Return samples as a picture of 16 bits.

    samples: (height, width, 1 to 4), gray or RGB, and alpha; 1 is white. linear: linear light, which becomes sRGB;
    what is brighter than white is clipped. associated: colours are multiplied by alpha.
    """
    height, width, count = samples.shape
    name = {1: "gray16le", 2: "ya16le", 3: "rgb48le", 4: "rgba64le"}[count]
    codes = np.empty((height, width, count), np.uint16)
    clipped = 0
    for lines in bands(height):
        band: NDArray[np.float32] = samples[lines].astype(np.float32)
        np.nan_to_num(band, copy=False, posinf=1e9)
        if count in (2, 4) and associated:
            band[..., :-1] /= np.maximum(band[..., -1:], np.float32(1e-6))
        if linear:
            colors = band[..., :-1] if count in (2, 4) else band
            clipped += int(np.count_nonzero(colors.max(-1) > 1.0001))
            colors[:] = srgb_of(colors)
        codes[lines] = np.rint(band.clip(0, 1) * 65535)
    av_frame = packed(codes, name)
    notices = []
    if linear:
        if count > 2:
            av_frame.color_primaries, av_frame.color_trc = _BT709, _SRGB
        what = "the image is linear light, and gets the transfer of sRGB"
        if clipped:
            what += f"; {clipped / (height * width):.2%} of its pixels are brighter than white, and are clipped"
        notices.append(Notice(what, (Code.TRANSFER,)))
    return Picture(av_frame, notices=tuple(notices))


def srgb_of(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sRGB code, in [0, 1], of linear light, clipped to [0, 1] (IEC 61966-2-1)."""
    unit = linear.clip(0, 1)
    coded: NDArray[np.float32] = np.where(unit <= 0.0031308, 12.92 * unit, 1.055 * unit ** (1 / 2.4) - 0.055)
    return coded.astype(np.float32)


def packed(codes: NDArray[Any], name: str) -> av.VideoFrame:
    """Return (height, width) or (height, width, channels) as a frame of a packed or gray pixel format."""
    height, width = codes.shape[:2]
    av_frame = av.VideoFrame(width, height, name)
    plane = av_frame.planes[0]
    buffer: Any = plane
    lines = np.frombuffer(buffer, np.uint8).reshape(height, plane.line_size)
    given = np.ascontiguousarray(codes).view(np.uint8).reshape(height, -1)
    lines[:, : given.shape[1]] = given
    av_frame.color_range = 2
    return av_frame


def float_samples(av_frame: av.VideoFrame) -> NDArray[np.float32] | None:
    """Return the samples of a frame of floats, (height, width, channels); None for a frame of integers."""
    name = av_frame.format.name
    dtype = next((dtype for end, dtype in FLOATS.items() if name.endswith(end)), None)
    if dtype is None:
        return None
    planes: list[NDArray[Any]] = []
    for plane in av_frame.planes:
        buffer: Any = plane
        lines = np.frombuffer(buffer, dtype).reshape(plane.height, -1)
        planes.append(lines.astype(np.float32))
    if len(planes) == 1:  # gray or packed
        count = len(av_frame.format.components)
        return planes[0][:, : av_frame.width * count].reshape(av_frame.height, av_frame.width, count)
    green, blue, red, *alpha = (plane[:, : av_frame.width] for plane in planes)
    return np.stack([red, green, blue, *alpha], axis=2)


def integer_samples(av_frame: av.VideoFrame) -> NDArray[np.uint16]:
    """Return the samples of a planar frame of integers: (height, width, channels)."""
    return np.stack(planes_of(av_frame), axis=2).astype(np.uint16)
