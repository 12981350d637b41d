"""Time bases, exact seconds, and the range of a video that is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from vidsr.video._compat import Chapter
from vidsr.video._compat import rational as rational
from vidsr.video.metadata import as_text

MICROSECOND = Fraction(1, 1_000_000)
"""AV_TIME_BASE: the unit of a container's start and duration."""


def exact(seconds: Fraction | float | None) -> Fraction | None:
    """Return seconds as the Fraction that was meant: 0.2 as 1/5 rather than the float beside it."""
    return None if seconds is None else Fraction(seconds).limit_denominator(1_000_000)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The part of a video that is read; times are seconds on the clock of the video unless stated otherwise."""

    start: Fraction | None = None
    """Seconds after `origin`; None reads from the beginning and keeps time stamps as they are."""
    duration: Fraction | None = None
    origin: Fraction = Fraction(0)
    """When the video begins."""

    @property
    def whole(self) -> bool:
        """Return whether the whole video is read."""
        return self.start is None and self.duration is None

    @property
    def shift(self) -> Fraction:
        """Seconds to add to every time stamp, so that the output begins at 0."""
        return Fraction(0) if self.start is None else -(self.origin + self.start)

    @property
    def end(self) -> Fraction | None:
        """When the range ends."""
        return None if self.duration is None else self.origin + (self.start or 0) + self.duration

    def contains(self, seconds: Fraction) -> bool:
        """Return whether a time is in the range."""
        return (self.start is None or seconds >= -self.shift) and (self.end is None or seconds < self.end)

    def cut_chapters(self, chapters: Sequence[Chapter]) -> list[Chapter]:
        """Return the chapters in the range, shifted and cut to it."""
        cut = []
        for chapter in chapters:
            time_base = rational(chapter["time_base"]) or MICROSECOND
            start, end = chapter["start"] * time_base, chapter["end"] * time_base
            if (self.end is not None and start >= self.end) or end + self.shift <= 0:
                continue
            start, end = max(start + self.shift, Fraction(0)) if self.start is not None else start, end + self.shift
            if self.end is not None:
                end = min(end, self.end + self.shift)
            tags = {as_text(key): as_text(value) for key, value in chapter["metadata"].items()}
            cut.append(chapter | {"start": round(start / time_base), "end": round(end / time_base), "metadata": tags})
        return cut
