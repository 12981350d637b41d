"""Deinterlacing with FFmpeg's bwdif; progressive video never passes through the filter."""

import re
from collections import deque
from collections.abc import Callable

import av
from av.video.reformatter import VideoReformatter

from vidsr.context import Code, Notice
from vidsr.options import Deinterlace
from vidsr.video.convert.av_filter import TIME_BASE, Filter, graph_of, shape_of
from vidsr.video.convert.from_av import to_planar
from vidsr.video.convert.pixel_formats import conversion_notice

_ACCEPTED = re.compile(r"yuvj?4\d\dp(\d+le)?|yuva4\d\dp((9|10|16)le)?|cuda")
_LEAST = (3, 4)  # columns and lines that bwdif needs
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
        self._scaler, self._converted = VideoReformatter(), False

    def push(self, av_frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take a frame and return those that are ready. pts must rise."""
        ready: list[av.VideoFrame] = []
        if self._mode == "fields":
            av_frame.pts, av_frame.duration = 2 * (av_frame.pts or 0), 2 * (av_frame.duration or 0)
        if self._bwdif is not None and self._bwdif.shape != shape_of(av_frame):
            ready += self.flush()
        if self._bwdif is None and av_frame.interlaced_frame:
            mode = self._mode if av_frame.width >= _LEAST[0] and av_frame.height >= _LEAST[1] else "off"
            if not self.found:
                self.found = True
                self._warn(_NOTICES[mode])
            if mode != "off":
                self._bwdif = _Bwdif(self._accepted(av_frame), given=shape_of(av_frame), fields=mode == "fields")
        return ready + ([av_frame] if self._bwdif is None else self._bwdif.push(self._accepted(av_frame)))

    def _accepted(self, av_frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame in a pixel format of bwdif. FFmpeg would convert others through BT.601."""
        pixel_format = av_frame.format
        if _ACCEPTED.fullmatch(pixel_format.name) or pixel_format.is_rgb or len(pixel_format.components) < 3:
            return av_frame
        if not self._converted:
            self._converted = True
            self._warn(conversion_notice(pixel_format))
        return to_planar(av_frame, self._scaler)

    def flush(self) -> list[av.VideoFrame]:
        """Return the frames that are held back."""
        bwdif, self._bwdif = self._bwdif, None
        return [] if bwdif is None else bwdif.push(None)


class _Bwdif:
    # A filter graph for frames of one size and pixel format.

    def __init__(self, av_frame: av.VideoFrame, *, given: tuple[int, int, str], fields: bool) -> None:
        self.shape = given
        self._waiting: deque[int] = deque()  # pts of the frames of which nothing has come out
        self._first_pts = 0
        self._without_captions = Filter("sidedata", mode="delete", type="A53_CC")
        self._graph = graph_of(av_frame, "bwdif", mode="send_field" if fields else "send_frame", deint="interlaced")

    def push(self, av_frame: av.VideoFrame | None) -> list[av.VideoFrame]:
        if av_frame is not None:
            self._waiting.append(av_frame.pts or 0)
            av_frame.time_base = TIME_BASE
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
