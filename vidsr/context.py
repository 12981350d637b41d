"""What all stages of a run share: a stop switch, warnings with codes, progress."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

log = logging.getLogger(__name__)


class Code(StrEnum):
    """The subject of a warning, and of a finding of `verify`; the value is printed in reports."""

    FRAMES = "frames"
    PICTURE = "picture"
    """What the frames show."""
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
    SIDE_DATA = "side data"
    """Of frames, other than captions and HDR metadata."""
    ASPECT = "aspect"
    ROTATION = "rotation"
    SPHERICAL = "spherical"
    STEREO = "stereo 3D"
    PROGRAM = "programme"
    CHAPTERS = "chapters"
    TAGS = "tags"
    START = "start"
    DRIFT = "drift"
    SIZE = "size"
    READABLE = "readable"
    # Of one stream: the upscaled video, or the copied streams of a notice.
    STREAM = "stream"
    """Whether it exists."""
    CODEC = "codec"
    LANGUAGE = "language"
    DISPOSITION = "disposition"
    STREAM_TAGS = "stream tags"
    PACKETS = "packets"
    """Their number."""
    PAYLOAD = "payload"
    TIMES = "times"
    TEXT = "text"
    """Of subtitles that are converted."""
    NEW_STREAM = "new stream"
    """One that the input does not have."""


STREAM_CODES = frozenset((Code.LANGUAGE, Code.DISPOSITION, Code.STREAM_TAGS))
"""Those that mean the upscaled video, in a notice without copied streams."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning for the user, about something that the output does not keep.

    It announces the findings of `verify` with one of its codes, and no others. Without codes it is about something
    that comparing the files cannot show.
    """

    message: str
    codes: tuple[Code, ...] = ()
    streams: tuple[int, ...] = ()
    """Indices in the input of the copied streams it is about; empty for the video."""
    tags: tuple[str, ...] = ()
    """Keys of the tags it is about; empty for all."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run."""

    frames: int
    """Frames written so far."""
    total: int | None
    """All frames, as the container states, if it does."""
    seconds: float
    """Seconds since the run began."""
    position: float
    """Seconds of video written."""
    duration: float | None
    """Seconds of the whole video, as the container states, if it does."""
    frames_before: int = 0
    """Those of `frames` that an earlier run wrote, if this one resumes it."""
    position_before: float = 0.0
    """Those of `position` that an earlier run wrote."""
    delay: Callable[[], str] | None = None
    """Describes how a live run keeps up, in a few words; None for other runs."""

    @property
    def fps(self) -> float:
        """Frames per second."""
        return (self.frames - self.frames_before) / self.seconds if self.seconds else 0.0

    @property
    def speed(self) -> float:
        """Seconds of video per second; 1 is real time."""
        return (self.position - self.position_before) / self.seconds if self.seconds else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds left; None if unknown."""
        if self.duration is None or not self.speed:
            return None
        return max(self.duration - self.position, 0.0) / self.speed


class Stopped(Exception):
    """Raised by reading and writing when the stop switch is set."""


class Stop:
    """A switch that interrupts every waiting pipe. May be set from a signal handler and from any thread."""

    finishes = False
    """Whether what was written before the switch is completed, which may take longer than a moment."""

    def __init__(self) -> None:
        self._event, self._lock = threading.Event(), threading.Lock()
        self._pipe: tuple[int, int] | None = None

    def set(self) -> None:
        """Set the switch, for good; may be called again."""
        if not self._event.is_set():
            self._event.set()
            if self._pipe is not None:  # if `fileno` opens the pipe later, it writes
                os.write(self._pipe[1], b"!")  # never read, so that every `select` sees it

    def is_set(self) -> bool:
        """Return whether the switch is set."""
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the switch is set or the timeout is over; return whether it is set."""
        return self._event.wait(timeout_s)

    def check(self) -> None:
        """Raise Stopped if the switch is set."""
        if self.is_set():
            raise Stopped

    def fileno(self) -> int:
        """Return a descriptor for `select` that is readable once the switch is set."""
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
    """Log a warning: the default of `Context.on_warning`."""
    log.warning("%s", notice)


def ignore(_: object) -> None:
    """Do nothing: the default of `Context.on_progress`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all stages of a run share. The callbacks are called from several threads."""

    on_warning: Callable[[Notice], None] = log_warning
    on_progress: Callable[[Progress], None] = ignore
    """Called after every frame; an exception ends the run."""
    stop: Stop = field(default_factory=Stop)

    def warn(self, message: str, *codes: Code, streams: tuple[int, ...] = ()) -> None:
        """Call `on_warning` with a new notice."""
        self.on_warning(Notice(message, codes, streams))
