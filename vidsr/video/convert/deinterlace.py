"""Deinterlacing with FFmpeg's bwdif; progressive video never passes through the filter."""

from collections import deque
from collections.abc import Callable
from fractions import Fraction

import av
from av.filter import Graph

from vidsr.context import Code, Notice
from vidsr.options import Deinterlace

_LEAST = (3, 4)  # columns and lines that bwdif needs
_TIME_BASE = Fraction(1, 1000)  # of the filter graphs: any, they only pass time stamps on
# fmt: off
_NOTICES = {
    "frames": Notice("the video is interlaced: the two fields of each frame become one frame; --deinterlace fields "
                     "makes two", (Code.FIELDS,)),
    "fields": Notice("the video is interlaced: each field becomes a frame, so there are twice as many",
                     (Code.FIELDS, Code.FRAMES, Code.PTS, Code.DURATION)),
    "off": Notice("the video is interlaced: both fields are upscaled as one frame", (Code.FIELDS,)),
}
# fmt: on


class Deinterlacer:
    """A frame stage that deinterlaces the frames that are flagged as interlaced.

    Side data, colour and progressive frames are kept; captions stay with the first field of a frame. Holds one frame
    back from the first interlaced one on, since bwdif looks at the next frame, too.
    """

    found = False
    """Whether a frame was interlaced."""

    def __init__(self, mode: Deinterlace, warn: Callable[[Notice], None]) -> None:
        """mode: "fields" returns a frame for each field, and counts pts and durations in half ticks."""
        self._mode, self._warn = mode, warn
        self._bwdif: _Bwdif | None = None

    def push(self, av_frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take a frame and return those that are ready. pts must rise."""
        ready: list[av.VideoFrame] = []
        if self._mode == "fields":
            av_frame.pts, av_frame.duration = 2 * (av_frame.pts or 0), 2 * (av_frame.duration or 0)
        if self._bwdif is not None and self._bwdif.shape != _shape_of(av_frame):
            ready += self.flush()
        if self._bwdif is None and av_frame.interlaced_frame:
            mode = self._mode if av_frame.width >= _LEAST[0] and av_frame.height >= _LEAST[1] else "off"
            if not self.found:
                self.found = True
                self._warn(_NOTICES[mode])
            if mode != "off":
                self._bwdif = _Bwdif(av_frame, fields=mode == "fields")
        return ready + ([av_frame] if self._bwdif is None else self._bwdif.push(av_frame))

    def flush(self) -> list[av.VideoFrame]:
        """Return the frames that are held back."""
        bwdif, self._bwdif = self._bwdif, None
        return [] if bwdif is None else bwdif.push(None)


class _Bwdif:
    # A filter graph for frames of one size and pixel format.

    def __init__(self, av_frame: av.VideoFrame, *, fields: bool) -> None:
        self.shape = _shape_of(av_frame)
        self._waiting: deque[int] = deque()  # pts of the frames of which nothing has come out
        self._first_pts = 0
        self._without_captions = Filter("sidedata", mode="delete", type="A53_CC")
        self._graph = _graph(av_frame, "bwdif", mode="send_field" if fields else "send_frame", deint="interlaced")

    def push(self, av_frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        if av_frame is not None:
            self._waiting.append(av_frame.pts or 0)
            av_frame.time_base = _TIME_BASE
        self._graph.vpush(av_frame)
        ready = []
        while True:
            try:
                ready.append(self._timed(self._graph.vpull(), last=av_frame is None))
            except (BlockingIOError, EOFError):
                return ready

    def _timed(self, av_frame: av.VideoFrame, *, last: bool) -> av.VideoFrame:
        # bwdif counts in half ticks, and puts the second field midway between two frames: too late before a gap.
        pts, duration = (av_frame.pts or 0) // 2, (av_frame.duration or 0) // 2
        if self._waiting and pts == self._waiting[0]:
            self._first_pts = self._waiting.popleft()
        else:
            av_frame = self._without_captions(av_frame)  # players would show them twice
            if duration:
                pts = self._first_pts + duration if last else min(self._first_pts + duration, pts)
        av_frame.pts, av_frame.duration = pts, duration
        return av_frame


class Filter:
    """An FFmpeg filter that returns one frame for each. Not thread-safe."""

    def __init__(self, name: str, **options: str) -> None:
        """name, options: FFmpeg's."""
        self._name, self._options = name, options
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def __call__(self, av_frame: av.VideoFrame) -> av.VideoFrame:
        """Filter a frame; pts and duration are kept, but not the time base."""
        if self._graph is None or self._shape != _shape_of(av_frame):
            self._shape, self._graph = _shape_of(av_frame), _graph(av_frame, self._name, **self._options)
        av_frame.time_base = _TIME_BASE
        self._graph.vpush(av_frame)
        return self._graph.vpull()


def _shape_of(av_frame: av.VideoFrame) -> tuple[int, int, str]:
    return av_frame.width, av_frame.height, av_frame.format.name


def _graph(av_frame: av.VideoFrame, name: str, **options: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=av_frame.width, height=av_frame.height, format=av_frame.format, time_base=_TIME_BASE
    )
    graph.link_nodes(source, graph.add(name, **options), graph.add("buffersink")).configure()
    return graph
