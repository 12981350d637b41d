"""From which picture to which: `270p-1080p`."""

import re
from dataclasses import dataclass

from vidsr.errors import WrongOption
from vidsr.system__limits import MOST_SCALE, fits

SIZES = ("360p-720p", "270p-1080p", "540p-1080p", "1080p-4K")
DEFAULT = SIZES[:2]
_LINES = {"4K": 2160, "8K": 4320}
_OWN = {2: "360p-720p", 3: "360p-1080p", 4: "270p-1080p"}
LEAST = 32  # lines of a picture


@dataclass(frozen=True, slots=True)
class Size:
    """A small picture and the large one made of it, 16:9; sides in pixels, even."""

    name: str
    width: int
    height: int
    large_width: int
    large_height: int

    @property
    def factor(self) -> float:
        """How many times larger each side becomes."""
        return self.large_height / self.height


def size_of(name: str) -> Size:
    """Read a size such as 270p-1080p or 1080p-4K. Raises WrongOption."""
    match = re.fullmatch(r"(\d{2,4}p|4K|8K)-(\d{2,4}p|4K|8K)", name)
    if match is None:
        raise WrongOption(f"{name!r} is no size such as {', '.join(SIZES)}; give the lines before and after")
    small, large = (_LINES.get(word) or int(word[:-1]) for word in match.groups())
    if not LEAST <= small < large <= MOST_SCALE * small or small % 2 or large % 2 or not fits(_across(large), large):
        raise WrongOption(
            f"{name} cannot be measured: pictures grow from an even number of lines, {LEAST} or more, to a larger one"
        )
    return Size(name, _across(small), small, _across(large), large)


def name_for(scale: int) -> str:
    """The size that a model of this factor is measured at where none is asked for."""
    return _OWN.get(scale, f"136p-{136 * scale}p")


def _across(lines: int) -> int:
    return round(lines * 8 / 9) * 2
