"""Luma of photos and films: what training pictures are made of."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import DataError, InputError
from vidsr.metrics import luma_of_rgb

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = {".mp4", ".mkv", ".mov", ".webm", ".ts", ".m2ts", ".avi", ".y4m", ".nut", ".mpg"}
RUN = 6  # frames of a film kept together, so that a codec sees motion
RUNS = 48  # of one film at most: a feature film must not fill the memory

Luma = NDArray[np.uint8]


def find(paths: Sequence[Path]) -> list[Path]:
    """List the photos and films under `paths` (files or folders), sorted. Raises DataError where there are none."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist; give a folder or file of pictures or films")
        inside = path.rglob("*") if path.is_dir() else [path]
        shown = (file for file in inside if not file.name.startswith("."))
        files += [file for file in shown if file.suffix.lower() in {*IMAGES, *VIDEOS}]
    if not files:
        raise DataError(f"no pictures or films in {', '.join(map(str, paths))}; known are {' '.join(sorted(IMAGES))} …")
    return sorted(set(files))


def read_runs(path: Path) -> Iterator[list[Luma]]:
    """Read a photo as one run of one frame, a film as runs of `RUN` consecutive frames spread over its length.

    Yields lists of (height, width) uint8: BT.601 luma of limited range for photos, as coded for films.
    Raises DataError.
    """
    yield from [[_read_photo(path)]] if path.suffix.lower() in IMAGES else _read_film(path)


def _read_photo(path: Path) -> Luma:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            rgb = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as exc:
        raise DataError(f"{path} cannot be read as a picture ({exc})") from exc
    return np.rint(luma_of_rgb(rgb)).astype(np.uint8)


def _read_film(path: Path) -> list[list[Luma]]:
    """Keep every k-th run, k doubling whenever too many are held: one pass, bounded memory, whole length covered."""
    from vidsr.frames import Frame
    from vidsr.video.source import open_source

    runs: list[list[Luma]] = []
    every, index, run = 1, 0, []
    try:
        with open_source(path) as source:
            for item in source:
                if not isinstance(item, Frame):
                    continue
                if index % every == 0:
                    run.append(np.right_shift(item.planes[0], item.bits - 8).astype(np.uint8))
                if len(run) == RUN or (run and run[0].shape != run[-1].shape):
                    runs += [run] if len(run) == RUN else []
                    run, index = [], index + 1
                elif index % every:
                    index += 1
                if len(runs) > 2 * RUNS:
                    runs, every = runs[::2], 2 * every
    except InputError as exc:
        raise DataError(f"{path} cannot be read as a film ({exc})") from exc
    return runs[:: max(1, len(runs) // RUNS)]
