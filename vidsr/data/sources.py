"""The photos and videos to train on: which files they are, their licences, and consecutive images from them."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidsr.data.photos import Image, read_photo
from vidsr.errors import DataError

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = {".mp4", ".m4v", ".mkv", ".mov", ".webm", ".ts", ".m2ts", ".avi", ".y4m", ".nut", ".mpg", ".mpeg", ".ogv"}
LICENCES = "licences.csv"
OTHERS = (
    ".avif .cr2 .dng .exr .gif .heic .heif .jp2 .jxl .nef .pbm .pgm .ppm .psd .svg .tga"
    " .264 .265 .3gp .flv .h264 .h265 .hevc .m3u8 .mts .mxf .rm .vob .wmv"
)
"""Images and videos that are not read. They are reported, so that nobody assumes they are trained on."""

# Folders as data sets unpack them: DIV2K_train_LR_bicubic/X2, Flickr2K_LR_unknown, OpenImages' train-masks-0.
_LOW_RESOLUTION_SETS = re.compile(r"(DIV2K|Flickr2K)\w*_LR(_\w+)?", re.IGNORECASE)
_LOW_RESOLUTION = re.compile(r"(?P<set>(\w+_)?)LR(_\w+)?")
_MASKS = re.compile(r"(train|validation|test)-masks(-\w+)?")


def find_sources(paths: Sequence[Path]) -> list[Path]:
    """List the photos and videos in files and folders, sorted, without those that `find_skipped` lists.

    Raises DataError if there are none.
    """
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist; give a folder or file of images or videos")
    files = {file for path in paths for file, reason in _walk(path) if not reason and _is_known(file)}
    if not files:
        skipped = next((f" but {other} ({reason})" for other, reason in find_skipped(paths).items()), "")
        known = " ".join(sorted({*IMAGES, *VIDEOS}))
        raise DataError(f"no images or videos in {', '.join(map(str, paths))}{skipped}; known are {known}")
    return sorted(files)


def find_skipped(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the files and folders that `find_sources` skips, sorted, with the reason.

    They are images and videos in formats that are not read, and folders without ground truth: the low-resolution images
    of DIV2K and Flickr2K (`…_LR_…`), any folder named `LR…` or `…_LR…` beside one named `HR`, and OpenImages' masks.
    Files that are neither images nor videos are listed only if `paths` names them.
    """
    unknown = {path: "not an image or video, by its name" for path in paths if path.is_file() and not _is_known(path)}
    return dict(sorted((unknown | {file: reason for path in paths for file, reason in _walk(path) if reason}).items()))


def is_video(path: Path) -> bool:
    """Return whether a file is read as a video: any file without the extension of an image."""
    return path.suffix.lower() not in IMAGES


def read_licences(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the licences of the files that a licences.csv beside them lists, by its columns `file` and `licence`.

    paths: files, or folders to search. Raises DataError if such a table lacks one of the columns.
    """
    files = {file for path in paths for file, reason in _walk(path) if not reason}
    known: dict[Path, str] = {}
    for table in sorted({file.with_name(LICENCES) for file in files}):
        if table.is_file():
            known |= _read_table(table)
    return {file: known[file] for file in sorted(files) if known.get(file)}


def read_runs(path: Path, *, channels: int, length: int, at_most: int) -> Iterator[list[Image]]:
    """Read runs of consecutive images: a photo as one image, a video as up to `at_most` runs of `length` frames.

    channels: 1 for limited-range luma (BT.601 for photos), 3 for RGB. Images are (height, width, channels) uint8;
    videos lose an odd last line or column. Runs are spread over the video, contain no scene cut, and start with
    different images. The video is decoded once, and one run is held in memory.
    Raises DataError if the file cannot be read; if it is truncated or damaged, only after its good runs were yielded.
    """
    if channels not in (1, 3):
        raise ValueError(f"expected 1 or 3 channels, got {channels}")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); fetch it again")
    if is_video(path):
        from vidsr.data.video_clips import video_runs

        yield from video_runs(path, channels=channels, length=length, at_most=at_most)
    else:
        yield [read_photo(path, channels=channels)]


def _walk(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files in a folder, or a file itself, unless hidden; files and folders to skip come with a reason."""
    if not path.is_dir():
        if not path.name.startswith("."):
            yield path, _reason_to_skip(path)
    elif _lacks_ground_truth(path):
        yield path, "a folder without ground truth"
    else:
        try:
            entries = list(path.iterdir())
        except PermissionError:
            yield path, "may not be read by this user; check its permissions"
            return
        for entry in entries:
            if entry.is_symlink() and entry.is_dir():
                yield entry, "a link to a folder; give that folder itself"
            elif not (entry.is_dir() and entry.name.startswith(".")):
                yield from _walk(entry)


def _reason_to_skip(file: Path) -> str:
    if not file.is_file():
        return "a broken link" if file.is_symlink() else "not a regular file"
    suffix = file.suffix.lower()
    return f"{suffix} is not read; convert it to PNG, or to H.264 in .mp4" if suffix in OTHERS.split() else ""


def _is_known(file: Path) -> bool:
    return file.suffix.lower() in {*IMAGES, *VIDEOS}


def _lacks_ground_truth(folder: Path) -> bool:
    name = folder.resolve().name
    if _LOW_RESOLUTION_SETS.fullmatch(name) or _MASKS.fullmatch(name):
        return True
    match = _LOW_RESOLUTION.fullmatch(name)
    return match is not None and (folder.resolve().parent / f"{match['set']}HR").is_dir()


def _read_table(table: Path) -> dict[Path, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{table} is not a table of comma-separated values ({exc})") from exc
    if rows and not {"file", "licence"} <= rows[0].keys():
        raise DataError(f"{table} has no columns named file and licence; it has {', '.join(map(str, rows[0]))}")
    return {table.with_name(row["file"]): row["licence"] or "" for row in rows if row["file"]}
