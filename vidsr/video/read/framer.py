"""Stages of reading: the times of decoded frames, and Frames made of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import av
from av.video.reformatter import VideoReformatter

from vidsr.color import ChromaLocation
from vidsr.context import Code, Notice
from vidsr.frames import Frame
from vidsr.video.convert.av_filter import Filter
from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.nv12 import is_surface
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS, conversion_notice
from vidsr.video.convert.qp import mean_qp
from vidsr.video.convert.scale import FULL, chroma_location_of
from vidsr.video.convert.side_data import DYNAMIC_HDR, side_data
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.description import Cropping

_LIMITED_IF_UNTAGGED = ("h264", "hevc", "vvc", "av1")  # codecs whose specification gives untagged video limited range
_LEFT_IN_422 = ("hevc", "vvc")  # codecs with 4:2:2 chroma on the left, whose decoders state the location of 4:2:0 only
_GRAYS = ("ya8",)  # gray that is converted without loss
_DEEP_GRAYS = ("gray16le", "gray16be", "ya16le", "ya16be")
_PATIENCE = 3  # frames of a new size in a row before damaged input is believed to have changed it


class FrameTimes:
    """A frame stage that completes the times of decoded frames and drops those outside the range.

    pts become strictly rising, and begin at 0 in a range. In mov and mp4, FFmpeg derives durations from decoding times,
    which reordering makes wrong: there, one frame is held back, to last until the next one is shown. AVI stores no pts,
    and FFmpeg's are wrong where a packet holds two frames: once they fall back, those of packets are taken, as by
    FFmpeg's `best_effort_timestamp`, but one frame earlier.
    """

    def __init__(self, demuxer: Demuxer) -> None:
        self._demuxer = demuxer
        self._shift = round(demuxer.span.shift / demuxer.time_base)
        self._held: av.VideoFrame | None = None
        self._last: int | None = None
        self._next = 0
        self._before: tuple[int | None, int | None] = None, None  # pts and dts of the last frame, as decoded
        self._faults = 0  # pts that fell back, less dts that did

    def push(self, av_frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take a decoded frame and return those that are ready."""
        if not self._demuxer.wrong_durations and not self._demuxer.lacks_pts:
            return self._timed(av_frame)
        fell = [
            time is not None and before is not None and time <= before
            for time, before in zip((av_frame.pts, av_frame.dts), self._before, strict=True)
        ]
        self._faults += fell[0] - fell[1]
        self._before = av_frame.pts, av_frame.dts
        ready = self._release(av_frame.pts if self._demuxer.wrong_durations else None)
        self._held = av_frame
        return ready

    def flush(self) -> list[av.VideoFrame]:
        """Return the last frame, which lasts until the end of the track."""
        ends = self._held is not None and self._demuxer.wrong_durations
        return self._release(self._demuxer.track_end() if ends else None)

    def give_up(self) -> list[av.VideoFrame]:
        """Return the frame that is held back, with the duration that FFmpeg states."""
        return self._release(None)

    def _release(self, end: int | None) -> list[av.VideoFrame]:
        held, self._held = self._held, None
        if held is None:
            return []
        if end is not None and held.pts is not None and end > held.pts:
            held.duration = end - held.pts
        if self._demuxer.lacks_pts and self._faults > 0:
            held.pts = held.dts
        return self._timed(held)

    def _timed(self, av_frame: av.VideoFrame) -> list[av.VideoFrame]:
        demuxer = self._demuxer
        demuxer.estimator.update(av_frame)
        pts = self._next if av_frame.pts is None else av_frame.pts
        self._last = pts = pts if self._last is None else max(pts, self._last + 1)
        av_frame.duration = av_frame.duration or 0
        self._next = pts + (av_frame.duration or demuxer.step)
        demuxer.log.next_frame = self._next * demuxer.time_base
        av_frame.pts = pts + self._shift
        return [av_frame] if demuxer.span.contains(pts * demuxer.time_base) else []


class Framer:
    """A frame stage that makes Frames of decoded frames. Not thread-safe.

    In damaged input, it holds frames of a new size back until the next ones confirm it.
    """

    def __init__(
        self,
        demuxer: Demuxer,
        *,
        time_base: Fraction,
        source_qp: float | None,
        semiplanar: bool,
        crop: Cropping,
        rgb_video: bool,
        deep: bool,
        warn: Callable[[Notice], None],
    ) -> None:
        """time_base: of pts. source_qp: QP of every frame; None: from the decoder. semiplanar: see `frame_of`.

        crop: cut off, as the container asks for. rgb_video, deep: see `frame_of`.
        """
        self._demuxer, self._time_base, self._source_qp, self._warn = demuxer, time_base, source_qp, warn
        self._semiplanar, self._crop, self._rgb_video, self._deep = semiplanar, crop, rgb_video, deep
        self.rgb = False
        """Whether the last frame was RGB."""
        self._scaler = VideoReformatter()
        self._set_left = Filter("setparams", chroma_location="left")
        self._set_progressive = Filter("setparams", field_mode="prog")
        self._chroma_location: ChromaLocation | None = None
        self._pixel_format = ""
        self._before: Frame | None = None
        self._size: tuple[int, int] | None = None
        self._doubtful: list[Frame] = []  # frames of another size

    def push(self, av_frame: av.VideoFrame) -> list[Frame]:
        """Take a decoded frame and return the Frames that are ready."""
        frame = self._frame(av_frame)
        size = (frame.width, frame.height)
        damaged = self._demuxer.log.damage.total > 0
        if self._size in (None, size) or not damaged or len(self._doubtful) + 1 >= _PATIENCE:
            ready = [*self._doubtful, frame]
            self._size, self._doubtful = size, []
            return ready
        if self._doubtful and (self._doubtful[-1].width, self._doubtful[-1].height) != size:
            self.flush()
        self._doubtful.append(frame)
        return []

    def flush(self) -> list[Frame]:
        """Drop the frames whose size was not confirmed, and return nothing."""
        for frame in self._doubtful:
            self._demuxer.log.note("lost_frames", frame.pts * frame.time_base - self._demuxer.span.shift)
        self._doubtful = []
        return []

    def _frame(self, av_frame: av.VideoFrame) -> Frame:
        codec, pixel_format = self._demuxer.codec, av_frame.sw_format or av_frame.format
        if codec in _LEFT_IN_422 and pixel_format.name.startswith("yuv422"):
            av_frame = self._set_left(av_frame)  # swscale would assume the centre
        if not av_frame.color_range and len(pixel_format.components) < 3 and codec not in _LIMITED_IF_UNTAGGED:
            av_frame.color_range = FULL  # gray of a photo
        if pixel_format.name != self._pixel_format:
            self._pixel_format = pixel_format.name
            self._chroma_location = None if av_frame.format.is_rgb else self._measured_location(av_frame)
            for notice in losses_of(av_frame, deep=self._deep):
                self._warn(notice)
        qp = mean_qp(av_frame) if self._source_qp is None else self._source_qp
        if qp is None:
            qp = self._demuxer.estimator.value
        self.rgb = av_frame.format.is_rgb or av_frame.format.has_palette
        frame = frame_of(
            av_frame, chroma_location=self._chroma_location, qp=qp, scaler=self._scaler, semiplanar=self._semiplanar,
            rgb_video=self._rgb_video, deep=self._deep,
        )  # fmt: skip
        before, self._before = self._before, replace(self._crop.apply(frame), time_base=self._time_base)
        if before is not None and before.qp != qp and self._before.shows(before):
            self._before = replace(self._before, qp=before.qp)
        return self._before

    def _measured_location(self, av_frame: av.VideoFrame) -> ChromaLocation:
        # Between the lines of two fields swscale would assume another one.
        is_field_pair = av_frame.interlaced_frame and not is_surface(av_frame)
        return chroma_location_of(self._set_progressive(av_frame) if is_field_pair else av_frame)


def losses_of(av_frame: av.VideoFrame, *, deep: bool = False) -> Iterator[Notice]:
    """Yield a warning for each property of a decoded frame that a Frame cannot hold. deep: see `frame_of`."""
    pixel_format, name = av_frame.format, av_frame.format.name
    if pixel_format.is_rgb or pixel_format.has_palette:
        if pixel_format.components[0].bits > 10 and not deep:
            yield Notice(f"{name} is converted to 10 bits", (Code.PIXEL_FORMAT,))
    elif not is_surface(av_frame) and name not in PIXEL_FORMATS and name not in _GRAYS + _DEEP_GRAYS * deep:
        yield conversion_notice(pixel_format)
    for kind, title in DYNAMIC_HDR.items():
        if side_data(av_frame, kind) is not None:
            yield Notice(f"{title} metadata are left out: no encoder here writes them", (Code.DYNAMIC_HDR,))
