"""When the frames of a stream arrive, and when they are due by its own clock."""

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from vidsr.context import Stop
from vidsr.frames import Carried, Frame
from vidsr.prefetch import closed_after

JUMP_S = 5.0  # between the times of two frames, from which they belong to different clocks
BLOCKED_S = 0.002  # that a reader was kept waiting by its consumer
RECOVERS = 0.5  # of the time that passes, by which the clock goes back if frames come ahead of it
UNPACED_S = 4.0  # a stream that waited for its consumer for so long comes from a file


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame, and what was known when it came; seconds of `time.monotonic`."""

    frame: Frame
    at: float
    due: float


class StreamClock:
    """The clock of a stream: what its first frame's arrival says of the others. Pure: times are given."""

    def __init__(self) -> None:
        self._origin: float | None = None  # when second 0 of the stream would have arrived
        self._time = self._read = 0.0
        self._at = 0.0
        self._blocked_since: float | None = None

    def arrive(self, time_s: float, now: float, *, blocked: bool) -> tuple[float, float]:
        """Return when a frame arrived and when it was due.

        time_s: of the frame, in the stream. now: when it was read. blocked: whether the reader was kept waiting; the
        frame may then have arrived earlier: when it was due, but after the one before. A frame that the reader waited
        for and that came late, after a pause or a jump, sets the clock anew; while later ones come ahead of it, it goes
        back little by little.
        """
        jumped = not 0 <= time_s - self._time < JUMP_S
        if self._origin is None or jumped or (not blocked and now > self._origin + time_s):
            self._origin = now - time_s
        elif not blocked:
            self._origin -= min(self._origin + time_s - now, RECOVERS * (now - self._read))
        self._read = now
        due = self._origin + time_s
        self._blocked_since = (self._blocked_since or now) if blocked else None
        self._time, self._at = time_s, max(self._at, min(due, now)) if blocked else now
        return self._at, due

    def wait(self, time_s: float, now: float) -> float:
        """Return the seconds until a frame of a file is due."""
        if self._origin is None or not 0 <= time_s - self._time < JUMP_S:
            return 0.0
        return max(0.0, self._origin + time_s - now)

    def is_ahead(self, time_s: float, now: float) -> bool:
        """Return whether the stream has waited for its reader for so long that it must be a file."""
        waits = self._blocked_since is not None and now - self._blocked_since > UNPACED_S
        return waits and self._origin is not None and self._origin + time_s > now


def arrivals(
    items: Iterable[Frame | Carried], clock: StreamClock, *, paced: bool, stop: Stop
) -> Generator[Arrived | Carried, None, None]:
    """Yield each frame with its arrival. paced: wait until it is due, as a live source would.

    So is a pipe paced that turns out to be faster than its own clock.
    """
    yielded = resumed = time.monotonic()
    with closed_after(items) as iterator:
        for item in iterator:
            if not isinstance(item, Frame):
                yield item
                continue
            now = time.monotonic()
            blocked = resumed - yielded > BLOCKED_S
            paced = paced or clock.is_ahead(item.time, now)
            if paced and (seconds := clock.wait(item.time, now)):
                stop.wait(seconds)
                now = time.monotonic()
            # A file has each frame at any time: it arrives when it is due, also where the reader is late.
            at, due = clock.arrive(item.time, now, blocked=blocked or paced)
            yielded = time.monotonic()
            yield Arrived(item, at, due)
            resumed = time.monotonic()
