"""What every stage of a run shares: a stop switch, warnings with codes, progress."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

log = logging.getLogger(__name__)


class Code(StrEnum):
    """What a warning is about, and what `verify` compares; the value is how reports print it."""

    FRAMES = "frames"
    PTS = "pts"
    DURATION = "duration"
    PIXEL_FORMAT = "pixel format"
    ALPHA = "alpha"
    FIELDS = "fields"
    MATRIX = "matrix"
    RANGE = "range"
    PRIMARIES = "primaries"
    TRANSFER = "transfer"
    CHROMA_LOCATION = "chroma location"
    MASTERING = "mastering"
    DYNAMIC_HDR = "dynamic HDR"
    CAPTIONS = "captions"
    ASPECT = "aspect"
    ROTATION = "rotation"
    CHAPTERS = "chapters"
    TAGS = "tags"
    START = "start"
    DRIFT = "drift"
    SIZE = "size"
    READABLE = "readable"
    # Of one stream: of the upscaled video, or of the copied streams that a notice names.
    STREAM = "stream"
    """Whether it is there at all."""
    CODEC = "codec"
    LANGUAGE = "language"
    DISPOSITION = "disposition"
    STREAM_TAGS = "stream tags"
    PACKETS = "packets"
    """How many there are."""
    PAYLOAD = "payload"
    TIMES = "times"
    NEW_STREAM = "new stream"
    """One that the input has not."""


STREAM_CODES = frozenset((Code.LANGUAGE, Code.DISPOSITION, Code.STREAM_TAGS))
"""Those of the video stream itself, where no copied stream is named."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning: a sentence for the user on something that is not kept as it was.

    It excuses the findings of `verify` that have one of its codes, and no others. One without codes changes nothing
    that a file could be compared by.
    """

    message: str
    codes: tuple[Code, ...] = ()
    streams: tuple[int, ...] = ()
    """Indexes in the input of the copied streams it is about; empty: the video itself."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    frames: int
    """Written so far."""
    total: int | None
    """Frames in all, as the container states."""
    seconds: float
    """Since the run began."""
    position: float
    """Seconds of video written."""
    duration: float | None
    """Seconds of video in all, as the container states."""
    frames_before: int = 0
    """Frames that an earlier run wrote, where a job resumes; included in `frames`."""
    position_before: float = 0.0
    """Seconds of video that these last."""

    @property
    def fps(self) -> float:
        """Frames written in a second."""
        return (self.frames - self.frames_before) / self.seconds if self.seconds else 0.0

    @property
    def speed(self) -> float:
        """Seconds of video written in a second; 1 is real time."""
        return (self.position - self.position_before) / self.seconds if self.seconds else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds to go; None if the length is unknown."""
        if self.duration is None or not self.speed:
            return None
        return max(self.duration - self.position, 0.0) / self.speed


class Stopped(Exception):
    """The stop switch was set: reading and writing end where they are."""


class Stop:
    """A switch that wakes every pipe waiting on it; safe to set from a signal handler and from any thread."""

    def __init__(self) -> None:
        self._event, self._lock = threading.Event(), threading.Lock()
        self._pipe: tuple[int, int] | None = None

    def set(self) -> None:
        """Interrupt every wait, now and later; may be called again."""
        if not self._event.is_set():
            self._event.set()
            if self._pipe is not None:  # `fileno` writes where it opens the pipe later
                os.write(self._pipe[1], b"!")  # never read, so that everyone who waits sees it

    def is_set(self) -> bool:
        """Return whether the switch is set."""
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until the switch is set or the time is over; return whether it is set."""
        return self._event.wait(timeout_s)

    def check(self) -> None:
        """Raise Stopped if the switch is set."""
        if self.is_set():
            raise Stopped

    def fileno(self) -> int:
        """Return a descriptor for `select`, readable once the switch is set."""
        with self._lock:
            if self._pipe is None:
                self._pipe = os.pipe()
                if self._event.is_set():
                    os.write(self._pipe[1], b"!")
        return self._pipe[0]

    def close(self) -> None:
        """Close the descriptors; may be called again."""
        with self._lock:
            pipe, self._pipe = self._pipe, None
        for descriptor in pipe or ():
            os.close(descriptor)


def log_warning(notice: Notice) -> None:
    """Log a warning: what happens to it where nobody else takes it."""
    log.warning("%s", notice)


def ignore(_: object) -> None:
    """Take no notice."""


@dataclass(frozen=True, slots=True)
class Context:
    """Handed down through every stage of a run. The callbacks are called from several threads."""

    on_warning: Callable[[Notice], None] = log_warning
    on_progress: Callable[[Progress], None] = ignore
    """Called after every frame; what it raises ends the run."""
    stop: Stop = field(default_factory=Stop)

    def warn(self, message: str, *codes: Code, streams: tuple[int, ...] = ()) -> None:
        """Warn of one thing."""
        self.on_warning(Notice(message, codes, streams))
