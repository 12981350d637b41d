"""Timestamps of the output: its time base, and the pts, dts and duration of every frame and packet."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, TypeVar, cast

import av
from av.codec.codec import Codec

from vidsr.context import Code, Context
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.video._compat import Chapter
from vidsr.video.timing import MICROSECOND, rational

_FASTEST_SVT = Fraction(240)  # frames a second that SVT-AV1 accepts; only its rate control uses them
_FASTEST = Fraction(65535)
_LOOKAHEAD = 512  # frames that an encoder may hold back; x264 and x265 take 250 at most
_RUN_UP_S = 10  # how long before the first frame its decoding may begin

# The finest useful time bases. MPEG-TS and FLV have no others; an mp4 stores gaps between frames in 31 bits, so finer
# ones would limit each gap to minutes; libvpx calculates in ten-millionths of a second and would round twice.
_FINEST = {
    "mpegts": Fraction(1, 90_000),
    "mp4": Fraction(1, 90_000),
    "mov": Fraction(1, 90_000),
    "webm": Fraction(1, 1000),
    "flv": Fraction(1, 1000),
}
_LONGEST_GAP = {"mp4": (1 << 31) - 1, "mov": (1 << 31) - 1}  # between two frames, in units of the time base


def output_time_base(muxer: str, encoder: str, time_base: Fraction) -> Fraction:
    """Return the time base of the output's packets: that of the input, if the muxer and the encoder allow it."""
    if encoder.startswith("libvpx"):  # rejects time bases as coarse as 1/10 s
        time_base /= ceil(time_base * 1000)
    return max(time_base, _FINEST.get(muxer, time_base))


def encoder_frame_rate(encoder: Codec, frame_rate: Fraction | None) -> Fraction:
    """Return frames a second for the encoder's rate control and for metadata; no timestamp depends on it."""
    rate = frame_rate or Fraction(25)
    allowed = [rational(each) or rate for each in encoder.frame_rates or []]
    if allowed:
        return min(allowed, key=lambda each: abs(each - rate))
    if encoder.name == "libsvtav1":
        return min(rate, _FASTEST_SVT)
    if encoder.name.startswith("libvpx"):
        rate = min(rate, Fraction(1000))  # it refuses frames shorter than its time base
    rate = min(max(rate, 1 / _FASTEST), _FASTEST)  # older codecs have 16 bits for each side of the fraction
    return rate.limit_denominator(65535) if rate <= 1 else 1 / (1 / rate).limit_denominator(65535)


def needs_display_order(muxer: str, is_variable: Callable[[], bool]) -> bool:
    """Return whether frames must be encoded in the order of their pts, without B-frames.

    AVI stores no pts. With a variable frame rate, an mp4 would lose the duration of the last frame, and FLV's offsets
    between dts and pts end at a quarter of an hour.
    """
    return muxer == "avi" or (muxer in ("mp4", "mov", "flv") and is_variable())


def check_gap(muxer: str, last: int, pts: int, time_base: Fraction) -> None:
    """Raise OutputError if a container cannot store so long a gap between two frames."""
    if pts - last > _LONGEST_GAP.get(muxer, pts - last):
        hours, at = (float(time * time_base) for time in (pts - last, last))
        raise OutputError(
            f"the video pauses for {hours / 3600:.1f} hours at {at:g} s, longer than {muxer} can store; use .mkv"
        )


class OutputClock:
    """Assigns the output's timestamps to the frames and packets of one encoder.

    Each frame comes at least one unit of the time base after the frame before.
    """

    def __init__(self, muxer: str, time_base: Fraction, context: Context, *, frame_time_base: Fraction | None) -> None:
        """time_base: of the packets. frame_time_base: one frame in seconds, for encoders that only count frames."""
        self.last: int | None = None
        """Pts of the last frame; None before the first."""
        self._muxer, self._time_base, self._context = muxer, time_base, context
        self._frame_time_base = frame_time_base
        self._keeps_count = muxer == "yuv4mpegpipe"  # which stores no timestamps: packets keep the frame number
        self._pending: deque[tuple[int, int]] = deque()  # pts and duration of counted frames inside the encoder
        self._count = 0
        self._durations: dict[int, int] = {}  # by pts, of the frames inside an encoder that keeps timestamps
        self._dts = DtsCorrector(time_base)
        self._last_joined_dts: int | None = None
        self._first: tuple[int, int] | None = None  # the first pts and dts
        self._end = 0  # when the last frame ends
        self._stored_time_base = max(time_base, Fraction(1, 1000)) if muxer in ("matroska", "webm") else time_base
        self._warned = self._keeps_count

    def stamp(self, av_frame: av.VideoFrame, frame: Frame) -> None:
        """Set the timestamps of the frame that is sent to the encoder. Raises OutputError for too long a gap."""
        ratio = frame.time_base / self._time_base
        pts, duration = round(frame.pts * ratio), round(frame.duration_ticks * ratio)
        if duration:  # one that is rounded to 0 would be unknown, and players would show the frame for longer
            duration = max(duration, ceil(self._stored_time_base / self._time_base))
        if self.last is not None:
            self._check_spacing(self.last, pts)
            pts = max(pts, self.last + 1)
            check_gap(self._muxer, self.last, pts, self._time_base)
        self.last, self._end = pts, pts + duration
        if self._frame_time_base is None:
            self._dts.sent(pts)
            if duration:
                self._durations[pts] = duration
            av_frame.pts, av_frame.duration, av_frame.time_base = pts, duration, self._time_base
            return
        if not self._keeps_count:
            self._pending.append((pts, duration))
        av_frame.pts, av_frame.duration, av_frame.time_base = self._count, 1, self._frame_time_base
        self._count += 1

    def restore(self, packet: av.Packet) -> None:
        """Set the timestamps of a packet that came from the encoder."""
        if self._keeps_count:
            return
        if self._frame_time_base is None:
            packet.dts = self._dts.dts(cast(int, packet.pts), packet.dts)
            duration = self._durations.pop(cast(int, packet.pts), 0)
        else:
            packet.pts, duration = self._pending.popleft()
            packet.dts, packet.time_base = packet.pts, self._time_base
        if duration:
            packet.duration = duration  # not every encoder passes it on
        if self._first is None:
            self._first = cast(int, packet.pts), packet.dts

    def finish(self, packet: av.Packet) -> None:
        """Set the duration of the last packet, of which an mp4 takes when the video ends.

        It may be another frame than the one that is shown last.
        """
        if self._muxer in ("mp4", "mov") and self._first is not None and self._end != self.last:
            packet.duration = max(self._end - self._first[0] - (cast(int, packet.dts) - self._first[1]), 1)

    def join(self, packet: av.Packet) -> None:
        """Continue with a packet of a segment, which another encoder with the same settings made.

        Decoding times may overlap between segments: B-frames need a run-up before the first frame of their segment.
        """
        assert packet.pts is not None and packet.dts is not None
        if self._last_joined_dts is not None:
            packet.dts = max(packet.dts, self._last_joined_dts + 1)
        self._last_joined_dts = packet.dts
        if self.last is not None and packet.is_keyframe:
            check_gap(self._muxer, self.last, packet.pts, self._time_base)
        self.last = packet.pts if self.last is None else max(packet.pts, self.last)

    def _check_spacing(self, last: int, pts: int) -> None:
        """Warn once of frames that get the same timestamp in the file."""
        ratio = self._time_base / self._stored_time_base
        if not self._warned and round(pts * ratio) <= round(last * ratio):
            self._warned = True
            step = float(self._stored_time_base)
            what = f"some frames are less than {step:.2g} s apart, too close for the timestamps of {self._muxer}"
            self._context.warn(f"{what}; use .nut", Code.PTS, Code.DURATION)


class DtsCorrector:
    """Checks an encoder's decoding times: each must be the pts of an earlier frame, except for the first few."""

    def __init__(self, time_base: Fraction) -> None:
        self._run_up = round(_RUN_UP_S / time_base)
        self._sent: deque[int] = deque(maxlen=_LOOKAHEAD)
        self._first = 0
        self._count = 0
        self._depth: int | None = None  # packets before the first frame whose decoding times are moved closer to it

    def sent(self, pts: int) -> None:
        """Note a frame that is sent to the encoder."""
        if not self._sent:
            self._first = pts
        self._sent.append(pts)

    def dts(self, pts: int, dts: int | None) -> int:
        """Return the decoding time of a packet: the encoder's if it is plausible, else the pts."""
        if self._depth is None:
            self._depth = self._reorder_depth(dts)
        self._count += 1
        if self._count <= self._depth:
            return self._first - self._depth + self._count - 1
        early = dts is not None and self._first - self._run_up <= dts < self._first
        # x265 gives random decoding times to videos shorter than its B-frames.
        return dts if dts is not None and dts <= pts and (early or dts in self._sent) else pts

    def _reorder_depth(self, dts: int | None) -> int:
        # Before the first frame x264 and x265 leave as much time as there is after it, even if that is hours.
        if dts is None or dts >= self._first - self._run_up:
            return 0
        mirrored = 2 * self._first - dts
        return self._sent.index(mirrored) if mirrored in self._sent else 0


Item = TypeVar("Item")

# Seconds at which a container's timestamps wrap around. No container stores frames before 0 that players show.
_WRAP = {"mpegts": Fraction(1 << 33, 90_000), "flv": Fraction(1 << 31, 1000)}


@dataclass(frozen=True, slots=True)
class StartShift:
    """Seconds that all streams of an output are moved by, because their container cannot store where they start."""

    seconds: Fraction = Fraction(0)

    def move(self, item: Item) -> Item:
        """Return a frame at its new time; move what has a `packet` in place."""
        if not self.seconds:
            return item
        if isinstance(item, Frame):
            return cast(Item, item.at(item.pts + round(self.seconds / item.time_base)))
        packet: av.Packet = cast(Any, item).packet
        time_base = rational(packet.time_base)
        if time_base is not None:
            ticks = round(self.seconds / time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return item

    def chapters(self, chapters: Iterable[Chapter]) -> tuple[Chapter, ...]:
        """Return the chapters, moved along."""
        moved = []
        for chapter in chapters:
            ticks = round(self.seconds / (rational(chapter["time_base"]) or MICROSECOND))
            start, end = max(chapter["start"] + ticks, 0), max(chapter["end"] + ticks, 0)
            moved.append(chapter | {"start": start, "end": end})
        return tuple(moved)


def start_shift(muxer: str, first: Frame) -> StartShift:
    """Return how far an output of this muxer must be moved if this is its first frame."""
    start = first.pts * first.time_base
    wrap = _WRAP.get(muxer)
    return StartShift(-start if start < 0 or (wrap is not None and start >= wrap) else Fraction(0))
