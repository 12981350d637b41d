"""For sampling clips of a video: how much of it there is, and which frames are undamaged."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from vidsr.frames import Frame
from vidsr.video._compat import rational
from vidsr.video.read.open_input import open_input
from vidsr.video.read.source import Source
from vidsr.video.read.streams import select_video_stream
from vidsr.video.read.timestamps import Timeline, origin_of


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a video can be read, whatever its header states."""

    frames: int
    """Packets that are shown, about as many as frames."""
    seconds: Fraction
    """To the end of the last packet: from 0, as some containers count their duration, or from an earlier first one."""


def extent_of(path: Path) -> Extent:
    """Read the packets of a video, without decoding, up to the first error.

    Raises StreamBroken, NotAVideo or NoVideoStream.
    """
    with closing(open_input(path)) as opened:
        stream = select_video_stream(opened.container, opened.title)
        frames, first, end = 0, 0, 0
        timeline = Timeline(opened.container, stream.index, origin=origin_of(opened.container, stream))
        try:
            for read in opened.container.demux(stream):
                for packet in timeline.push(read):
                    frames += packet.size > 0 and not packet.is_discard
                    if packet.pts is not None:
                        first = min(first, packet.pts)
                        end = max(end, packet.pts + (packet.duration or 0))
        except (av.error.FFmpegError, OSError, IndexError):  # IndexError: PyAV, if a stream appears after the header
            pass
        return Extent(frames, (end - first) * (rational(stream.time_base) or Fraction(0)))


class UndamagedFrames:
    """The frames of a source; None for those that damage may affect, up to the next key frame."""

    lost = 0
    """How many were None so far."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Frame | None]:
        damage, waiting = 0, False
        for item in self._source:
            if not isinstance(item, Frame):
                continue
            av_frame = item.av_frame  # None if the codec is RGB, and so has only key frames
            if self._source.damage.total > damage or (av_frame is not None and av_frame.is_corrupt):
                damage, waiting = self._source.damage.total, True
            elif av_frame is None or av_frame.key_frame:
                waiting = False
            self.lost += waiting
            yield None if waiting else item
