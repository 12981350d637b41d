"""Durations of pictures in an mp4: FFmpeg tells those of packets, which are gaps between decoding times."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import av

from vidsr.frames import Carried
from vidsr.video.timing import rational

_HELD_BYTES = 8 << 20  # of packets that wait with a picture; more come where the film ends long before its sound


def abut(items: Iterable[av.VideoFrame | Carried], end: Callable[[], int | None]) -> Iterator[av.VideoFrame | Carried]:
    """Give each picture the time until the next one is shown; the order stays.

    end: asked behind the last picture, when the track ends, in ticks of the pictures; None where that is not known.
    A picture whose next does not come soon, or is shown no later, keeps the duration it has.
    """
    shown: av.VideoFrame | None = None  # waits for the next
    behind: list[Carried] = []
    size = 0
    for item in items:
        if isinstance(item, Carried) and shown is not None and size < _HELD_BYTES:
            behind.append(item)
            size += item.packet.size
            continue
        if shown is not None:
            yield _until(shown, None if isinstance(item, Carried) else item.pts)
            yield from behind
            shown, behind, size = None, [], 0
        if isinstance(item, Carried):
            yield item
        else:
            shown = item
    if shown is not None:
        yield _until(shown, end())
        yield from behind


def _until(picture: av.VideoFrame, time: int | None) -> av.VideoFrame:
    if time is not None and picture.pts is not None and time > picture.pts:
        picture.duration = time - picture.pts
    return picture


def varies(container: Any, stream: Any) -> bool:
    """Whether the gaps between frames differ, without reading the whole file; where that is not known, they do."""
    average, base = rational(stream.average_rate), rational(stream.guessed_rate)
    if average is None or average != base or not container.name.startswith("file:"):
        return True
    gaps = _first_gaps(container, stream.index)
    return bool(gaps) and max(gaps) - min(gaps) > 2  # a constant rate rounded to ticks wavers by 1


def _first_gaps(container: Any, index: int, count: int = 128) -> list[int]:
    # Differences between the first time stamps, in ticks, read through a second container.
    times: list[int] = []
    try:
        with av.open(container.name, container_options=container.container_options) as second:
            for packet in second.demux(second.streams[index]):
                if packet.pts is not None:
                    times.append(packet.pts)
                if len(times) >= count:
                    break
    except (av.error.FFmpegError, OSError, ValueError):
        return []
    times.sort()
    # The last ones may still be missing pictures that are shown before them.
    times = times[:-16] if len(times) >= count else times
    return [b - a for a, b in pairwise(times)]
