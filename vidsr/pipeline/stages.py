"""The stages between a source and a sink, each an iterator over the one before: upscale, paced."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from vidsr.frames import Carried, Frame
from vidsr.prefetch import closed_after

Item = Frame | Carried

LATE_S = 1.0  # a live run this far behind says so
LATE_AGAIN_S = 30.0  # and not again for so long


class PendingFrame(Protocol):
    """A frame under way."""

    def result(self) -> Frame:
        """Wait for the larger frame."""


class EnlargesFrames(Protocol):
    """What `upscale` needs of an upscaler."""

    in_flight: int

    def submit(self, frame: Frame) -> PendingFrame:
        """Start on one frame and return at once."""


def upscale(
    stream: Iterable[Item], upscaler: EnlargesFrames, *, reused: Callable[[], None] | None = None
) -> Generator[Item, None, None]:
    """Enlarge the frames of a stream and let everything else through, in order.

    At most `upscaler.in_flight` frames are held back: 2 or more for files; 1 for live streams, so that a frame never
    waits for the next one. Carried packets wait behind the frames they followed. A frame that shows the same as the one
    before takes over its planes, which are what the upscaler would make again; `reused` is called for each of these.
    Closing the iterator drops what is held back, and closes `stream` if it is a generator.
    """
    held: deque[PendingFrame | Item] = deque()  # a Frame in it shows the same as the one before
    under_way = 0
    before: Frame | None = None
    with closed_after(stream) as items:
        results = _results(held, reused)
        for item in items:
            if isinstance(item, Carried):
                held.append(item)
            else:
                held.append(item if _repeats(item, before) else upscaler.submit(item))
                before = item
                under_way += 1
            while held and (under_way == upscaler.in_flight or isinstance(held[0], Item)):
                under_way -= not isinstance(held[0], Carried)
                yield next(results)
        while held:
            yield next(results)


def _repeats(frame: Frame, before: Frame | None) -> bool:
    """Whether an upscaler would make the same of both."""
    return before is not None and frame.quantiser == before.quantiser and frame.shows(before)


def _results(held: deque[PendingFrame | Item], reused: Callable[[], None] | None) -> Iterator[Item]:
    """Take the first that is held each time, and wait for it."""
    larger: Frame | None = None
    while True:
        head = held.popleft()
        if isinstance(head, Carried):
            yield head
        elif isinstance(head, Frame):
            assert larger is not None
            if reused is not None:
                reused()
            # The carrier is the small picture: a sink copies the planes into a new one with its side data.
            yield replace(larger, pts=head.pts, duration=head.duration, time_base=head.time_base, carrier=head.carrier)
        else:
            larger = head.result()
            yield larger


def paced(stream: Iterable[Item], late: Callable[[float], None]) -> Generator[Item, None, None]:
    """Let a live stream through, and tell how many seconds those who take it are behind it.

    Time spent waiting for the stream itself, beyond the time it lasts, does not count: it may pause.
    late: called once `LATE_S` is passed, then at most every `LATE_AGAIN_S`.
    """
    behind, told, last = 0.0, -LATE_AGAIN_S, None
    with closed_after(stream) as items:
        asked = time.monotonic()
        for item in items:
            came = time.monotonic()
            yield item
            taken = time.monotonic()
            lasts = 0.0
            if isinstance(item, Frame):
                now = float(item.pts * item.time_base)
                lasts, last = (now - last if last is not None else 0.0), now
            behind = max(behind + (taken - came) + min(came - asked, lasts) - lasts, 0.0)
            if behind > LATE_S and taken - told > LATE_AGAIN_S:
                late(behind)
                told = taken
            asked = taken
