"""Colour: the meaning of codes, and the arithmetic of matrices and ranges (ITU-T H.273)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ChromaLocation = Literal["left", "center", "topleft"]

# ITU-T H.273 code points, the same numbers as FFmpeg's enums.
BT709, UNSPECIFIED, BT470BG, SMPTE170M, YCGCO, BT2020 = 1, 2, 5, 6, 8, 9
SRGB_TRANSFER = 13

# Kr, Kb of each matrix coefficients code point (H.273, table 4).
LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),  # FCC
    BT470BG: (0.299, 0.114),
    SMPTE170M: (0.299, 0.114),
    7: (0.212, 0.087),  # SMPTE 240M
    BT2020: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # BT.2020 constant luminance, read as non-constant
}


@dataclass(frozen=True, slots=True)
class ColorSpec:
    """The meaning of the codes in planes; numbers are ITU-T H.273 code points."""

    matrix: int
    """Matrix coefficients, never unspecified: see `guessed_matrix`."""
    full_range: bool
    """Whether luma spans all codes, rather than 16 to 235 (of 255)."""
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    subsampling: tuple[int, int] = (1, 1)
    """Halvings of chroma, horizontal and vertical: (1, 1) is 4:2:0, (1, 0) is 4:2:2, (0, 0) is 4:4:4."""
    chroma_location: ChromaLocation = "left"


@dataclass(frozen=True, slots=True)
class Levels:
    """The code of 0, and the number of codes from 0 to 1."""

    luma: tuple[int, int]
    chroma: tuple[int, int]


def levels_of(color: ColorSpec, bits: int) -> Levels:
    """Return the levels of a range and depth."""
    step, top = 1 << (bits - 8), (1 << bits) - 1
    if color.full_range:
        return Levels((0, top), (128 * step, top))
    return Levels((16 * step, 219 * step), (128 * step, 224 * step))


def guessed_matrix(height: int) -> int:
    """Return the matrix to assume for a video that states none: BT.709 from 720 lines up, else BT.601."""
    return BT709 if height >= 720 else SMPTE170M


def rgb_to_yuv(matrix: int) -> NDArray[np.float64]:
    """Return the (3, 3) matrix from R'G'B' in [0, 1] to Y' in [0, 1] and Cb, Cr in [-0.5, 0.5] (H.273, eq. 38 to 46).

    Unknown code points are treated as BT.601.
    """
    if matrix == YCGCO:
        return np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0, -0.5]])
    red, blue = LUMA_WEIGHTS.get(matrix, LUMA_WEIGHTS[SMPTE170M])
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack([luma, (np.array([0, 0, 1]) - luma) / (2 - 2 * blue), (np.array([1, 0, 0]) - luma) / (2 - 2 * red)])
