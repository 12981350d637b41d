"""Time stamps: FFmpeg's rationals, the piece that is wanted, clocks that were set back."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

TICK = Fraction(1, 1_000_000)
"""FFmpeg's own time base, in which containers give start and duration."""


def rational(value: Any) -> Fraction | None:
    """FFmpeg's rational as a Fraction; None where it says nothing; PyAV 18 and 19 differ in the type."""
    if value is None or not value.denominator or not value.numerator:
        return None
    return Fraction(value.numerator, value.denominator)


def exact(seconds: Fraction | float | None) -> Fraction | None:
    """0.2 is meant as a fifth, not as the float beside it."""
    return None if seconds is None else Fraction(seconds).limit_denominator(1_000_000)


@dataclass(slots=True)
class Clip:
    """The piece of a film that is wanted."""

    start: Fraction | None = None
    """Seconds from where the film begins."""
    length: Fraction | None = None
    """Seconds."""
    origin: Fraction = Fraction(0)
    """Seconds on the film's own clock at which it begins."""

    @property
    def whole(self) -> bool:
        """Whether nothing is cut off."""
        return self.start is None and self.length is None

    @property
    def shift(self) -> Fraction:
        """Seconds that every time stamp is moved by."""
        return Fraction(0) if self.start is None else -(self.origin + self.start)

    @property
    def end(self) -> Fraction | None:
        """Seconds on the film's own clock at which the piece ends."""
        return None if self.length is None else self.origin + (self.start or 0) + self.length

    def holds(self, seconds: Fraction) -> bool:
        """Whether something at that time on the film's own clock belongs to the piece."""
        return (self.start is None or seconds >= -self.shift) and (self.end is None or seconds < self.end)

    def chapters(self, chapters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Move the chapters along, without those that lie outside."""
        moved = []
        for chapter in chapters:
            time_base = rational(chapter["time_base"]) or TICK
            first, last = chapter["start"] * time_base, chapter["end"] * time_base
            if (self.end is not None and first >= self.end) or last + self.shift <= 0:
                continue
            first, last = max(first + self.shift, Fraction(0)) if self.start is not None else first, last + self.shift
            if self.end is not None:
                last = min(last, self.end + self.shift)
            moved.append({**chapter, "start": round(first / time_base), "end": round(last / time_base)})
        return moved


class Timeline:
    """Makes clocks that were set back (a joined or restarted stream) run on, alike for every stream."""

    def __init__(self, *, rewinds: bool) -> None:
        self._tolerance = Fraction(1, 10) if rewinds else Fraction(1)
        self._shifts = [Fraction(0)]  # seconds added, one for each time the clock was set back
        self._epoch: dict[int, int] = {}
        self._last: dict[int, tuple[Fraction, Fraction]] = {}  # stream: time as read, and its duration

    def straighten(self, packet: Any) -> bool:
        """Move one packet, in place; tells whether the clock of its stream was set back just before it."""
        time_base = rational(packet.time_base)
        if packet.dts is None or time_base is None:
            return False
        index, time = packet.stream_index, packet.dts * time_base
        before = epoch = self._epoch.get(index, 0)
        if index in self._last:
            last, length = self._last[index]
            if time < last - self._tolerance:
                epoch += 1
                if epoch == len(self._shifts):
                    self._shifts.append(self._shifts[-1] + last + length - time)
        self._epoch[index] = epoch
        self._last[index] = time, (packet.duration or 0) * time_base
        if self._shifts[epoch]:
            ticks = round(self._shifts[epoch] / time_base)
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        return epoch != before
