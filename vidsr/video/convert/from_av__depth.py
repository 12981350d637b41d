"""Planar pictures of other depths than 8 and 10 bits, rounded to 10; swscale would dither them."""

import re

import av
import numpy as np
from numpy.typing import NDArray

from vidsr.frames import Plane
from vidsr.video.convert.pixel_formats import planes_of

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
