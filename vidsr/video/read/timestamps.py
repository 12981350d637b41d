"""Durations of pictures in an mp4: FFmpeg tells those of packets, which are gaps between decoding times."""

from collections.abc import Callable, Iterable, Iterator

import av

from vidsr.frames import Carried

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
