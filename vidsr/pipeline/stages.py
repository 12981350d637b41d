"""The stages between a source and a sink, each an iterator over the one before: upscale, paced."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
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


def upscale(stream: Iterable[Item], upscaler: EnlargesFrames) -> Generator[Item, None, None]:
    """Enlarge the frames of a stream and let everything else through, in order.

    At most `upscaler.in_flight` frames are held back: 2 or more for files; 1 for live streams, so that a frame never
    waits for the next one. Carried packets wait behind the frames they followed.
    Closing the iterator drops what is held back, and closes `stream` if it is a generator.
    """
    held: deque[PendingFrame | Carried] = deque()
    under_way = 0
    with closed_after(stream) as items:
        for item in items:
            if isinstance(item, Carried):
                held.append(item)
            else:
                held.append(upscaler.submit(item))
                under_way += 1
            while held and (under_way == upscaler.in_flight or isinstance(held[0], Carried)):
                head = held.popleft()
                under_way -= not isinstance(head, Carried)
                yield head if isinstance(head, Carried) else head.result()
        while held:
            head = held.popleft()
            yield head if isinstance(head, Carried) else head.result()


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
