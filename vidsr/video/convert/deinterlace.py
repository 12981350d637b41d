"""Interlaced pictures made whole by FFmpeg's bwdif; a progressive film never meets it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av

from vidsr.context import Code, Notice
from vidsr.frames import Carried
from vidsr.options import Deinterlace

_LEAST = (3, 4)  # columns and lines that bwdif needs
# fmt: off
_BECOMES = {
    "frames": Notice("the film is interlaced: the two fields of a picture are made one whole frame, and two with "
                     "--deinterlace fields", (Code.FIELDS,)),
    "fields": Notice("the film is interlaced: each field is made a whole frame, so there are twice as many",
                     (Code.FIELDS, Code.FRAMES, Code.PTS, Code.DURATION)),
    "off": Notice("the film is interlaced: both fields are enlarged as one picture", (Code.FIELDS,)),
}
# fmt: on


def deinterlaced(
    items: Iterable[av.VideoFrame | Carried], way: Deinterlace, *, found: Callable[[Notice], None]
) -> Iterator[av.VideoFrame | Carried]:
    """Deinterlace the pictures that are flagged as interlaced, and let everything else through.

    items: pictures with rising pts. way: "fields" gives a picture for each field, and counts every pts and duration in
    half ticks; else each picture keeps them. found: called once, before the first interlaced picture.
    Side data, colour and progressive pictures stay as they are; captions go with the first field of a picture only.
    From the first interlaced picture on one is held back, since bwdif looks at the next one too.
    """
    graph: _Graph | None = None
    told = False
    for item in items:
        if isinstance(item, Carried):
            yield item
            continue
        if way == "fields":
            item.pts, item.duration = 2 * (item.pts or 0), 2 * (item.duration or 0)
        if graph is not None and graph.kind != _kind_of(item):
            yield from graph.send(None)
            graph = None
        if graph is None and item.interlaced_frame:
            now = way if item.width >= _LEAST[0] and item.height >= _LEAST[1] else "off"
            if not told:
                found(_BECOMES[now])
                told = True
            graph = None if now == "off" else _Graph(item, fields=way == "fields")
        if graph is None:
            yield item
        else:
            yield from graph.send(item)
    if graph is not None:
        yield from graph.send(None)


class _Graph:
    """A filter graph for pictures of one kind."""

    def __init__(self, picture: av.VideoFrame, *, fields: bool) -> None:
        self.kind = _kind_of(picture)
        self._waiting: deque[int] = deque()  # pts of the pictures of which nothing came yet
        self._first = 0
        self._without_captions = Filter("sidedata", mode="delete", type="A53_CC")
        self._graph = av.filter.Graph()
        source = self._graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
        )
        bwdif = self._graph.add("bwdif", mode="send_field" if fields else "send_frame", deint="interlaced")
        sink = self._graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        self._graph.configure()

    def send(self, picture: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Give what a picture, or None for the end, sets free."""
        if picture is not None:
            self._waiting.append(picture.pts or 0)
            picture.time_base = Fraction(1, 1000)
        self._graph.push(picture)
        while True:
            try:
                ready: Any = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            yield self._placed(ready, last=picture is None)

    def _placed(self, picture: av.VideoFrame, *, last: bool) -> av.VideoFrame:
        # bwdif counts in half ticks, and puts a second field in the middle between two pictures: too late in a gap.
        pts, length = (picture.pts or 0) // 2, (picture.duration or 0) // 2
        if self._waiting and pts == self._waiting[0]:
            self._first = self._waiting.popleft()
        else:
            picture = self._without_captions(picture)  # which players would show twice
            if length:
                pts = self._first + length if last else min(self._first + length, pts)
        picture.pts, picture.duration = pts, length
        return picture


def _kind_of(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


class Filter:
    """One filter that gives a picture for each. Not for two threads at once."""

    def __init__(self, name: str, **options: str) -> None:
        """name, options: FFmpeg's."""
        self._name, self._options = name, options
        self._graph: Any = None
        self._kind: tuple[int, int, str] | None = None

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Give the same picture, with pts and duration as they are; its time base is not kept."""
        kind = picture.width, picture.height, picture.format.name
        if kind != self._kind:
            self._kind, self._graph = kind, self._opened(picture)
        picture.time_base = Fraction(1, 1000)  # the graph's; it changes no number
        self._graph.push(picture)
        passed: av.VideoFrame = self._graph.pull()
        return passed

    def _opened(self, picture: av.VideoFrame) -> Any:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
        )
        middle, sink = graph.add(self._name, **self._options), graph.add("buffersink")
        source.link_to(middle)
        middle.link_to(sink)
        graph.configure()
        return graph
