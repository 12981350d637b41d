"""Photos and films: where they lie, what their licences are, and runs of pictures out of them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import DataError

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = {".mp4", ".m4v", ".mkv", ".mov", ".webm", ".ts", ".m2ts", ".avi", ".y4m", ".nut", ".mpg", ".mpeg", ".ogv"}
LICENCES = "licences.csv"
RUN = 6  # frames of a film kept together, so that a codec sees motion
RUNS = 48  # of one film at most: a feature film must not crowd out the rest

Luma = NDArray[np.uint8]
Picture = NDArray[np.uint8]

# Folders as the data sets unpack them: DIV2K_train_LR_bicubic/X2, Flickr2K_LR_unknown, OpenImages' train-masks-0.
_TWINS = re.compile(r"(DIV2K|Flickr2K)\w*_LR(_\w+)?", re.IGNORECASE)
_TWIN_OF = re.compile(r"(?P<set>(\w+_)?)LR(_\w+)?")
_MASKS = re.compile(r"(train|validation|test)-masks(-\w+)?")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pictures of one source."""

    pictures: list[Picture]
    """Each (height, width, channels) uint8: 1 channel is luma of limited range (of photos: BT.601), 3 are RGB."""


def find(paths: Sequence[Path]) -> list[Path]:
    """List the photos and films under `paths` (files or folders), sorted.

    Folders of low-resolution twins, and of masks, are left out with all that is in them: see `left_out`.
    Raises DataError where nothing is left.
    """
    files: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist; give a folder or file of pictures or films")
        files |= {file for file in _under(path) if file.suffix.lower() in {*IMAGES, *VIDEOS} and file.is_file()}
    if not files:
        twins = left_out(paths)
        but = f" but low-resolution twins, as {twins[0]}" if twins else ""
        known = " ".join(sorted(IMAGES))
        raise DataError(f"no pictures or films in {', '.join(map(str, paths))}{but}; known are {known} …")
    return sorted(files)


def left_out(paths: Sequence[Path]) -> list[Path]:
    """The folders that `find` leaves out, sorted: no truths are in them.

    DIV2K and Flickr2K (`…_LR_…`), any folder named `LR…` or `…_LR…` beside one that says `HR`, and OpenImages' masks.
    """
    inside = {folder for path in paths if path.is_dir() for folder in [path, *path.rglob("*")] if folder.is_dir()}
    return sorted(folder for folder in inside if _holds_no_truths(folder))


def is_film(path: Path) -> bool:
    """Whether a file is read as a film: any whose name is not that of a photo."""
    return path.suffix.lower() not in IMAGES


def licences(paths: Sequence[Path]) -> dict[Path, str]:
    """The licence of each file that a licences.csv beside it names, by its columns `file` and `licence`.

    paths: files, or folders that are looked through. Raises DataError where such a table lacks one of the columns.
    """
    files = {file for path in paths for file in _under(path)}
    known: dict[Path, str] = {}
    for table in sorted({file.with_name(LICENCES) for file in files}):
        if table.is_file():
            known |= _licences_of(table)
    return {file: known[file] for file in sorted(files) if known.get(file)}


def open_runs(path: Path, *, channels: int, length: int, at_most: int) -> Iterator[Run]:
    """Read a photo as one run of one picture, a film as up to `at_most` runs of `length` consecutive ones.

    Those of a film are spread over its whole length, span no cut, and begin unlike the one before; it is decoded once,
    and one run at a time is held. channels: 1 or 3. Odd sides of films lose their last line or column.
    Raises DataError with the reason where a file cannot be read; where it breaks off or is damaged, only after the
    runs that are whole were given.
    """
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, not {channels}")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); fetch it again")
    if not is_film(path):
        from vidsr.data.photos import read_photo

        yield Run([read_photo(path, channels=channels)])
        return
    from vidsr.data.films import film_runs

    for pictures in film_runs(path, channels=channels, length=length, at_most=at_most):
        yield Run(pictures)


def read_runs(path: Path) -> Iterator[list[Luma]]:
    """The luma of `open_runs`, each picture (height, width), in runs of `RUN`. Raises DataError."""
    for run in open_runs(path, channels=1, length=RUN, at_most=RUNS):
        yield [picture[..., 0] for picture in run.pictures]


def _under(path: Path) -> Iterator[Path]:
    """A file itself, or everything in a folder that is neither hidden nor in a folder without truths."""
    if not path.is_dir():
        yield from [] if path.name.startswith(".") else [path]
    elif not _holds_no_truths(path):
        try:
            entries = list(path.iterdir())
        except PermissionError as exc:
            raise DataError(f"{path} may not be read by this user; check its permissions") from exc
        for entry in entries:
            if not entry.name.startswith("."):
                yield from [entry] if entry.is_file() else _under(entry) if not entry.is_symlink() else []


def _holds_no_truths(folder: Path) -> bool:
    name = folder.resolve().name
    if _TWINS.fullmatch(name) or _MASKS.fullmatch(name):
        return True
    twin = _TWIN_OF.fullmatch(name)
    return twin is not None and (folder.resolve().parent / f"{twin['set']}HR").is_dir()


def _licences_of(table: Path) -> dict[Path, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{table} is no table of comma-separated values ({exc})") from exc
    if rows and not {"file", "licence"} <= rows[0].keys():
        raise DataError(f"{table} has no columns named file and licence; it has {', '.join(map(str, rows[0]))}")
    return {table.with_name(row["file"]): row["licence"] or "" for row in rows if row["file"]}
