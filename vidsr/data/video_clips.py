"""Runs of consecutive frames from videos: spread over the whole length, within one scene, no two alike."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.color_convert import frame_to_image
from vidsr.data.photos import Image, read_photo
from vidsr.errors import DataError, InputError
from vidsr.frames import Frame
from vidsr.options import ReadOptions
from vidsr.video.convert.resizer import Resizer
from vidsr.video.read.sampling import UndamagedFrames, extent_of
from vidsr.video.read.source import open_source

Thumbnail = NDArray[np.float32]

CELLS = (18, 32)  # lines and columns of the thumbnails that scenes are compared by: small, so that motion hardly shows
CUT = 0.45  # of a thumbnail's contrast: unrelated ones differ by 1 or more, a jump within a scene by half of it
FAINT = 3.0  # levels: a smaller difference is noise or a fade of a nearly flat image, not a cut
ALIKE = 2.0  # levels: if no cell differs by more, nothing moved that would be worth learning again
SHORT = 0.9  # of the stated duration: videos often end a little early, truncated files much


def video_runs(path: Path, *, channels: int, length: int, at_most: int) -> Iterator[list[Image]]:
    """Read runs of a video as `sources.read_runs` describes; a file that turns out to be an image is read as one."""
    given = 0
    try:
        extent = extent_of(path)
        with open_source(path, ReadOptions(source_qp=0, deinterlace="off")) as source:
            if source.info.still:
                yield [read_photo(path, channels=channels)]
                return
            if getattr(source.first.av_frame, "interlaced_frame", False):
                raise DataError(f"{path} is interlaced; deinterlace it first, so that each frame shows one moment")
            frames, starts = UndamagedFrames(source), starts_in(extent.frames, length, at_most)
            for run in runs_of(frames, starts, length, channels):
                given += 1
                yield run
            damage, lost, duration = source.damage, frames.lost, source.info.duration
    except InputError as exc:
        if isinstance(exc, DataError):
            raise
        what = f"breaks off after {given} runs" if given else "cannot be read as a video"
        raise DataError(f"{path} {what} ({exc})") from exc
    if damage.total or lost:
        raise DataError(f"{path} is damaged: {damage}, and {lost} frames were not used")
    if duration and extent.seconds < SHORT * duration:
        raise DataError(f"{path} is truncated: it ends after {float(extent.seconds):.1f} of {float(duration):.1f} s")
    if not given:
        raise DataError(f"{path} has no {length} frames in a row without a scene cut, of {extent.frames} in all")


def starts_in(frames: int, length: int, at_most: int) -> list[int]:
    """Return where runs start in a video of that many frames: evenly spaced, each in the middle of its share."""
    count = min(at_most, frames // length)
    share = frames / max(count, 1)
    return [int(i * share + (share - length) / 2) for i in range(count)]


def runs_of(frames: Iterable[Frame | None], starts: Sequence[int], length: int, channels: int) -> Iterator[list[Image]]:
    """Yield runs of `length` frames that begin at `starts`, or as soon after as the scene allows.

    frames: None stands for a frame that must not be used. A run starts again after such a frame, a scene cut or a new
    size. A run that begins with the same image as the one before is left out.
    """
    resizer, due = Resizer("bicubic", threads=1), deque(starts)
    run: list[Image] = []
    yielded: Thumbnail | None = None
    first = before = np.zeros((0, 0), np.float32)
    for index, frame in enumerate(frames):
        if not due:
            return
        if frame is None or index < due[0]:
            run = []
            continue
        thumbnail, image = _thumbnail(frame), frame_to_image(frame, channels, resizer)
        if run and (image.shape != run[-1].shape or is_cut(before, thumbnail)):
            run = []
        if not run:
            first = thumbnail
            if yielded is not None and are_alike(yielded, first):
                due.popleft()
                continue
        before = thumbnail
        run.append(image)
        if len(run) == length:
            yield run
            due.popleft()
            run, yielded = [], first


def is_cut(before: Thumbnail, after: Thumbnail) -> bool:
    """Return whether a new scene begins. Flashes and fades change the light but not the pattern, and are not cuts."""
    if before.shape != after.shape:
        return True
    a, b = before - before.mean(), after - after.mean()
    difference = float(np.abs(a - b).mean())
    return difference > max(FAINT, CUT * max(float(np.abs(a).mean()), float(np.abs(b).mean())))


def are_alike(a: Thumbnail, b: Thumbnail) -> bool:
    """Return whether two thumbnails show the same image."""
    return a.shape == b.shape and float(np.abs(a - b).max()) < ALIKE


def _thumbnail(frame: Frame) -> Thumbnail:
    """Return the mean luma of CELLS, on a scale of 0 to 255."""
    rows, columns = min(CELLS[0], frame.height), min(CELLS[1], frame.width)
    cell = frame.height // rows, frame.width // columns
    luma: NDArray[Any] = frame.planes[0][: rows * cell[0], : columns * cell[1]]
    cells = luma.reshape(rows, cell[0], columns, cell[1]).mean((1, 3), np.float32)
    return np.asarray(cells / np.float32(1 << (frame.bits - 8)))
