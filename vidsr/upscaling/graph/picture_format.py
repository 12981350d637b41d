"""How pictures are coded, in a word: what an engine that is built ahead must be told of a stream."""

import shlex
from dataclasses import dataclass, replace

from vidsr.color import BT709, BT2020, LUMA_WEIGHTS, SMPTE170M, ChromaLocation, ColorSpec
from vidsr.errors import WrongOption

USUAL = ColorSpec(BT709, full_range=False)
MATRICES = {"bt709": BT709, "bt601": SMPTE170M, "bt2020": BT2020, "fcc": 4, "smpte240m": 7}
RANGES = {"limited": False, "full": True}
SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
CHROMA_LOCATIONS: dict[str, ChromaLocation] = {"left": "left", "center": "center", "topleft": "topleft"}
GRAY = "gray"


@dataclass(frozen=True, slots=True)
class Pixels:
    """Pictures of one kind."""

    width: int
    height: int
    bits: int = 8
    color: ColorSpec = USUAL
    gray: bool = False
    surface: bool = False
    """Whether they are as GPUs hold them: NV12 or P010."""


def color_of(text: str) -> tuple[ColorSpec, bool]:
    """Read `bt2020-full-444`, in any order and with what is usual left out; and whether it is gray.

    Raises WrongOption where a part is none.
    """
    color, gray = USUAL, False
    for part in text.lower().split("-"):
        if part in MATRICES:
            color = replace(color, matrix=MATRICES[part])
        elif part in RANGES:
            color = replace(color, full_range=RANGES[part])
        elif part in SUBSAMPLINGS:
            color = replace(color, subsampling=SUBSAMPLINGS[part])
        elif part in CHROMA_LOCATIONS:
            color = replace(color, chroma_location=CHROMA_LOCATIONS[part])
        elif part == GRAY:
            gray = True
        else:
            known = ", ".join((*MATRICES, *RANGES, *SUBSAMPLINGS, *CHROMA_LOCATIONS, GRAY))
            raise WrongOption(f"{part!r} says nothing of colour; join parts of {known} by -, such as bt2020-full-444")
    return color, gray


def word_of(color: ColorSpec, *, gray: bool) -> str:
    """The way back; nothing where all is usual, and what changes no number is left out."""
    parts = []
    if LUMA_WEIGHTS[color.matrix] != LUMA_WEIGHTS[USUAL.matrix]:
        parts.append(next(name for name, code in MATRICES.items() if LUMA_WEIGHTS[code] == LUMA_WEIGHTS[color.matrix]))
    if color.full_range:
        parts.append("full")
    if gray:
        return "-".join([*parts, GRAY])
    if color.subsampling != USUAL.subsampling:
        parts.append(next(name for name, value in SUBSAMPLINGS.items() if value == color.subsampling))
    if color.chroma_location != USUAL.chroma_location and any(color.subsampling):
        parts.append(color.chroma_location)
    return "-".join(parts)


def command_for(name: str, pixels: Pixels, *, channels: int) -> str:
    """The command that builds a TensorRT engine of a model for such pictures."""
    color, gray = pixels.color, pixels.gray
    if channels == 1 and not pixels.surface:  # luma alone, whose codes mean the same in both ranges at 8 bits
        color, gray = replace(USUAL, full_range=color.full_range and pixels.bits > 8), False
    parts = ["vidsr", "export", name, "--trt", "--size", f"{pixels.width}x{pixels.height}"]
    if pixels.bits != 8:
        parts += ["--bits", str(pixels.bits)]
    if word := word_of(color, gray=gray):
        parts += ["--color", word]
    return shlex.join([*parts, "--surface"] if pixels.surface else parts)
