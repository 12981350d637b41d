"""Pictures that make a film: numbered files (`frames/%05d.png`), or all of a folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from vidsr.errors import InputError, StreamBroken
from vidsr.io.names import is_address, is_folder, title_of

# What a picture's name may end in; a name with a number in it that ends in anything else is a film's.
# fmt: off
PICTURES = frozenset(
    f".{kind}" for kind in (
        "avif", "bmp", "dpx", "exr", "hdr", "heic", "j2k", "jp2", "jpeg", "jpg", "jxl", "pam", "pbm", "pcx", "pfm",
        "pgm", "png", "pnm", "ppm", "qoi", "sgi", "tga", "tif", "tiff", "webp", "xbm", "xwd",
    )
)
# fmt: on
_NUMBER = re.compile(r"%(?:0(\d+))?d")  # as printf has it


@dataclass(frozen=True, slots=True)
class Pattern:
    """The names `before 7 after`, the number filled up with zeros to `digits`."""

    folder: Path
    before: str
    digits: int
    after: str

    def file(self, number: int) -> Path:
        """The file of one number."""
        return self.folder / f"{self.before}{number:0{self.digits}d}{self.after}"

    def found(self) -> dict[int, Path]:
        """The files that are there, by their number, in its order; none where the folder is missing."""
        if not self.folder.is_dir():
            return {}
        shape = re.compile(re.escape(self.before) + r"(\d+)" + re.escape(self.after))
        matches = (shape.fullmatch(path.name) for path in self.folder.iterdir())
        numbers = sorted(int(match[1]) for match in matches if match and match[1].isascii())
        return {number: file for number in numbers if (file := self.file(number)).is_file()}


@dataclass(frozen=True, slots=True)
class Sequence:
    """The pictures of a film, each with its number."""

    files: dict[int, Path]
    """In their order; never empty."""
    notice: str | None = None
    """What the user should know of them."""

    @property
    def first(self) -> int:
        """The lowest number."""
        return next(iter(self.files))


def pattern_of(name: object) -> Pattern | None:
    """The pattern in a picture's name (`frames/%05d.png`); None where the name is one file's."""
    if not isinstance(name, str | Path) or is_address(name):
        return None
    path = Path(name)
    numbers = list(_NUMBER.finditer(path.name))
    if len(numbers) != 1 or path.suffix.lower() not in PICTURES or path.is_file():
        return None
    (number,) = numbers
    return Pattern(path.parent, path.name[: number.start()], min(int(number[1] or 1), 99), path.name[number.end() :])


def is_sequence(name: object) -> bool:
    """Whether a name stands for pictures that make a film, whether they are there or not."""
    return pattern_of(name) is not None or _is_folder(name)


def sequence_of(name: object) -> Sequence | None:
    """The pictures that a pattern or a folder stands for; None where the name is one file's.

    Raises StreamBroken where there are none, and InputError for a folder with pictures of several kinds.
    """
    pattern = pattern_of(name)
    if pattern is not None:
        return _numbered(pattern, title_of(name))
    return _all_of(Path(str(name))) if _is_folder(name) else None


def _is_folder(name: object) -> bool:
    return isinstance(name, str | Path) and name != "" and not is_address(name) and is_folder(name)


def _numbered(pattern: Pattern, title: str) -> Sequence:
    files = pattern.found()
    if not files:
        raise StreamBroken(f"{title}: there is no such picture (as {pattern.file(1).name}); check folder and name")
    numbers = list(files)
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    if not missing:
        return Sequence(files)
    lost = next(number for number in range(numbers[0], numbers[-1]) if number not in files)
    what = f"{missing} pictures are missing, the first of them" if missing > 1 else "a picture is missing,"
    return Sequence(files, f"{title}: {what} {pattern.file(lost).name}; the one before stays in its place")


def _all_of(folder: Path) -> Sequence:
    files = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES and not path.name.startswith(".")]
    files = sorted((path for path in files if path.is_file()), key=lambda path: _natural(path.name))
    if not files:
        raise StreamBroken(f"{title_of(folder)} is a folder without pictures; name a file in it")
    kinds = {path.suffix.lower() for path in files}
    if len(kinds) > 1:
        raise InputError(
            f"{title_of(folder)} holds pictures of several kinds ({', '.join(sorted(kinds))}); "
            "a film is made of one: name them with a number, as %05d.png"
        )
    return Sequence(dict(enumerate(files, 1)))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts `2` before `10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if index % 2 else (0, part.casefold()) for index, part in enumerate(parts)] + [(0, name)]
