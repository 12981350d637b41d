"""What a run notes down: how far it is, what the user was told, and the summary at the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from vidsr.frames import Frame, VideoInfo
from vidsr.video.read.damage import Damage


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    frames: int
    """Written so far."""
    total: int | None
    """Frames in all, as the container says."""
    seconds: float
    """Since the run began."""
    position: float
    """Seconds of film written."""
    duration: float | None
    """Seconds of film in all, as the container says."""
    before: int = 0
    """Frames that an earlier run wrote, where a job resumes; `frames` counts them too."""
    position_before: float = 0.0
    """Seconds of film that they last."""

    @property
    def fps(self) -> float:
        """Frames written in a second."""
        return (self.frames - self.before) / self.seconds if self.seconds else 0.0

    @property
    def speed(self) -> float:
        """Seconds of film in a second; 1 is real time."""
        return (self.position - self.position_before) / self.seconds if self.seconds else 0.0

    @property
    def left(self) -> float | None:
        """Seconds still to go; None where the length is not known."""
        if self.duration is None or not self.speed:
            return None
        return max(self.duration - self.position, 0.0) / self.speed


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did."""

    source: str
    target: str
    model: str
    frames: int
    frames_reused: int
    """Of these, that show the same as the one before and were not computed again."""
    seconds: float
    fps: float
    speed: float
    """Seconds of film in a second; 1 is real time."""
    input_size: tuple[int, int]
    """Width, height."""
    output_size: tuple[int, int]
    notices: tuple[str, ...]
    """What the user was told: what could not be kept as it was."""
    damage: Damage
    """What of the input was damaged, and where."""


class Record:
    """The notes of one run; `write` is called by one thread, `tell` by any."""

    def __init__(self, progress: Callable[[Progress], None] | None, notice: Callable[[str], None] | None) -> None:
        self.notices: list[str] = []
        self.frames = self.reused = 0
        self.late = False
        self.position = 0.0
        self._before, self._position_before = 0, 0.0
        self._progress, self._notice = progress, notice
        self._began = time.monotonic()
        self._origin: float | None = None

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    def tell(self, sentence: str) -> None:
        """Tell the user something, and keep it for the summary; each sentence once."""
        if sentence not in self.notices:
            self.notices.append(sentence)
            self.whisper(sentence)

    def whisper(self, sentence: str) -> None:
        """Tell the user something that the summary need not repeat."""
        if self._notice is not None:
            self._notice(sentence)

    def skip(self, frames: int, *, begin: float, end: float) -> None:
        """Count frames that an earlier run wrote; begin, end: seconds on the film's clock."""
        self._origin = begin
        self.frames = self._before = frames
        self.position = self._position_before = end - begin

    def reuse(self) -> None:
        """Count a frame that shows the same as the one before; called by the thread of inference."""
        self.reused += 1

    def write(self, frame: Frame, info: VideoInfo) -> None:
        """Count a frame that was written."""
        start = float(frame.pts * frame.time_base)
        if self._origin is None:
            self._origin = start
        self.frames += 1
        self.position = start - self._origin + float(frame.duration * frame.time_base)
        if self._progress is not None:
            self._progress(self.now(info))

    def now(self, info: VideoInfo) -> Progress:
        """How far the run is."""
        return Progress(
            self.frames,
            info.frames,
            self.seconds,
            self.position,
            None if info.duration is None else float(info.duration),
            self._before,
            self._position_before,
        )
