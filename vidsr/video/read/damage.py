"""Damage of an input: detected, counted and located while decoding goes on, as ffmpeg does."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import av

from vidsr.errors import Damaged
from vidsr.video.timing import TimeRange

Kind = Literal["corrupt_frames", "lost_frames", "corrupt_packets", "lost_packets", "unreadable_parts"]
_NAMES: dict[Kind, tuple[str, str]] = {
    "corrupt_frames": ("corrupt frame", "corrupt frames"),
    "lost_frames": ("lost frame", "lost frames"),
    "corrupt_packets": ("corrupt packet of another stream", "corrupt packets of other streams"),
    "lost_packets": ("lost packet of another stream", "lost packets of other streams"),
    "unreadable_parts": ("unreadable part", "unreadable parts"),
}
_MOST_PENDING = 64  # damaged packets whose frames have not been decoded; more than any decoder holds back


@dataclass(frozen=True, slots=True)
class Damage:
    """How much of an input was damaged, and where; false if nothing was. Times are seconds from the beginning."""

    corrupt_frames: int = 0
    """Decoded, but parts of them are missing or were concealed by the decoder."""
    lost_frames: int = 0
    """Not decoded."""
    corrupt_packets: int = 0
    """Of other streams; copied unchanged."""
    lost_packets: int = 0
    """Of other streams; rejected by the output."""
    unreadable_parts: int = 0
    """Parts of the file that were skipped."""
    first: float | None = None
    """When the first damage is shown; None without damage."""
    last: float | None = None
    breaks_off: float | None = None
    """When the video ends, if that is earlier than its container states."""

    @property
    def total(self) -> int:
        """Return the number of frames, packets and parts."""
        return sum(getattr(self, kind) for kind in _NAMES)

    def __bool__(self) -> bool:
        return self.total > 0 or self.breaks_off is not None

    def __str__(self) -> str:
        """Return a sentence such as `12 corrupt frames between 00:01:03 and 00:01:05`."""
        counts = [(getattr(self, kind), names) for kind, names in _NAMES.items()]
        parts = [f"{count} {names[count > 1]}" for count, names in counts if count]
        text = " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
        if self.first is not None and self.last is not None:
            first, last = clock(self.first), clock(self.last)
            text += f" at {first}" if first == last else f" between {first} and {last}"
        if self.breaks_off is not None:
            text += f"{'; ' if text else ''}it breaks off at {clock(self.breaks_off)}"
        return text


def clock(seconds: float) -> str:
    """Return seconds as 01:02:05."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


class DamageLog:
    """Counts the damage in a range of a video. Thread-safe: reading and writing both count."""

    read_to = Fraction(0)
    """Where reading is: the end of the last packet, in seconds on the clock of the video."""
    next_frame: Fraction | None = None
    """When the next frame is expected; None before the first."""

    def __init__(self, title: str, span: TimeRange, *, strict: bool) -> None:
        """strict: raise Damaged at the first damage."""
        self.damage = Damage()
        self._title, self._span, self._strict = title, span, strict
        self._lock = threading.Lock()

    def note(self, kind: Kind, time: Fraction | None = None, count: int = 1) -> None:
        """Count damage at a time on the clock of the video, None for here. Raises Damaged if strict."""
        if time is None:
            time = self.read_to if self.next_frame is None else self.next_frame
        if not self._span.contains(time):
            return
        seconds = max(float(time - self._span.origin), 0.0)
        with self._lock:
            now = self.damage
            first = seconds if now.first is None else min(now.first, seconds)
            last = seconds if now.last is None else max(now.last, seconds)
            self.damage = replace(now, first=first, last=last, **{kind: getattr(now, kind) + count})
        self._raise_if_strict()

    def note_truncation(self) -> None:
        """Note that the video breaks off here. Raises Damaged if strict."""
        with self._lock:
            self.damage = replace(self.damage, breaks_off=float(self.read_to - self._span.origin))
        self._raise_if_strict()

    def _raise_if_strict(self) -> None:
        if self._strict:
            raise Damaged(f"{self._title} is damaged: {self.damage}; without --strict it is upscaled nevertheless")


class DecoderWatch:
    """Detects corrupt and lost frames from the packets that a decoder takes and the frames that it returns."""

    def __init__(self, note: Callable[[Kind, int | None, int], None], *, flag_is_late: bool) -> None:
        """note: takes the kind of damage, pts in ticks, and a count.

        flag_is_late: whether `is_corrupt` is meant for the next packet, as if FFmpeg's parsers split the stream
        (MPEG-TS, which HLS consists of).
        """
        self._note, self._flag_is_late = note, flag_is_late
        self._flagged = False  # is_corrupt of the packet before
        self._pending: dict[int | None, None] = {}  # pts of damaged packets whose frames are not decoded
        self._last: int | None = None  # pts of the last packet
        self._doubtful = False  # its frame is decoded, and damaged if the next packet says so
        self._early = 0  # packets before the first key frame
        self._early_from: int | None = None
        self._key_sent = self._key_decoded = False

    def sent(self, packet: av.Packet) -> None:
        """Note a packet that goes to the decoder."""
        self._settle_doubt()
        damaged, self._flagged = self._flagged if self._flag_is_late else packet.is_corrupt, packet.is_corrupt
        self._last = packet.pts
        if damaged:
            self._pending[packet.pts] = None
            if len(self._pending) > _MOST_PENDING:
                oldest = next(iter(self._pending))
                del self._pending[oldest]
                self._note("lost_frames", oldest, 1)
        if not self._key_sent and not packet.is_keyframe:
            self._early_from = packet.pts if self._early_from is None else self._early_from
            self._early += 1
        self._key_sent = self._key_sent or packet.is_keyframe

    def refused(self, packet: av.Packet) -> None:
        """Note a packet that the decoder refused."""
        self._pending.pop(packet.pts, None)
        if self._key_sent:  # those before the first key frame are counted when it is decoded
            self._note("lost_frames", packet.pts if packet.pts is not None else packet.dts, 1)

    def decoded(self, av_frame: av.VideoFrame) -> None:
        """Note a frame that the decoder returned."""
        damaged = av_frame.pts in self._pending
        self._pending.pop(av_frame.pts, None)
        if av_frame.is_corrupt or (damaged and av_frame.pts != self._last):
            self._note("corrupt_frames", av_frame.pts, 1)
        else:
            self._doubtful = damaged
        if av_frame.key_frame:
            self._settle_start()
        elif not self._key_decoded:
            self._early -= 1

    def restarted(self) -> None:
        """Note that the clock was set back: what seemed to be a lost packet is the end of a recording."""
        self._pending.pop(self._last, None)
        self._doubtful = False

    def ended(self) -> None:
        """Note that the decoder is flushed."""
        self._settle_doubt()
        self._settle_start()
        for pts in self._pending:
            self._note("lost_frames", pts, 1)
        self._pending.clear()

    def _settle_doubt(self) -> None:
        if self._doubtful:
            self._note("corrupt_frames", self._last, 1)
        self._doubtful = False

    def _settle_start(self) -> None:
        if self._key_sent and not self._key_decoded and self._early > 0:
            self._note("lost_frames", self._early_from, self._early)
        self._key_sent = self._key_decoded = True
