"""Time stamps of packets: one continuous clock for all streams, and variable frame rates."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from math import ceil

import av
from av.container import InputContainer

from vidsr.video._compat import LENIENT_TEXT, rational
from vidsr.video.metadata import ATTACHED
from vidsr.video.timing import MICROSECOND

_AVFMT_TS_DISCONT = 0x0200
_CLOCKLESS = ("mpegts", "mpegtsraw", "hls", "mpeg", "live_flv")  # formats whose clock may begin anywhere
_JUMP = 10.0  # seconds that a clock may skip and still be continuous, as in ffmpeg
_EARLIEST = 60.0  # seconds that sound may begin before the picture
_NEAR = 1.0  # seconds; streams are interleaved and joined within this
_SLACK = 0.5  # seconds that sound may outlast the picture at a join without moving the picture
_BACK = 0.1  # seconds that the clock of a stream may fall back and still be continuous
_MOST_HELD = 8 << 20  # bytes of packets
_MOST_REORDERED = 32  # frames between decoding and display; more than any decoder holds back
# Seconds at which clocks wrap around: 33 bits at 90 kHz, 32 bits of milliseconds.
_WRAPS = {name: Fraction(1 << 33, 90_000) for name in ("mpegts", "mpegtsraw", "hls", "mpeg")} | {
    name: Fraction(1 << 32, 1000) for name in ("flv", "live_flv")
}


def origin_of(container: InputContainer, picture: av.VideoStream, *, address: bool = False) -> Fraction | None:
    """Return the time that becomes 0 if 0 on the clock of an input has no meaning; None if it has.

    address: whether the input is at an address; live ones state no duration.
    """
    if container.format.name in _CLOCKLESS or (address and not container.duration):
        return start_of(container, picture) or Fraction(0)
    return None


def start_of(container: InputContainer, picture: av.VideoStream) -> Fraction | None:
    """Return when the first of the pictures and sounds of an input is shown, on its clock; None if that is unknown."""
    own = _start(picture)
    if own is None:
        return container.start_time * MICROSECOND if container.start_time is not None else None
    wrap = _WRAPS.get(container.format.name)
    earlier = [Fraction(0)]
    for stream in container.streams:
        start = _start(stream)
        if stream.type not in ("video", "audio") or stream.disposition & ATTACHED or start is None:
            continue
        apart = start - own
        if wrap is not None:
            apart = (apart + wrap / 2) % wrap - wrap / 2
        if -_EARLIEST <= apart <= 0:  # others were read elsewhere in the file
            earlier.append(apart)
    return own + min(earlier)


def _start(stream: av.stream.Stream) -> Fraction | None:
    time_base = rational(stream.time_base)
    return None if stream.start_time is None or time_base is None else stream.start_time * time_base


class Timeline:
    """Makes one continuous clock of the clocks of an input, alike for all its streams.

    A clock that falls back, wraps around or, in formats where clocks may be discontinuous, jumps forward runs on: the
    pictures continue where they ended, or where the sound did if it lasted longer. All streams move by the same time.
    Packets of other streams that come before the first picture of a new clock wait for it.
    """

    def __init__(
        self,
        container: InputContainer,
        picture: int,
        *,
        origin: Fraction | None = None,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        """picture: index of the video stream. origin: see `origin_of`. on_restart: called as its clock breaks."""
        self._discontinuous = bool(container.format.flags & _AVFMT_TS_DISCONT) or origin is not None
        self._wrap = _WRAPS.get(container.format.name)
        self._picture, self._on_restart = picture, on_restart
        self._sounds = {stream.index for stream in container.streams if stream.type == "audio"}
        # Seconds added to time stamps: one for each epoch, which a break of the clock begins.
        self._shifts = [-(origin or Fraction(0))]
        self._epoch: dict[int, int] = {}
        self._last: dict[int, tuple[float, float]] = {}  # stream: when its last packet begins and ends, on our clock
        self._last_dts: dict[int, int] = {}  # of sounds
        self._now = 0.0  # the furthest end of pictures and sounds
        self._begun = False  # whether one of them was read
        self._picture_end: Fraction | None = None
        self._held: list[tuple[av.Packet, float]] = []  # packets that fit no epoch so far, and where they were read

    def push(self, packet: av.Packet) -> list[av.Packet]:
        """Take a packet and return those that are ready, with adjusted time stamps."""
        if not packet.size and _time_of(packet) is None:  # the end of its stream
            return [*self.flush(), packet]
        if self._discontinuous and packet.pts is not None and packet.dts is not None:
            time_base = rational(packet.time_base) or MICROSECOND
            if self._wrap is not None:  # one of them may have wrapped around before the other
                turn = round(self._wrap / time_base)
                packet.pts += round((packet.dts - packet.pts) / turn) * turn
            if abs(packet.pts - packet.dts) * time_base > _JUMP:  # FFmpeg made dts of the pts before
                packet.dts = packet.pts
        return self._push(packet, self._now)

    def flush(self) -> list[av.Packet]:
        """Return the packets that wait, at the times that are known for them."""
        ready: list[av.Packet] = []
        while self._held:
            held, self._held = self._held, []
            first, shift = self._next_shift(held)
            self._shifts.append(shift)
            for packet, place in held:
                if packet is first:
                    ready.append(self._placed(packet, len(self._shifts) - 1))
                else:
                    ready += self._push(packet, place)
        return ready

    def _push(self, packet: av.Packet, place: float) -> list[av.Packet]:
        index, time = packet.stream_index, _time_of(packet)
        if not any(each.stream_index == index for each, _ in self._held):
            epoch = self._epoch.get(index, 0) if time is None else self._epoch_of(index, float(time))
            if epoch is not None:
                return [self._placed(packet, epoch)]
        self._held.append((packet, place))
        return self.flush() if self._waited_enough() else []

    def _epoch_of(self, index: int, time: float) -> int | None:
        # The epoch in which a time stamp of a stream continues what was read; None if it waits for one.
        own = self._epoch.get(index, 0)
        last = self._last.get(index)
        now = time + float(self._shifts[own])
        if last is not None and last[0] - _BACK <= now <= last[1] + _NEAR and now >= self._now - _NEAR:
            return own
        if not self._discontinuous:
            return self._next_epoch(index, time, own)
        fitting = [
            (abs(time + float(shift) - self._now), epoch)
            for epoch, shift in enumerate(self._shifts[own:], own)
            if self._fits(index, time + float(shift), moved=epoch != own)
        ]
        if fitting:
            return min(fitting)[1]
        turns = () if self._wrap is None else (self._wrap, -self._wrap)
        for shift in (self._shifts[at] + turn for at in (-1, own) for turn in turns):
            if self._fits(index, time + float(shift), moved=False):
                self._shifts.append(shift)
                return len(self._shifts) - 1
        return None

    def _fits(self, index: int, time: float, *, moved: bool) -> bool:
        # moved: into another epoch, where streams may overlap.
        if not self._begun:  # near the origin, which may lie on the other side of a wrap
            return self._wrap is None or abs(time) < self._wrap / 2
        begin, end = self._last.get(index, (time, self._now))
        if not begin - (_NEAR if moved else _BACK) <= time <= max(self._now, end) + _JUMP:
            return False
        return time >= self._now - _JUMP or (index in self._last and time <= end + _NEAR)

    def _next_epoch(self, index: int, time: float, own: int) -> int:
        # The clock of a format without discontinuities was set back if a file was joined, or damaged.
        end = self._last[index][1] if index in self._last else None
        if end is None or time + float(self._shifts[own]) >= self._last[index][0] - _NEAR:
            return own
        if own == len(self._shifts) - 1:
            if index != self._picture and index not in self._sounds:
                return own
            self._shifts.append(Fraction(end) - Fraction(time))
        return own + 1

    def _waited_enough(self) -> bool:
        # Whether all is known that decides when the packets that wait are shown, or will not come any more.
        pictures = self._pictures(self._held)
        if pictures:
            dts = [packet.dts for packet in pictures if packet.dts is not None]
            return not dts or dts[-1] >= min(map(_pts_of, pictures)) or len(pictures) >= _MOST_REORDERED
        times = [float(time) for packet, _ in self._held if (time := _time_of(packet)) is not None]
        waited = max(self._now - self._held[0][1], max(times) - min(times))
        return waited > _JUMP or sum(packet.size for packet, _ in self._held) > _MOST_HELD

    def _pictures(self, held: Iterable[tuple[av.Packet, float]]) -> list[av.Packet]:
        # Those of the next clock.
        found = [packet for packet, _ in held if packet.stream_index == self._picture and _time_of(packet) is not None]
        start = _pts_of(found[0]) if found else 0
        return [packet for packet in found if abs(_pts_of(packet) - start) * (rational(packet.time_base) or 0) < _JUMP]

    def _next_shift(self, held: list[tuple[av.Packet, float]]) -> tuple[av.Packet, Fraction]:
        # The packet that begins an epoch, and its shift: pictures continue, and without any what was read first.
        pictures = self._pictures(held)
        if pictures:
            first = pictures[0]
            start = min(map(_pts_of, pictures)) * (rational(first.time_base) or MICROSECOND)
            end = self._picture_end
            if end is None or self._now - float(end) > _SLACK:
                end = Fraction(self._now)
        else:
            sounds = (each for each in held if each[0].stream_index in self._sounds)
            first, place = next(sounds, held[0])
            start, end = _time_of(first) or Fraction(0), Fraction(place)
        # If a single time stamp was wrong, the clock is what it was before.
        near = _BACK if pictures else _NEAR
        known = (shift for shift in reversed(self._shifts) if abs(float(shift + start - end)) < near)
        return first, next(known, end - start)

    def _placed(self, packet: av.Packet, epoch: int) -> av.Packet:
        # Return the packet with the shift of an epoch, and note where reading is.
        index, time_base = packet.stream_index, rational(packet.time_base) or MICROSECOND
        before, self._epoch[index] = self._epoch.get(index, 0), epoch
        if index == self._picture and self._shifts[epoch] != self._shifts[before]:
            self._on_restart()
        if self._shifts[epoch]:
            ticks = round(self._shifts[epoch] / time_base)
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        if index in self._sounds and self._discontinuous and packet.dts is not None:
            self._raise(packet, ceil(Fraction(1, 1000) / time_base) if epoch else 0)
        time, length = packet.dts if packet.dts is not None else packet.pts, packet.duration or 0
        if time is None:
            return packet
        unit, second = time_base.numerator, time_base.denominator  # whole numbers: this runs for every packet
        end = (time + length) * unit / second
        self._last[index] = time * unit / second, end
        if index == self._picture:
            shown = (_pts_of(packet) + length) * time_base
            self._picture_end = shown if self._picture_end is None else max(self._picture_end, shown)
            self._reach(float(self._picture_end))
        elif index in self._sounds:
            self._reach(end)
        return packet

    def _reach(self, time: float) -> None:
        self._now = max(self._now, time) if self._begun else time
        self._begun = True

    def _raise(self, packet: av.Packet, step: int) -> None:
        # Sound may overlap where recordings were joined. step: ticks, at least one of every container; 0 leaves it.
        assert packet.dts is not None
        last = self._last_dts.get(packet.stream_index)
        if step and last is not None and packet.dts <= last:
            packet.dts = last + step
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        self._last_dts[packet.stream_index] = packet.dts


def _time_of(packet: av.Packet) -> Fraction | None:
    time, time_base = packet.dts if packet.dts is not None else packet.pts, rational(packet.time_base)
    return None if time is None or time_base is None else time * time_base


def _pts_of(packet: av.Packet) -> int:
    pts = packet.pts if packet.pts is not None else packet.dts
    assert pts is not None
    return pts


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
