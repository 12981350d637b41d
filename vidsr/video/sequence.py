"""Image sequences: numbered files (`frames/%05d.png`), or all images of a folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from vidsr.errors import InputError, StreamBroken
from vidsr.io.names import is_address, is_folder, title_of

# Extensions of images. A name with %d and any other extension is the name of a video.
# fmt: off
IMAGE_EXTENSIONS = frozenset(
    f".{kind}" for kind in (
        "avif", "bmp", "dpx", "exr", "hdr", "heic", "heif", "j2k", "jp2", "jpeg", "jpg", "jxl", "pam", "pbm", "pcx",
        "pfm", "pgm", "png", "pnm", "ppm", "qoi", "sgi", "tga", "tif", "tiff", "webp", "xbm", "xwd",
    )
)
# fmt: on
_SAME_KIND = {".jpeg": ".jpg", ".tiff": ".tif"}
_NUMBER = re.compile(r"%(?:0(\d+))?d")


@dataclass(frozen=True, slots=True)
class Pattern:
    """File names with a number in them, padded with zeros to `digits`."""

    folder: Path
    prefix: str
    digits: int
    suffix: str

    def file(self, number: int) -> Path:
        """Return the file with a number."""
        return self.folder / f"{self.prefix}{number:0{self.digits}d}{self.suffix}"

    def find(self) -> dict[int, Path]:
        """Return the existing files by number, in its order; empty if the folder does not exist."""
        if not self.folder.is_dir():
            return {}
        shape = re.compile(re.escape(self.prefix) + r"(\d+)" + re.escape(self.suffix))
        matches = (shape.fullmatch(path.name) for path in self.folder.iterdir())
        numbers = sorted(int(match[1]) for match in matches if match and match[1].isascii())
        return {number: file for number in numbers if (file := self.file(number)).is_file()}


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """The images of a video by number."""

    files: dict[int, Path]
    """Sorted by number; never empty."""
    missing: str | None = None
    """A warning about missing numbers; None if there are none."""
    left_out: str | None = None
    """A warning about other files in the folder; None if there are none."""

    @property
    def first(self) -> int:
        """Return the lowest number."""
        return next(iter(self.files))


def pattern_of(name: object) -> Pattern | None:
    """Return the pattern in the name of an image sequence (`frames/%05d.png`); None if the name is that of one file."""
    if not isinstance(name, str | Path) or is_address(name):
        return None
    path = Path(name)
    numbers = list(_NUMBER.finditer(path.name))
    if len(numbers) != 1 or path.suffix.lower() not in IMAGE_EXTENSIONS or path.is_file():
        return None
    (number,) = numbers
    return Pattern(path.parent, path.name[: number.start()], min(int(number[1] or 1), 99), path.name[number.end() :])


def is_sequence(name: object) -> bool:
    """Return whether a name stands for an image sequence, existing or not."""
    return pattern_of(name) is not None or _is_folder(name)


def sequence_of(name: object) -> ImageSequence | None:
    """Return the image sequence that a pattern or a folder stands for; None if the name is that of one file.

    Raises StreamBroken without images, and InputError for a folder with several kinds of images.
    """
    pattern = pattern_of(name)
    if pattern is not None:
        return _numbered(pattern, title_of(name))
    return _all_of(Path(str(name))) if _is_folder(name) else None


def _is_folder(name: object) -> bool:
    return isinstance(name, str | Path) and name != "" and not is_address(name) and is_folder(name)


def _numbered(pattern: Pattern, title: str) -> ImageSequence:
    files = pattern.find()
    if not files:
        raise StreamBroken(f"{title}: no such image, for example {pattern.file(1).name}; check folder and name")
    numbers = list(files)
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    if not missing:
        return ImageSequence(files)
    lost = pattern.file(next(number for number in range(numbers[0], numbers[-1]) if number not in files)).name
    what = f"{missing} images are missing, the first is {lost}" if missing > 1 else f"an image is missing, {lost}"
    return ImageSequence(files, f"{title}: {what}; the frame before is shown longer")


def _all_of(folder: Path) -> ImageSequence:
    there = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    there.sort(key=lambda path: _natural(path.name))
    files = [path for path in there if path.suffix.lower() in IMAGE_EXTENSIONS]
    if not files:
        raise StreamBroken(f"{title_of(folder)} is a folder without images; name a file in it")
    kinds = {_SAME_KIND.get(path.suffix.lower(), path.suffix.lower()) for path in files}
    if len(kinds) > 1:
        raise InputError(
            f"{title_of(folder)} contains several kinds of images ({', '.join(sorted(kinds))}); "
            "expected one kind: give a pattern such as %05d.png"
        )
    others = ", ".join(path.name for path in there if path not in files)
    left_out = f"{title_of(folder)}: left out, as they are not named as images: {others}" if others else None
    return ImageSequence(dict(enumerate(files, 1)), left_out=left_out)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts `2` before `10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if index % 2 else (0, part.casefold()) for index, part in enumerate(parts)] + [(0, name)]
