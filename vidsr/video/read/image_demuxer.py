"""Reads an image sequence as if it were a container."""

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av

from vidsr.context import Notice
from vidsr.errors import InputError, NotAVideo
from vidsr.frames import Carried
from vidsr.video.read.damage import DamageLog
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.open_input import OpenedInput, open_input
from vidsr.video.read.streams import select_video_stream, set_up_decoder
from vidsr.video.sequence import ImageSequence
from vidsr.video.timing import TimeRange


class ImageDemuxer(Demuxer):
    """Reads one file per frame. The number of a file gives its pts, so that a missing one leaves a gap."""

    def __init__(
        self,
        opened: OpenedInput,
        stream: av.VideoStream,
        span: TimeRange,
        log: DamageLog,
        *,
        sequence: ImageSequence,
        rate: Fraction,
        warn: Callable[[Notice], None],
    ) -> None:
        """opened, stream: of the first image. rate: frame rate."""
        super().__init__(opened, stream, span, log, rate=rate)
        self.wrong_durations = False
        self._warn = warn
        self._warned: set[str] = set()
        self._sequence = sequence
        self._length = (list(sequence.files)[-1] - sequence.first + 1) / rate  # seconds

    def duration(self) -> Fraction:
        """Return the seconds in the range."""
        left = max(self._length - (self.span.start or 0), Fraction(0))
        return left if self.span.duration is None else min(left, self.span.duration)

    def has_variable_rate(self) -> bool:
        """Return whether an image is missing."""
        return self._length * (self.rate or 1) != len(self._sequence.files)

    def items(self) -> Iterator[av.VideoFrame | Carried]:
        """Yield the frames in the range."""
        for number, file in self._sequence.files.items():
            pts = number - self._sequence.first
            time = pts * self.time_base
            if not self.span.contains(time):
                continue
            try:
                av_frame = self._decode_file(file)
            except (InputError, av.error.FFmpegError, EOFError):
                self.log.note("lost_frames", time)
                continue
            if av_frame.is_corrupt:
                self.log.note("corrupt_frames", time)
            av_frame.pts, av_frame.duration, av_frame.time_base = pts, 1, self.time_base
            yield av_frame

    def _decode_file(self, file: Path) -> av.VideoFrame:
        with closing(open_input(file, stills=True)) as opened:
            if opened.still is not None:
                self.codec = opened.still.kind
                for notice in opened.still.first.notices:
                    if notice.message not in self._warned:  # most are true of every image
                        self._warn(notice)
                    self._warned.add(notice.message)
                return opened.still.first.av_frame
            stream = select_video_stream(opened.container, str(file))
            set_up_decoder(stream)
            self.codec = stream.codec_context.codec.canonical_name
            for av_frame in opened.container.decode(stream):
                return av_frame
        raise NotAVideo(f"{file} contains no image")
