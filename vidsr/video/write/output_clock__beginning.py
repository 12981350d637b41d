"""Where an output begins: a film whose times its container cannot say is moved, with all that comes along."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar, cast

from vidsr.frames import Frame, Notice
from vidsr.video.timing import TICK, rational

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
            yield Notice(f"{begins}: it is moved to begin at 0, with all that comes along", "start", "chapters")


def beginning(muxer: str, first: Frame) -> Beginning:
    """Where a film is to begin that begins with this frame; muxer: FFmpeg's name."""
    start = first.pts * first.time_base
    latest = _LATEST.get(muxer)
    return Beginning(-start if start < 0 or (latest is not None and start >= latest) else Fraction(0))
