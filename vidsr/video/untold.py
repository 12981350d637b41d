"""What a container cannot say of a film, told to the user before the first frame."""

import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from vidsr.frames import Notice
from vidsr.video.side_data import side_data

_NO_CHAPTERS = ("mpegts", "yuv4mpegpipe", "avi", "flv")
_NO_TAGS = ("mpegts", "yuv4mpegpipe")
_SERVICE = ("service_name", "service_provider")  # the tags that MPEG-TS does hold
_NO_TURN = ("mpegts", "yuv4mpegpipe", "avi", "flv", "nut")
# Where PyAV tells the container the shape of a pixel; elsewhere it depends on the codec.
_SHAPED = ("mp4", "mov", "ipod")
_SHAPED_CODECS = ("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video")
_UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def untold(
    muxer: str, *, codec: str, aspect: Fraction, chapters: bool, tags: Mapping[str, str], first: Any
) -> Iterator[Notice]:
    """A sentence for each thing that is lost.

    muxer, codec: FFmpeg's names. aspect: of a pixel. chapters: whether there are any. first: the film's first picture.
    """
    if chapters and muxer in _NO_CHAPTERS:
        yield Notice(f"the chapters are left out: {muxer} holds none", "chapters")
    lost = [key for key in tags if muxer in _NO_TAGS and not (muxer == "mpegts" and key in _SERVICE)]
    if lost:
        yield Notice(f"the tags of the film ({', '.join(lost)}) are left out: {muxer} holds none", "tags")
    if muxer in _NO_TURN and turned(first):
        what = f"the film lies on its side, and {muxer} cannot tell players to turn it; use .mp4 or .mkv"
        yield Notice(what, "rotation")
    if aspect != 1 and muxer not in _SHAPED and codec not in _SHAPED_CODECS:
        what = f"pixels of {aspect.numerator}:{aspect.denominator} cannot be told with {codec} in {muxer}; use .mp4"
        yield Notice(what, "aspect")


def turned(picture: Any) -> bool:
    """Whether players are to turn or mirror a picture."""
    matrix = side_data(picture, "DISPLAYMATRIX")
    return matrix is not None and struct.unpack("<9i", matrix[:36]) != _UPRIGHT
