"""Samples of images as av.VideoFrame: linear light gets sRGB's transfer, colours are divided by associated alpha."""

from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vidsr.color import BT709, SRGB_TRANSFER
from vidsr.context import Code, Notice
from vidsr.frames import bands
from vidsr.video._compat import lines_of
from vidsr.video.convert.from_av import srgb_of


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
            av_frame.color_primaries, av_frame.color_trc = BT709, SRGB_TRANSFER
        what = "the image is linear light, and gets the transfer of sRGB"
        if clipped:
            what += f"; {clipped / (height * width):.2%} of its pixels are brighter than white, and are clipped"
        notices.append(Notice(what, (Code.TRANSFER,)))
    return Picture(av_frame, notices=tuple(notices))


def packed(codes: NDArray[Any], name: str) -> av.VideoFrame:
    """Return (height, width) or (height, width, channels) as a frame of a packed or gray pixel format."""
    height, width = codes.shape[:2]
    av_frame = av.VideoFrame(width, height, name)
    given = np.ascontiguousarray(codes).view(np.uint8).reshape(height, -1)
    lines_of(av_frame.planes[0])[:, : given.shape[1]] = given
    av_frame.color_range = 2
    return av_frame
