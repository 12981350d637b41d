"""Reads an image file that vidsr decodes itself as if it were a container."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import av

from vidsr.context import Notice
from vidsr.frames import Carried
from vidsr.video.read.damage import DamageLog
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.open_input import OpenedInput
from vidsr.video.read.still.open_still import RATE, Still
from vidsr.video.timing import TimeRange


class StillDemuxer(Demuxer):
    """Reads the pictures of one file; its container is a stand-in."""

    def __init__(
        self,
        opened: OpenedInput,
        stream: av.VideoStream,
        span: TimeRange,
        log: DamageLog,
        *,
        still: Still,
        rate: Fraction | None,
        warn: Callable[[Notice], None],
    ) -> None:
        """opened, stream: of the stand-in; see `stand_in`. rate: frame rate, for an image that states no times.

        warn: called with what decoding the first picture changed.
        """
        super().__init__(opened, stream, span, log, rate=rate)
        self._still, self._warn = still, warn
        self._animated = still.count > 1 and rate is None
        self.time_base = Fraction(1, 1000) if self._animated else 1 / (rate or RATE)
        self.codec, self.image = still.kind, still.data

    def duration(self) -> Fraction | None:
        """Return None: an animation does not state it."""
        return None

    def has_variable_rate(self) -> bool:
        """Return whether each picture states how long it is shown."""
        return self._animated

    def items(self) -> Iterator[av.VideoFrame | Carried]:
        """Yield the pictures in the range."""
        start = 0.0
        for index, picture in enumerate(self._still.pictures()):
            av_frame, end = picture.av_frame, start + picture.milliseconds
            av_frame.time_base = self.time_base
            if self._animated:
                av_frame.pts, av_frame.duration = round(start), round(end) - round(start)
            else:
                av_frame.pts, av_frame.duration = index, 1
            for notice in picture.notices if index == 0 else ():
                self._warn(notice)
            yield av_frame
            start = end
