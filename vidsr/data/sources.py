"""Photos and films: where they lie, what their licences are, and runs of pictures out of them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidsr.data.photos import Picture, read_photo
from vidsr.errors import DataError

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = {".mp4", ".m4v", ".mkv", ".mov", ".webm", ".ts", ".m2ts", ".avi", ".y4m", ".nut", ".mpg", ".mpeg", ".ogv"}
LICENCES = "licences.csv"
OTHERS = (
    ".avif .cr2 .dng .exr .gif .heic .heif .jp2 .jxl .nef .pbm .pgm .ppm .psd .svg .tga"
    " .264 .265 .3gp .flv .h264 .h265 .hevc .m3u8 .mts .mxf .rm .vob .wmv"
)
"""Pictures and films too, but none that are read: named, so that nobody thinks they are learnt from."""


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
    """List the photos and films under `paths` (files or folders), sorted; without what `left_out` tells.

    Raises DataError where nothing is left.
    """
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist; give a folder or file of pictures or films")
    files = {file for path in paths for file, unfit in _walk(path) if not unfit and _is_known(file)}
    if not files:
        but = next((f" but {other} ({reason})" for other, reason in left_out(paths).items()), "")
        known = " ".join(sorted({*IMAGES, *VIDEOS}))
        raise DataError(f"no pictures or films in {', '.join(map(str, paths))}{but}; known are {known}")
    return sorted(files)


def left_out(paths: Sequence[Path]) -> dict[Path, str]:
    """What `find` passes over under `paths`, sorted, and why: pictures and films that are not read, or hold no truths.

    The latter are DIV2K's and Flickr2K's low-resolution twins (`…_LR_…`), any folder named `LR…` or `…_LR…` beside one
    that says `HR`, and OpenImages' masks. Of files that are neither picture nor film, only those in `paths` are told.
    """
    unknown = {path: "is no picture or film, by its name" for path in paths if path.is_file() and not _is_known(path)}
    return dict(sorted((unknown | {file: unfit for path in paths for file, unfit in _walk(path) if unfit}).items()))


def is_video(path: Path) -> bool:
    """Whether a file is read as a film: any whose name is not that of a photo."""
    return path.suffix.lower() not in IMAGES


def licences(paths: Sequence[Path]) -> dict[Path, str]:
    """The licence of each file that a licences.csv beside it names, by its columns `file` and `licence`.

    paths: files, or folders that are looked through. Raises DataError where such a table lacks one of the columns.
    """
    files = {file for path in paths for file, unfit in _walk(path) if not unfit}
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
    if not is_video(path):
        yield Run([read_photo(path, channels=channels)])
        return
    from vidsr.data.video_clips import video_runs

    for pictures in video_runs(path, channels=channels, length=length, at_most=at_most):
        yield Run(pictures)


def _walk(path: Path) -> Iterator[tuple[Path, str]]:
    """Give the files in a folder, or a file itself, unless hidden; with a reason what cannot be used, folders too."""
    if not path.is_dir():
        if not path.name.startswith("."):
            yield path, _unfit(path)
    elif _holds_no_truths(path):
        yield path, "a folder of no truths"
    else:
        try:
            entries = list(path.iterdir())
        except PermissionError:
            yield path, "may not be read by this user; check its permissions"
            return
        for entry in entries:
            if entry.is_symlink() and entry.is_dir():
                yield entry, "a link to a folder; name that folder itself"
            elif not (entry.is_dir() and entry.name.startswith(".")):
                yield from _walk(entry)


def _unfit(file: Path) -> str:
    if not file.is_file():
        return "a link to nothing" if file.is_symlink() else "no file"
    suffix = file.suffix.lower()
    return f"{suffix} is not read; convert it to PNG, or to H.264 in .mp4" if suffix in OTHERS.split() else ""


def _is_known(file: Path) -> bool:
    return file.suffix.lower() in {*IMAGES, *VIDEOS}


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
