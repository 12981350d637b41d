"""swscale through PyAV: scaling, colour conversion, and blank frames with the side data of others."""

from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidsr.color import BT709, ChromaLocation
from vidsr.video._compat import frame_chroma_location
from vidsr.video.convert.av_filter import Filter
from vidsr.video.convert.pixel_formats import planes_of

LIMITED, FULL = 1, 2
"""AVColorRange."""
_BT601 = 5
_COLORSPACES = {BT709: 1, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}  # SWS_CS_*, by code point
MOST_TIMES = 1024
"""The largest factor of one call; swscale fails at larger ones ("not yet implemented")."""
# AVChromaLocation; the others: center
_CHROMA_LOCATIONS: dict[int, ChromaLocation] = {0: "left", 1: "left", 3: "topleft", 5: "left"}


def scale(
    scaler: VideoReformatter,
    av_frame: av.VideoFrame,
    width: int,
    height: int,
    pixel_format: str,
    kernel: Any,
    full_range: bool,
    threads: int = 0,
) -> av.VideoFrame:
    """Run swscale without changing range or matrix; return the same frame if there is nothing to do."""
    # The range is given for both sides: yuvj420p to yuv420p would otherwise change it.
    color_range, matrix = FULL if full_range else LIMITED, av_frame.colorspace
    result = scaler.reformat(
        av_frame,
        width,
        height,
        pixel_format,
        src_colorspace=BT709,  # unused, but swscale refuses those that it does not know
        dst_colorspace=BT709,
        interpolation=kernel,
        src_color_range=color_range,
        dst_color_range=color_range,
        threads=threads,
    )
    result.colorspace = matrix
    return result


def recolor(
    scaler: VideoReformatter,
    av_frame: av.VideoFrame,
    kernel: Any,
    *,
    source: tuple[int, bool],
    target: tuple[int, bool],
) -> av.VideoFrame:
    """Run swscale to change matrix and range. source, target: (code point of the matrix, whether full range)."""
    result = scaler.reformat(
        av_frame,
        format=av_frame.format.name,
        interpolation=kernel,
        src_colorspace=_COLORSPACES.get(source[0], _BT601),
        dst_colorspace=_COLORSPACES.get(target[0], _BT601),
        src_color_range=FULL if source[1] else LIMITED,
        dst_color_range=FULL if target[1] else LIMITED,
    )
    result.colorspace = target[0]
    return result


def chroma_location_of(av_frame: av.VideoFrame) -> ChromaLocation:
    """Return where swscale assumes the chroma samples of a frame.

    PyAV 18 does not expose it. There it is measured: a ramp in each direction is upscaled, and its shift shows it.
    """
    location = frame_chroma_location(av_frame)
    if location is not None:
        return _CHROMA_LOCATIONS.get(location, "center")
    side = 32
    ramps = blank(av_frame, side, side, "yuv420p")
    if ramps.interlaced_frame:  # swscale would take the samples of two fields
        ramps = Filter("setparams", field_mode="prog")(ramps)
    ramp = np.arange(0, 8 * side // 2, 8)  # (side / 2,)
    _, u, v = planes_of(ramps)
    u[:], v[:] = ramp[None, :], ramp[:, None]
    upscaled = scale(VideoReformatter(), ramps, 2 * side, 2 * side, "yuv420p", "BICUBIC", full_range=True)
    _, u, v = planes_of(upscaled)
    # In the doubled grid, co-sited samples are 1/8 of a sample before every second one, centred ones 1/4.
    left, top = (8 * 8 - int(value) < 1.5 for value in (u[16, 16], v[16, 16]))
    return "topleft" if left and top else "left" if left else "center"


def blank(
    like: av.VideoFrame | None, width: int, height: int, pixel_format: str, chroma_location: ChromaLocation = "left"
) -> av.VideoFrame:
    """Return a frame to write to, with the side data and chroma location of another.

    chroma_location: for `like=None`. PyAV copies side data only from frame to frame, by scaling.
    """
    if not isinstance(like, av.VideoFrame):
        like = _empty(chroma_location)
    scaler = VideoReformatter()
    small = like
    if (like.width, like.height, like.format.name) == (width, height, pixel_format):  # would return the frame itself
        small = scale(scaler, like, 16, 16, "gray", "POINT", full_range=False)
    while width > MOST_TIMES * small.width or height > MOST_TIMES * small.height:
        sides = min(width, MOST_TIMES * small.width), min(height, MOST_TIMES * small.height)
        small = scale(scaler, small, *sides, "gray", "POINT", full_range=False)
    return scale(scaler, small, width, height, pixel_format, "POINT", full_range=False)


@lru_cache
def _empty(chroma_location: ChromaLocation) -> av.VideoFrame:
    # A small frame with a chroma location: PyAV 18 cannot set it, but a decoder does.
    decoder = av.CodecContext.create("rawvideo", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.width, decoder.height, decoder.pix_fmt = 2, 2, "yuv420p"
    decoder.options = {"chroma_sample_location": chroma_location}
    return decoder.decode(av.Packet(bytes(6)))[0]
