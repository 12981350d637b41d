"""swscale through PyAV: pictures enlarged, and pictures made like others, with their side data and siting."""

from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidsr.color import BT709, ChromaLocation
from vidsr.video.convert.pixel_formats import planes_of

LIMITED, FULL = 1, 2
"""AVColorRange."""
_BT601 = 5
_NUMBERS = {BT709: 1, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: 9, 10: 9}  # swscale's own, by code point
MOST_TIMES = 1024  # enlarged at once; swscale does not go much farther ("not yet implemented")
_CHROMA_LOCATIONS: dict[int, ChromaLocation] = {
    0: "left",
    1: "left",
    3: "topleft",
    5: "left",
}  # AVChromaLocation; the others: center


def scale(
    scaler: VideoReformatter,
    picture: av.VideoFrame,
    width: int,
    height: int,
    pixel_format: str,
    kernel: Any,
    full_range: bool,
    threads: int = 0,
) -> av.VideoFrame:
    """Run swscale, never changing range or matrix; the very same picture where there is nothing to do."""
    span = FULL if full_range else LIMITED  # said for both sides, else yuvj420p to yuv420p would squeeze the range
    matrix = picture.colorspace
    result = scaler.reformat(
        picture,
        width,
        height,
        pixel_format,
        src_colorspace=BT709,  # any that swscale knows: it refuses the others even where it has no use for one
        dst_colorspace=BT709,
        interpolation=kernel,
        src_color_range=span,
        dst_color_range=span,
        threads=threads,
    )
    result.colorspace = matrix
    return result


def recolor(
    scaler: VideoReformatter,
    picture: av.VideoFrame,
    kernel: Any,
    *,
    source: tuple[int, bool],
    target: tuple[int, bool],
) -> av.VideoFrame:
    """Run swscale to change matrix and range: (code point, whether full range) each."""
    result = scaler.reformat(
        picture,
        format=picture.format.name,
        interpolation=kernel,
        src_colorspace=_NUMBERS.get(source[0], _BT601),
        dst_colorspace=_NUMBERS.get(target[0], _BT601),
        src_color_range=FULL if source[1] else LIMITED,
        dst_color_range=FULL if target[1] else LIMITED,
    )
    result.colorspace = target[0]
    return result


def chroma_location_of(picture: av.VideoFrame) -> ChromaLocation:
    """Where swscale takes the picture's chroma to sit.

    PyAV 18 has no name for it, so there it is measured: a ramp in each direction, enlarged, tells by its shift.
    """
    if hasattr(picture, "chroma_location"):
        return _CHROMA_LOCATIONS.get(int(picture.chroma_location), "center")
    side = 32
    ramps = blank(picture, side, side, "yuv420p")
    ramp = np.arange(0, 8 * side // 2, 8)  # (side / 2,)
    _, u, v = planes_of(ramps)
    u[:], v[:] = ramp[None, :], ramp[:, None]
    larger = scale(VideoReformatter(), ramps, 2 * side, 2 * side, "yuv420p", "BICUBIC", full_range=True)
    _, u, v = planes_of(larger)
    # Co-sited samples of twice the grid stand 1/8 of a sample before every second one, centred ones 1/4.
    left, top = (8 * 8 - int(value) < 1.5 for value in (u[16, 16], v[16, 16]))
    return "topleft" if left and top else "left" if left else "center"


def blank(
    like: av.VideoFrame | None, width: int, height: int, pixel_format: str, chroma_location: ChromaLocation = "left"
) -> av.VideoFrame:
    """A picture to be written to, with the side data and siting of another. PyAV can only copy these by scaling."""
    if not isinstance(like, av.VideoFrame):
        like = _seed(chroma_location)
    scaler = VideoReformatter()
    small = like
    if (like.width, like.height, like.format.name) == (width, height, pixel_format):  # that would be no copy
        small = scale(scaler, like, 16, 16, "gray", "POINT", full_range=False)
    while width > MOST_TIMES * small.width or height > MOST_TIMES * small.height:
        sides = min(width, MOST_TIMES * small.width), min(height, MOST_TIMES * small.height)
        small = scale(scaler, small, *sides, "gray", "POINT", full_range=False)
    return scale(scaler, small, width, height, pixel_format, "POINT", full_range=False)


@lru_cache
def _seed(chroma_location: ChromaLocation) -> av.VideoFrame:
    """A picture with nothing in it but its siting: PyAV 18 cannot set that, but a decoder does."""
    decoder = av.CodecContext.create("rawvideo", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.width, decoder.height, decoder.pix_fmt = 2, 2, "yuv420p"
    decoder.options = {"chroma_sample_location": chroma_location}
    return decoder.decode(av.Packet(bytes(6)))[0]
