"""The format of frames: size, depth and colour, and its spelling in commands that build an engine ahead."""

import shlex
from dataclasses import dataclass, replace

from vidsr.color import BT709, BT2020, LUMA_WEIGHTS, SMPTE170M, ChromaLocation, ColorSpec
from vidsr.errors import WrongOption
from vidsr.frames import Frame

DEFAULT = ColorSpec(BT709, full_range=False)
MATRICES = {"bt709": BT709, "bt601": SMPTE170M, "bt2020": BT2020, "fcc": 4, "smpte240m": 7}
RANGES = {"limited": False, "full": True}
SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
CHROMA_LOCATIONS: dict[str, ChromaLocation] = {"left": "left", "center": "center", "topleft": "topleft"}
GRAY = "gray"


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What a graph with edges is made for."""

    width: int
    height: int
    bits: int = 8
    color: ColorSpec = DEFAULT
    gray: bool = False
    surface: bool = False
    """Whether frames are NV12 or P010, as GPUs hold them."""


def format_of(frame: Frame) -> FrameFormat:
    """Return the format of a frame."""
    return FrameFormat(
        frame.width, frame.height, frame.bits, frame.color, gray=len(frame.planes) == 1, surface=frame.semiplanar
    )


def color_of(text: str) -> tuple[ColorSpec, bool]:
    """Parse `bt2020-full-444`, in any order, with defaults left out; return the colour, and whether it is gray.

    Raises WrongOption for an unknown part.
    """
    color, gray = DEFAULT, False
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
            raise WrongOption(f"expected parts of {known} joined by -, such as bt2020-full-444; got {part!r}")
    return color, gray


def word_of(color: ColorSpec, *, gray: bool) -> str:
    """Return the shortest text that `color_of` parses to the same numbers; empty for the default."""
    parts = []
    if LUMA_WEIGHTS[color.matrix] != LUMA_WEIGHTS[DEFAULT.matrix]:
        parts.append(next(name for name, code in MATRICES.items() if LUMA_WEIGHTS[code] == LUMA_WEIGHTS[color.matrix]))
    if color.full_range:
        parts.append("full")
    if gray:
        return "-".join([*parts, GRAY])
    if color.subsampling != DEFAULT.subsampling:
        parts.append(next(name for name, value in SUBSAMPLINGS.items() if value == color.subsampling))
    if color.chroma_location != DEFAULT.chroma_location and any(color.subsampling):
        parts.append(color.chroma_location)
    return "-".join(parts)


def command_for(name: str, wanted: FrameFormat, *, channels: int) -> str:
    """Return the command that builds a TensorRT engine of a model for frames of a format."""
    color, gray = wanted.color, wanted.gray
    if channels == 1 and not wanted.surface:  # luma alone, whose codes mean the same in both ranges at 8 bits
        color, gray = replace(DEFAULT, full_range=color.full_range and wanted.bits > 8), False
    parts = ["vidsr", "export", name, "--trt", "--size", f"{wanted.width}x{wanted.height}"]
    if wanted.bits != 8:
        parts += ["--bits", str(wanted.bits)]
    if word := word_of(color, gray=gray):
        parts += ["--color", word]
    return shlex.join([*parts, "--surface"] if wanted.surface else parts)
