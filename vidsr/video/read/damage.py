"""Damage of an input: noticed, counted and located while the film is decoded on, as ffmpeg does."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from vidsr.errors import Damaged

Kind = Literal["corrupt_frames", "lost_frames", "corrupt_packets", "lost_packets", "unreadable_parts"]
_NAMES: dict[Kind, tuple[str, str]] = {
    "corrupt_frames": ("corrupt frame", "corrupt frames"),
    "lost_frames": ("lost frame", "lost frames"),
    "corrupt_packets": ("corrupt packet of another stream", "corrupt packets of other streams"),
    "lost_packets": ("lost packet of another stream", "lost packets of other streams"),
    "unreadable_parts": ("unreadable part", "unreadable parts"),
}
_HELD = 64  # packets that were damaged and whose picture has not come; more than any decoder holds back


@dataclass(frozen=True, slots=True)
class Damage:
    """How much of an input was damaged, and where. False where nothing was. Times are seconds from the film's start."""

    corrupt_frames: int = 0
    """Shown, though a part of them is missing or was made up by the decoder."""
    lost_frames: int = 0
    """Not shown: the decoder could make nothing of them."""
    corrupt_packets: int = 0
    """Of sound and other streams; copied as they came."""
    lost_packets: int = 0
    """Of sound and other streams; no output takes them."""
    unreadable_parts: int = 0
    """Stretches of the file that had to be skipped."""
    first: float | None = None
    """When the first of all these is shown; None where there are none."""
    last: float | None = None
    breaks_off: float | None = None
    """When the film ends before its file says; None where it does not."""

    @property
    def total(self) -> int:
        """Frames, packets and parts together."""
        return sum(getattr(self, kind) for kind in _NAMES)

    def __bool__(self) -> bool:
        return self.total > 0 or self.breaks_off is not None

    def __str__(self) -> str:
        """`12 corrupt frames between 00:01:03 and 00:01:05`."""
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
    """Seconds as players show them: 01:02:05."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


class Tally:
    """Counts damage; where `strict`, the first ends the run: `note` and `cut` then raise Damaged."""

    def __init__(self, title: str, *, strict: bool) -> None:
        self.damage = Damage()
        self._title, self._strict = title, strict
        self._lock = threading.Lock()  # what decodes and what writes both count

    def note(self, kind: Kind, seconds: Fraction, count: int = 1) -> None:
        """Count damage met at a time: seconds from where the film begins."""
        with self._lock:
            now, time = self.damage, max(float(seconds), 0.0)
            first = time if now.first is None else min(now.first, time)
            last = time if now.last is None else max(now.last, time)
            self.damage = replace(now, first=first, last=last, **{kind: getattr(now, kind) + count})
        self._refuse()

    def cut(self, seconds: Fraction) -> None:
        """Note that the film ends too early."""
        with self._lock:
            self.damage = replace(self.damage, breaks_off=float(seconds))
        self._refuse()

    def _refuse(self) -> None:
        if self._strict:
            raise Damaged(f"{self._title} is damaged: {self.damage}; without --strict the film goes on over it")


class Watch:
    """Tells which pictures of the film came out damaged, and which not at all, by what goes in and out of a decoder.

    note: takes a kind of damage, a time stamp in ticks of the film, and how many. late: whether a packet's flag is
    meant for the next one, as where FFmpeg's parsers cut a stream into pictures (MPEG-TS).
    """

    def __init__(self, note: Callable[[Kind, int | None, int], None], *, late: bool) -> None:
        self._note, self._late = note, late
        self._flagged = False  # the packet before
        self._held: dict[int | None, None] = {}  # time stamps of damaged packets whose picture is still to come
        self._last: int | None = None  # time stamp of the last packet
        self._doubtful = False  # its picture came, and is whole unless the packet was damaged
        self._early = 0  # packets before the first that can be decoded by itself
        self._early_from: int | None = None
        self._begun = False  # whether such a packet came
        self._shown = False  # whether its picture did

    def sent(self, packet: Any) -> None:
        """A packet goes to the decoder."""
        self._settle_doubt()
        damaged, self._flagged = self._flagged if self._late else packet.is_corrupt, packet.is_corrupt
        self._last = packet.pts
        if damaged:
            self._held[packet.pts] = None
            if len(self._held) > _HELD:
                oldest = next(iter(self._held))
                del self._held[oldest]
                self._note("lost_frames", oldest, 1)
        if not self._begun and not packet.is_keyframe:
            self._early_from = packet.pts if self._early_from is None else self._early_from
            self._early += 1
        self._begun = self._begun or packet.is_keyframe

    def failed(self, packet: Any) -> None:
        """The decoder refused a packet."""
        self._held.pop(packet.pts, None)
        if self._begun:  # the others are counted once it has
            self._note("lost_frames", packet.pts if packet.pts is not None else packet.dts, 1)

    def came(self, picture: Any) -> None:
        """A picture came out of the decoder."""
        damaged = picture.pts in self._held
        self._held.pop(picture.pts, None)
        if picture.is_corrupt or (damaged and picture.pts != self._last):
            self._note("corrupt_frames", picture.pts, 1)
        else:
            self._doubtful = damaged
        if picture.key_frame:
            self._settle_start()
        elif not self._shown:
            self._early -= 1

    def joined(self) -> None:
        """The film's clock was set back: what seemed to lack a packet was the end of a recording."""
        self._held.pop(self._last, None)
        self._doubtful = False

    def ended(self) -> None:
        """No more pictures come."""
        self._settle_doubt()
        self._settle_start()
        for pts in self._held:
            self._note("lost_frames", pts, 1)
        self._held.clear()

    def _settle_doubt(self) -> None:
        if self._doubtful:
            self._note("corrupt_frames", self._last, 1)
        self._doubtful = False

    def _settle_start(self) -> None:
        if self._begun and not self._shown and self._early > 0:
            self._note("lost_frames", self._early_from, self._early)
        self._begun = self._shown = True
