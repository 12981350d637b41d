"""FFmpeg's filters that say something else of a picture, and leave its samples alone."""

from fractions import Fraction
from typing import Any

import av


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
