"""Whether frames come evenly, judged by a file's own figures and its first packets."""

from itertools import pairwise
from typing import Any

import av

from vidsr.video.timing import rational


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
