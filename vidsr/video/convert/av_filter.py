"""FFmpeg filters, one frame in and one out."""

from fractions import Fraction

import av
from av.filter import Graph

TIME_BASE = Fraction(1, 1000)
"""Of the filter graphs: any, they only pass time stamps on."""


class Filter:
    """An FFmpeg filter that returns one frame for each. Not thread-safe."""

    def __init__(self, name: str, **options: str) -> None:
        """name, options: FFmpeg's."""
        self._name, self._options = name, options
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def __call__(self, av_frame: av.VideoFrame) -> av.VideoFrame:
        """Filter a frame; pts and duration are kept, but not the time base."""
        if self._graph is None or self._shape != shape_of(av_frame):
            self._shape, self._graph = shape_of(av_frame), graph_of(av_frame, self._name, **self._options)
        av_frame.time_base = TIME_BASE
        self._graph.vpush(av_frame)
        return self._graph.vpull()


def shape_of(av_frame: av.VideoFrame) -> tuple[int, int, str]:
    """Return width, height and pixel format, for which a graph is made."""
    return av_frame.width, av_frame.height, av_frame.format.name


def graph_of(av_frame: av.VideoFrame, name: str, **options: str) -> Graph:
    """Return a graph of one filter for frames like this one."""
    graph = Graph()
    source = graph.add_buffer(width=av_frame.width, height=av_frame.height, format=av_frame.format, time_base=TIME_BASE)
    graph.link_nodes(source, graph.add(name, **options), graph.add("buffersink")).configure()
    return graph
