"""Time stamps of what is read: clocks that were set back, durations in mp4, strictly rising pts, variable rates."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import av
from av.container import InputContainer

from vidsr.video._compat import rational
from vidsr.video.read.damage import DamageLog
from vidsr.video.timing import TimeRange


class Timeline:
    """Lets clocks that were set back (joined or restarted streams) run on, alike for every stream."""

    def __init__(self, *, discontinuous: bool) -> None:
        """discontinuous: whether the format allows clocks to be set back, so that small steps count."""
        self._tolerance = Fraction(1, 10) if discontinuous else Fraction(1)
        self._shifts = [Fraction(0)]  # seconds added, one for each time the clock was set back
        self._epoch: dict[int, int] = {}
        self._last: dict[int, tuple[Fraction, Fraction]] = {}  # stream: time as read, and its duration

    def adjust(self, packet: av.Packet) -> bool:
        """Shift the time stamps of a packet, and return whether the clock of its stream was set back before it."""
        time_base = rational(packet.time_base)
        if packet.dts is None or time_base is None:
            return False
        index, time = packet.stream_index, packet.dts * time_base
        before = epoch = self._epoch.get(index, 0)
        if index in self._last:
            last, duration = self._last[index]
            if time < last - self._tolerance:
                epoch += 1
                if epoch == len(self._shifts):
                    self._shifts.append(self._shifts[-1] + last + duration - time)
        self._epoch[index] = epoch
        self._last[index] = time, (packet.duration or 0) * time_base
        if self._shifts[epoch]:
            ticks = round(self._shifts[epoch] / time_base)
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        return epoch != before


class FrameDurations:
    """A frame stage that makes each frame last until the next one is shown; holds one frame back.

    For mov and mp4, where FFmpeg derives durations from decoding times, which reordering makes wrong.
    """

    def __init__(self, end: Callable[[], int | None]) -> None:
        """end: returns when the track ends, in ticks, or None if that is unknown; called after the last frame."""
        self._end = end
        self._held: av.VideoFrame | None = None

    def push(self, av_frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take a frame and return the one before."""
        held = self._release(av_frame.pts)
        self._held = av_frame
        return held

    def flush(self) -> list[av.VideoFrame]:
        """Return the last frame."""
        return self._release(self._end() if self._held is not None else None)

    def give_up(self) -> list[av.VideoFrame]:
        """Return the frame that is held back, with the duration that FFmpeg states."""
        return self._release(None)

    def _release(self, end: int | None) -> list[av.VideoFrame]:
        held, self._held = self._held, None
        if held is None:
            return []
        if end is not None and held.pts is not None and end > held.pts:
            held.duration = end - held.pts
        return [held]


class FrameClock:
    """A frame stage that makes pts rise strictly, drops frames outside a range, and shifts the others."""

    def __init__(self, span: TimeRange, time_base: Fraction, step: int, log: DamageLog) -> None:
        """step: ticks to the next frame where its pts and the duration are missing."""
        self._span, self._time_base, self._step, self._log = span, time_base, step, log
        self._shift = round(span.shift / time_base)
        self._last: int | None = None
        self._next = 0

    def push(self, av_frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Return the frame if it is in the range."""
        pts = self._next if av_frame.pts is None else av_frame.pts
        if self._last is not None:
            pts = max(pts, self._last + 1)
        self._last = pts
        av_frame.duration = av_frame.duration or 0
        self._next = pts + (av_frame.duration or self._step)
        self._log.next_frame = self._next * self._time_base
        if not self._span.contains(pts * self._time_base):
            return []
        av_frame.pts = pts + self._shift
        return [av_frame]

    def flush(self) -> list[av.VideoFrame]:
        """Return nothing: no frame is held back."""
        return []


def has_variable_rate(container: InputContainer, stream: av.VideoStream) -> bool:
    """Return whether the gaps between frames differ, from the first packets of the file; True if that is unknown."""
    average, base = rational(stream.average_rate), rational(stream.guessed_rate)
    if average is None or average != base or not container.name.startswith("file:"):
        return True
    gaps = _first_gaps(container, stream.index)
    return bool(gaps) and max(gaps) - min(gaps) > 2  # rounding to ticks moves a constant rate by 1


def _first_gaps(container: InputContainer, index: int, count: int = 128) -> list[int]:
    # Differences between the first time stamps, in ticks, read through a second container.
    times: list[int] = []
    try:
        with av.open(container.name, "r", container_options=container.container_options) as second:
            for packet in second.demux(second.streams[index]):
                if packet.pts is not None:
                    times.append(packet.pts)
                if len(times) >= count:
                    break
    except (av.error.FFmpegError, OSError, ValueError):
        return []
    times.sort()
    # Among the last ones, frames that are decoded later may be missing.
    times = times[:-16] if len(times) >= count else times
    return [b - a for a, b in pairwise(times)]
