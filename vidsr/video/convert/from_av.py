"""FFmpeg's pictures as Frames."""

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from vidsr.color import UNSPECIFIED, ChromaLocation, ColorSpec, guessed_matrix
from vidsr.frames import Frame, Plane
from vidsr.video.convert.nv12 import bits_of, in_memory, stays, surfaces_of
from vidsr.video.convert.pixel_formats import LAYOUTS, alpha_of, nearest_layout, planes_of
from vidsr.video.convert.scale import FULL, LIMITED, blank, chroma_location_of, scale

_RGB, _RESERVED = 0, 3  # code points of `matrix` that no YUV picture can have


def frame_of(
    picture: av.VideoFrame,
    *,
    chroma_location: ChromaLocation | None = None,
    qp: float | None = None,
    scaler: VideoReformatter | None = None,
    semiplanar: bool = False,
) -> Frame:
    """Give a decoded picture as a Frame, without a copy where it is planar YUV or gray of 8 or 10 bits.

    RGB becomes full-range BT.601 4:4:4 at 10 bits; other formats become the nearest of LAYOUTS. semiplanar: give NV12
    and P010 as they are and where they lie, in a GPU's memory too.
    siting: measured where not given. Untagged pictures are tagged: BT.709 from 720 lines up, else BT.601.
    """
    time_base = Fraction(picture.time_base) if picture.time_base else Fraction(1, 25)
    timing: dict[str, Any] = {"pts": picture.pts or 0, "duration_ticks": picture.duration or 0, "time_base": time_base}
    scaler = scaler or VideoReformatter()
    if picture.format.is_rgb or picture.format.has_palette:
        frame = Frame.from_rgb(_rgb_of(picture, scaler))
        return replace(frame, qp=qp, alpha=alpha_of(picture, frame.bits, scaler), **timing)
    stay = semiplanar and stays(picture)
    picture = picture if stay else in_memory(picture)
    given = picture
    full = picture.color_range == FULL or picture.format.name.startswith("yuvj")
    if not stay and picture.format.name not in LAYOUTS:
        picture = _rearranged(picture, scaler, full)
    bits, subsampling, gray = (bits_of(picture), (1, 1), False) if stay else LAYOUTS[picture.format.name]
    alpha = None if stay else alpha_of(given if gray else picture, bits, scaler)
    picture.color_range = FULL if full else LIMITED
    picture.colorspace = _matrix_of(picture)
    color = ColorSpec(
        matrix=int(picture.colorspace),
        full_range=full,
        primaries=int(picture.color_primaries),
        transfer=int(picture.color_trc),
        subsampling=subsampling,
        chroma_location=chroma_location or chroma_location_of(picture),
    )
    planes = surfaces_of(picture) if stay else planes_of(picture)[: 1 if gray else 3]
    return Frame(planes, color, bits, qp=qp, alpha=alpha, av_frame=picture, **timing)


def _rearranged(picture: av.VideoFrame, scaler: VideoReformatter, full: bool) -> av.VideoFrame:
    """The picture in the nearest of LAYOUTS."""
    near, rounded = nearest_layout(picture.format), ten_bit_planes(picture, full_range=full)
    if rounded is None:
        flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
        return scale(scaler, picture, picture.width, picture.height, near, flags, full)
    result = blank(picture, picture.width, picture.height, near)
    for target, plane in zip(planes_of(result), rounded, strict=True):
        np.copyto(target, plane)
    return result


def _matrix_of(picture: av.VideoFrame) -> int:
    matrix = int(picture.colorspace)
    if matrix in (UNSPECIFIED, _RGB, _RESERVED):
        return guessed_matrix(picture.height)
    return matrix


def _rgb_of(picture: av.VideoFrame, scaler: VideoReformatter) -> NDArray[Any]:
    # (height, width, 3): uint8, or float in [0, 1]. At 8 bits swscale only moves RGB about.
    bits = picture.format.components[0].bits
    if bits <= 8:
        return scaler.reformat(picture, format="rgb24").to_ndarray()
    if picture.format.name.startswith("gbrp") and picture.format.name.endswith("le") and bits <= 16:
        return (picture.to_ndarray() / ((1 << bits) - 1)).astype(np.float32)
    return (scaler.reformat(picture, format="rgb48le").to_ndarray() / 65535).astype(np.float32)


_DEEP = re.compile(r"(yuva?4(?:20|22|44)p|gray)(9|1[246])(le|be)")
_TOP = 1023


def ten_bit_planes(picture: av.VideoFrame, *, full_range: bool) -> tuple[Plane, ...] | None:
    """The planes of a picture (Y, or Y, U, V, and alpha) at 10 bits; None where its format is no such one.

    Limited range is shifted; full range is scaled from all codes to all codes, chroma around its middle (H.273).
    """
    match = _DEEP.fullmatch(picture.format.name)
    if match is None:
        return None
    bits, planes = int(match[2]), planes_of(picture)
    if match[3] == "be":
        planes = tuple(plane.byteswap() for plane in planes)
    limited = 0 if full_range else 3  # of the planes, how many; alpha always spans all codes
    return tuple(
        _shifted(plane, bits) if index < limited else _scaled(plane, bits, chroma=index in (1, 2))
        for index, plane in enumerate(planes)
    )


def _shifted(plane: Plane, bits: int) -> NDArray[np.uint16]:
    if bits < 10:
        return (plane << (10 - bits)).astype(np.uint16)
    half, shift = 1 << (bits - 11), bits - 10
    rounded: NDArray[np.uint16] = (np.minimum(plane, (1 << bits) - 1 - half) + np.uint16(half)) >> np.uint16(shift)
    return rounded


def _scaled(plane: Plane, bits: int, *, chroma: bool) -> NDArray[np.uint16]:
    middle, lifted = (1 << (bits - 1), 512) if chroma else (0, 0)
    exact = (plane.astype(np.float32) - middle) * np.float32(_TOP / ((1 << bits) - 1)) + lifted
    codes: NDArray[np.uint16] = np.rint(exact).clip(0, _TOP).astype(np.uint16)
    return codes
