"""The clock of the film that is written: its ticks, its longest pause, and when each packet is to be decoded."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, TypeVar, cast

from av.codec.codec import Codec

from vidsr.context import Code, Notice
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.video.timing import TICK, rational

_FASTEST = Fraction(240)  # frames a second that SVT-AV1 accepts; only its rate control looks at it
_MOST = Fraction(65535)
_LOOKAHEAD = 512  # frames that an encoder may hold back; x264 and x265 take 250 at most
_RUN_UP_S = 10  # how long before the first picture its decoding may begin

# The finest ticks worth counting in. Of MPEG-TS and FLV they are the only ones; finer ones would leave an mp4, whose
# pauses are numbers of 31 bits, only minutes for each.
_FINEST = {
    "mpegts": Fraction(1, 90_000),
    "mp4": Fraction(1, 90_000),
    "mov": Fraction(1, 90_000),
    "webm": Fraction(1, 1000),  # finer ones would be rounded twice: libvpx reckons in ten-millionths
    "flv": Fraction(1, 1000),
}
_LONGEST = {"mp4": (1 << 31) - 1, "mov": (1 << 31) - 1}  # ticks from one picture to the next


def tick_of(muxer: str, codec: str, tick: Fraction) -> Fraction:
    """Seconds in a tick of the output: the film's own ones wherever that can be."""
    if codec.startswith("libvpx"):  # refuses ticks of a tenth of a second
        tick /= ceil(tick * 1000)
    return max(tick, _FINEST.get(muxer, tick))


def told_tick(muxer: str, tick: Fraction) -> Fraction:
    """Seconds in a tick of the times that a file tells, given packets that count in such ticks."""
    return max(tick, Fraction(1, 1000)) if muxer in ("matroska", "webm") else tick


def rate_of(codec: Codec, told: Fraction | None) -> Fraction:
    """Frames a second for an encoder's rate control, and as metadata; never the source of a time."""
    rate = told or Fraction(25)
    allowed = [rational(r) or rate for r in codec.frame_rates or []]
    if allowed:
        return min(allowed, key=lambda r: abs(r - rate))
    if codec.name == "libsvtav1":
        return min(rate, _FASTEST)
    if codec.name.startswith("libvpx"):
        rate = min(rate, Fraction(1000))  # a picture that lasts less than a tick is refused
    rate = min(max(rate, 1 / _MOST), _MOST)  # older codecs have 16 bits for each side
    return rate.limit_denominator(65535) if rate <= 1 else 1 / (1 / rate).limit_denominator(65535)


def needs_order(muxer: str, variable: bool) -> bool:
    """Whether pictures must be coded in the order in which they are shown; variable: whether they come unevenly."""
    # AVI holds no times of pictures; an mp4 would lose the last one's duration; FLV's offsets end at a quarter hour.
    return muxer == "avi" or (variable and muxer in ("mp4", "mov", "flv"))


def check_pause(muxer: str, last: int, pts: int, tick: Fraction) -> None:
    """Raise OutputError where a container cannot say that so much time lies between two pictures."""
    if pts - last > _LONGEST.get(muxer, pts - last):
        hours, at = (float(time * tick) for time in (pts - last, last))
        raise OutputError(
            f"the film pauses for {hours / 3600:.1f} hours at {at:g} s, longer than {muxer} can; use .mkv"
        )


class DecodingOrder:
    """Checks an encoder's decoding times: each is that of an earlier picture, but for the first few."""

    def __init__(self, time_base: Fraction) -> None:
        self._run_up = round(_RUN_UP_S / time_base)
        self._shown: deque[int] = deque(maxlen=_LOOKAHEAD)
        self._first = 0
        self._count = 0
        self._depth: int | None = None  # packets before the first whose decoding times are squeezed

    def sent(self, pts: int) -> None:
        """Note a frame that goes to the encoder."""
        if not self._shown:
            self._first = pts
        self._shown.append(pts)

    def dts(self, pts: int, given: int | None) -> int:
        """When a packet is to be decoded, in ticks: as the encoder says where that can be, else when it is shown."""
        if self._depth is None:
            self._depth = self._squeezed(given)
        self._count += 1
        if self._count <= self._depth:
            return self._first - self._depth + self._count - 1
        early = given is not None and self._first - self._run_up <= given < self._first
        # x265's are chance for films shorter than its B-frames.
        return given if given is not None and given <= pts and (early or given in self._shown) else pts

    def _squeezed(self, given: int | None) -> int:
        # Before the first picture x264 and x265 leave as much time as there is behind it, be it hours.
        if given is None or given >= self._first - self._run_up:
            return 0
        as_much = 2 * self._first - given
        return self._shown.index(as_much) if as_much in self._shown else 0


Item = TypeVar("Item")

# Seconds at which a container's clock starts anew. No container holds pictures before 0: they are hidden or mistimed.
_LATEST = {"mpegts": Fraction(1 << 33, 90_000), "flv": Fraction(1 << 31, 1000)}


@dataclass(frozen=True, slots=True)
class Beginning:
    """How far all streams of an output are moved alike; seconds."""

    shift: Fraction = Fraction(0)

    def move(self, item: Item) -> Item:
        """Give a frame, or what holds a packet, at its new time; a packet is changed in place."""
        if not self.shift:
            return item
        if isinstance(item, Frame):
            return cast(Item, item.at(item.pts + round(self.shift / item.time_base)))
        packet = cast(Any, item).packet
        time_base = rational(packet.time_base)
        if time_base is not None:
            ticks = round(self.shift / time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return item

    def chapters(self, chapters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Move the chapters along."""
        moved = []
        for chapter in chapters:
            ticks = round(self.shift / (rational(chapter["time_base"]) or TICK))
            start, end = (max(chapter[key] + ticks, 0) for key in ("start", "end"))
            moved.append({**chapter, "start": start, "end": end})
        return moved

    def told(self, muxer: str) -> Iterator[Notice]:
        """A sentence where anything moves."""
        if self.shift:
            begins = f"the film begins at {float(-self.shift):g} s, which {muxer} cannot say"
            yield Notice(
                f"{begins}: it is moved to begin at 0, with all that comes along",
                (
                    Code.START,
                    Code.CHAPTERS,
                ),
            )


def beginning(muxer: str, first: Frame) -> Beginning:
    """Where a film is to begin that begins with this frame; muxer: FFmpeg's name."""
    start = first.pts * first.time_base
    latest = _LATEST.get(muxer)
    return Beginning(-start if start < 0 or (latest is not None and start >= latest) else Fraction(0))
