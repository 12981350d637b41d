"""The output size that was asked for, and the plan to reach it."""

from dataclasses import dataclass, replace
from fractions import Fraction

from vidsr.card import ModelCard
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.system import fits, megapixels
from vidsr.video.convert.scale import MOST_TIMES


@dataclass(frozen=True, slots=True)
class OutputSize:
    """A factor, or a width, a height or both in pixels; without any, the factor of the model."""

    scale: int | None = None
    width: int | None = None
    height: int | None = None
    even: bool = False
    """Whether both sides become even, whatever the subsampling."""

    def __post_init__(self) -> None:
        if self.scale is not None and (self.width is not None or self.height is not None):
            raise ValueError("give a scale or a size, not both")
        if any(value is not None and value < 1 for value in (self.scale, self.width, self.height)):
            raise ValueError("a scale, width or height is at least 1")

    def size(self, width: int, height: int, *, default: int, subsampling: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) to make of a frame; a side that was not asked for follows the aspect ratio.

        default: the factor where nothing was asked for. Subsampled chroma makes sides even: 1281 becomes 1280.
        Raises OutputError if that is more than can be held.
        """
        if self.even:
            subsampling = 1, 1
        if self.width is None and self.height is None:
            factors = Fraction(self.scale or default), Fraction(self.scale or default)
        else:
            across = Fraction(self.width, width) if self.width else Fraction(self.height or 0, height)
            down = Fraction(self.height, height) if self.height else across
            factors = across, down
        if max(factors) > MOST_TIMES:
            raise OutputError(f"{width}x{height} can be upscaled {MOST_TIMES} times at most; ask for a smaller size")
        return checked(_even(width * factors[0], subsampling[0]), _even(height * factors[1], subsampling[1]))

    def turned(self) -> "OutputSize":
        """Return the size of frames as they are stored, where players turn them by 90 degrees."""
        return replace(self, width=self.height, height=self.width)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of frames of one size."""

    width: int
    height: int
    card: ModelCard | None
    """Of the network that upscales them; None if they are only resized."""


def checked(width: int, height: int) -> tuple[int, int]:
    """Return the size. Raises OutputError if a frame of it is too large for this machine."""
    if not fits(width, height):
        raise OutputError(f"{width}x{height} is more than the {megapixels()} allowed here; ask for a smaller size")
    return width, height


def subsampling_of(frame: Frame) -> tuple[int, int]:
    """Return how often the sides of a frame must be divisible by two: not at all without chroma."""
    return (0, 0) if len(frame.planes) == 1 else frame.color.subsampling


def _even(side: Fraction, halvings: int) -> int:
    return max(round(side / (1 << halvings)), 1) << halvings
