"""What taking samples of a film needs: how much of it there is, and which of its pictures are whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from vidsr.frames import Frame
from vidsr.video.read.open_input import open_input
from vidsr.video.read.source import Source
from vidsr.video.read.streams import video_stream_of
from vidsr.video.timing import rational


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a film really reaches, whatever its header says."""

    pictures: int
    """Packets of the film that are to be shown; about as many pictures."""
    seconds: Fraction
    """To the end of its last packet: from 0, as some containers count their duration, or from the first before that."""


def extent_of(path: Path) -> Extent:
    """Read a film's packets without decoding any, up to the first that cannot be read.

    Raises StreamBroken, NotAVideo or NoVideoStream.
    """
    opened = open_input(path, format=None, live=False, stop=None)
    with opened.container as container:
        stream = video_stream_of(container, opened.title)
        pictures, first, end = 0, 0, 0
        try:
            for packet in container.demux(stream):
                pictures += packet.size > 0 and not packet.is_discard
                if packet.pts is not None:
                    first = min(first, packet.pts)
                    end = max(end, packet.pts + (packet.duration or 0))
        except (av.error.FFmpegError, OSError, IndexError):  # IndexError: PyAV, where a stream appears on the way
            pass
        return Extent(pictures, (end - first) * (rational(stream.time_base) or Fraction(0)))


class WholeFrames:
    """The frames of a source, but None in place of those that damage may have reached, up to the next key picture."""

    lost = 0
    """How many were None so far."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Frame | None]:
        damage, waiting = 0, False
        for item in self._source:
            if not isinstance(item, Frame):
                continue
            picture = item.av_frame  # none where the decoder gave RGB: such codecs have key pictures only
            if self._source.damage.total > damage or (picture is not None and picture.is_corrupt):
                damage, waiting = self._source.damage.total, True
            elif picture is None or picture.key_frame:
                waiting = False
            self.lost += waiting
            yield None if waiting else item
