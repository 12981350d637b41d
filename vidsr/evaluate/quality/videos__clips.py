"""The frames of a clip, as they are sent and judged."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from vidsr.errors import DataError
from vidsr.frames import Frame
from vidsr.video.read.source import open_source


def frames_of(clip: Path, count: int | None) -> Iterator[Frame]:
    """Decode the first `count` frames, None for all.

    Raises DataError where there are none, where they are not 8-bit 4:2:0, or where their size changes.
    """
    first = None
    with open_source(clip) as source:
        for frame in islice((item for item in source if isinstance(item, Frame)), count):
            first = first or frame
            if frame.bits != 8 or len(frame.planes) != 3 or frame.color.subsampling != (1, 1):
                raise DataError(f"{clip} is not 8-bit 4:2:0, which is what the encoders are given; convert it first")
            if (frame.width, frame.height) != (first.width, first.height):
                raise DataError(f"{clip} changes its size on the way; cut it where it does")
            yield frame
    if first is None:
        raise DataError(f"{clip} has no pictures that could be decoded")


def seconds_of(first: Frame, last_pts: int, count: int) -> float:
    """How long two or more frames last: from the first to the last, which lasts as long as the others on average."""
    return float((last_pts - first.pts) * first.time_base * Fraction(count, count - 1))


def cut(frame: Frame, width: int, height: int) -> Frame:
    """Cut a frame right and below. width, height: even."""
    if (frame.width, frame.height) == (width, height):
        return frame
    luma, *chroma = frame.planes
    planes = luma[:height, :width], *(plane[: height // 2, : width // 2] for plane in chroma)
    return replace(frame, planes=planes, carrier=None)
