"""Time stamps of packets: clocks that were set back, and variable frame rates."""

from fractions import Fraction
from itertools import pairwise

import av
from av.container import InputContainer

from vidsr.video._compat import LENIENT_TEXT, rational


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
        with av.open(container.name, "r", container_options=container.container_options, **LENIENT_TEXT) as second:
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
