"""Runs of consecutive pictures out of films: spread over the whole length, within one scene, no two alike."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.color_convert import luma_of, rgb_of
from vidsr.data.photos import Picture, read_photo
from vidsr.errors import DataError, InputError
from vidsr.frames import Frame

Small = NDArray[np.float32]

CELLS = (18, 32)  # lines and columns of the small pictures that scenes are told apart by: motion hardly shows in them
CUT = 0.45  # of a small picture's contrast: unrelated ones differ by 1 and more, a jump within a place by half of it
FAINT = 3.0  # levels: below this a difference is noise or the fade of a nearly flat picture, and no cut
ALIKE = 2.0  # levels: where no cell differs by more, nothing moved that would be worth learning again
SHORT = 0.9  # of the announced length: films end a little early as a rule, and cut-off files much


def video_runs(path: Path, *, channels: int, length: int, at_most: int) -> Iterator[list[Picture]]:
    """See `sources.open_runs`; a file that turns out to be a picture is read as one."""
    from vidsr.options import ReadOptions
    from vidsr.video.read.sampling import WholeFrames, extent_of
    from vidsr.video.read.source import open_source

    given = 0
    try:
        extent = extent_of(path)
        # The quantisers of a truth are not looked at.
        with open_source(path, ReadOptions(source_qp=0, deinterlace="off")) as source:
            if source.info.still:
                yield [read_photo(path, channels=channels)]
                return
            if getattr(source.first.av_frame, "interlaced_frame", False):
                raise DataError(f"{path} is interlaced: no picture of it is one moment; deinterlace it first")
            frames, starts = WholeFrames(source), starts_in(extent.pictures, length, at_most)
            for run in runs_of(frames, starts, length, channels):
                given += 1
                yield run
            damage, lost, announced = source.damage, frames.lost, source.info.duration
    except InputError as exc:
        if isinstance(exc, DataError):
            raise
        what = f"breaks off after {given} runs" if given else "cannot be read as a film"
        raise DataError(f"{path} {what} ({exc})") from exc
    if damage.total or lost:
        raise DataError(f"{path} is damaged: {damage}, and {lost} pictures were not used")
    if announced and extent.seconds < SHORT * announced:
        reached = f"{float(extent.seconds):.1f} s of the {float(announced):.1f} s that it announces"
        raise DataError(f"{path} is cut off: it ends after {reached}")
    if not given:
        raise DataError(f"{path} has no {length} pictures in a row without a cut, of {extent.pictures} in all")


def starts_in(pictures: int, length: int, at_most: int) -> list[int]:
    """Where runs are to start in a film of so many pictures: equally far apart, each in the middle of its share."""
    count = min(at_most, pictures // length)
    share = pictures / max(count, 1)
    return [int(i * share + (share - length) / 2) for i in range(count)]


def runs_of(
    frames: Iterable[Frame | None], starts: Sequence[int], length: int, channels: int
) -> Iterator[list[Picture]]:
    """Take runs of `length` frames at `starts`, or as soon after as the scene allows; None is a frame not to be used.

    A run that a cut, a new size or None falls into starts anew behind it. One that begins as the last one given began
    is left out.
    """
    from vidsr.video.convert.resizer import Resizer

    resizer, due = Resizer("bicubic", threads=1), deque(starts)
    run: list[Picture] = []
    kept: Small | None = None
    first = before = np.zeros((0, 0), np.float32)
    for index, frame in enumerate(frames):
        if not due:
            return
        if frame is None or index < due[0]:
            run = []
            continue
        small = _small(frame)
        picture = _picture(frame, channels, resizer)
        if run and (picture.shape != run[-1].shape or is_cut(before, small)):
            run = []
        if not run:
            first = small
            if kept is not None and are_alike(kept, first):
                due.popleft()
                continue
        before = small
        run.append(picture)
        if len(run) == length:
            yield run
            due.popleft()
            run, kept = [], first


def is_cut(before: Small, after: Small) -> bool:
    """Whether a new scene begins, judged by two small pictures: flashes and fades change the light, not the pattern."""
    if before.shape != after.shape:
        return True
    a, b = before - before.mean(), after - after.mean()
    difference = float(np.abs(a - b).mean())
    return difference > max(FAINT, CUT * max(float(np.abs(a).mean()), float(np.abs(b).mean())))


def are_alike(a: Small, b: Small) -> bool:
    """Whether two small pictures show the same."""
    return a.shape == b.shape and float(np.abs(a - b).max()) < ALIKE


def _small(frame: Frame) -> Small:
    """The mean levels of CELLS, on a scale of 0 to 255."""
    rows, columns = min(CELLS[0], frame.height), min(CELLS[1], frame.width)
    cell = frame.height // rows, frame.width // columns
    luma: NDArray[Any] = frame.planes[0][: rows * cell[0], : columns * cell[1]]
    cells = luma.reshape(rows, cell[0], columns, cell[1]).mean((1, 3), np.float32)
    return np.asarray(cells / np.float32(1 << (frame.bits - 8)))


def _picture(frame: Frame, channels: int, resizer: Any) -> Picture:
    """(height, width, channels), sides even."""
    whole = rgb_of(frame, resizer) if channels == 3 else luma_of(frame)[..., None]
    return np.ascontiguousarray(whole[: frame.height // 2 * 2, : frame.width // 2 * 2])
