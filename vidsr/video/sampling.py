"""What taking samples of a film needs: how much of it there is, and which of its pictures are whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from vidsr.frames import Frame
from vidsr.video.opening import open_input
from vidsr.video.source import Source
from vidsr.video.streams import film_of
from vidsr.video.timing import rational


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a film really reaches, whatever its header says."""

    pictures: int
    """Packets of the film; about as many pictures."""
    seconds: Fraction
    """From its first packet to the end of its last."""


def extent_of(path: Path) -> Extent:
    """Read a film's packets without decoding any, up to the first that cannot be read.

    Raises StreamBroken, NotAVideo or NoVideoStream.
    """
    opened = open_input(path, format=None, live=False, stop=None)
    with opened.container as container:
        stream = film_of(container, opened.title)
        pictures, first, end = 0, None, 0
        try:
            for packet in container.demux(stream):
                pictures += packet.size > 0
                if packet.pts is not None:
                    first = packet.pts if first is None else min(first, packet.pts)
                    end = max(end, packet.pts + (packet.duration or 0))
        except (av.error.FFmpegError, OSError, IndexError):  # IndexError: PyAV, where a stream appears on the way
            pass
        return Extent(pictures, (end - (first or 0)) * (rational(stream.time_base) or Fraction(0)))


def whole_frames(source: Source) -> Iterator[Frame | None]:
    """The frames of a source, but None in place of those that damage may have reached, up to the next key picture."""
    damage, waiting = 0, False
    for item in source:
        if not isinstance(item, Frame):
            continue
        picture = item.carrier  # none where the decoder gave RGB: such codecs have key pictures only
        if source.damage > damage or (picture is not None and picture.is_corrupt):
            damage, waiting = source.damage, True
        elif picture is None or picture.key_frame:
            waiting = False
        yield None if waiting else item
