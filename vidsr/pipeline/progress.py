"""What a run counts and reports: progress, warnings, and the summary at the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidsr.context import Context, Notice, Progress, Stop
from vidsr.frames import Frame, VideoInfo
from vidsr.video.read.damage import Damage

if TYPE_CHECKING:
    from vidsr.pipeline.realtime.latency_meter import RealtimeReport
    from vidsr.upscaling.compute.compute_plan import Shares
    from vidsr.upscaling.model_choice import Choice


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did."""

    source: str
    target: str
    model: str
    frames: int
    frames_reused: int
    """Of these, repeats of the frame before, which were not computed again."""
    seconds: float
    fps: float
    speed: float
    """Seconds of video in a second; 1 is real time."""
    input_size: tuple[int, int]
    """Width and height, as players show it."""
    output_size: tuple[int, int]
    shares: "Shares | None"
    """What the network computed, and what became of the rest; None if no tiles were planned."""
    notices: tuple[Notice, ...]
    """The warnings: what could not be kept as it was."""
    damage: Damage
    """Which parts of the input were damaged, and where."""
    realtime: "RealtimeReport | None" = None
    """How the run kept up with a live stream; None if it did not have to."""
    choice: "Choice | None" = None
    """Why this model was taken, if no model was named and speed decided."""


class RunRecord:
    """Counts one run; `count` is called by one thread, `warn` by any."""

    def __init__(self, context: Context) -> None:
        """context: of the caller, which every warning is passed on to once, and progress after every frame."""
        self.notices: list[Notice] = []
        self.frames = self.reused = 0
        self.late = False
        self.position = 0.0
        self._before, self._position_before = 0, 0.0
        self._outer = context
        self._began = time.monotonic()
        self._origin: float | None = None
        self.delay: Callable[[], str] | None = None
        """See `Progress`."""
        self.realtime: RealtimeReport | None = None
        """See `Summary`."""

    @property
    def context(self) -> Context:
        """The context to hand to every stage: warnings come here first."""
        return Context(self.add, self._outer.on_progress, self._outer.stop)

    @property
    def stop(self) -> Stop:
        """The stop switch of the run."""
        return self._outer.stop

    def add(self, notice: Notice) -> None:
        """Pass a warning on and keep it for the summary; each message once."""
        if all(notice.message != other.message or notice.codes != other.codes for other in self.notices):
            self.notices.append(notice)
            self._outer.on_warning(notice)

    def say(self, message: str) -> None:
        """Pass a message on that the summary need not repeat."""
        self._outer.on_warning(Notice(message))

    def skip(self, frames: int, *, begin: float, end: float) -> None:
        """Count frames that an earlier run wrote; begin, end: seconds on the clock of the video."""
        self._origin = begin
        self.frames = self._before = frames
        self.position = self._position_before = end - begin

    def count_reused(self) -> None:
        """Count a frame that repeats the one before; called by the inference thread."""
        self.reused += 1

    def count(self, frame: Frame, info: VideoInfo) -> None:
        """Count a frame that was written."""
        start = frame.time
        if self._origin is None:
            self._origin = start
        self.frames += 1
        self.position = start - self._origin + frame.duration
        self._outer.on_progress(self.now(info))

    def now(self, info: VideoInfo) -> Progress:
        """Return how far the run is."""
        return Progress(
            self.frames,
            info.frames,
            time.monotonic() - self._began,
            self.position,
            None if info.duration is None else float(info.duration),
            self._before,
            self._position_before,
            self.delay,
        )
