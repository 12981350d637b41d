"""Differences between PyAV 18 and 19, and what crashes both."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.container.core import Chapter as Chapter
else:
    Chapter = dict
    """A chapter as PyAV has it; a class of its stubs only."""

CRASHING_SIDE_DATA = ("png", "apng")
"""Decoders whose side data must not be read; see `without_side_data`."""

LENIENT_TEXT: dict[str, Any] = {"metadata_errors": "surrogateescape"} if av.__version__.startswith("18.") else {}
"""Arguments of `av.open` with which tags that are not UTF-8 do not fail; PyAV 19 always reads them so."""

DECODER_ERRORS = (av.error.FFmpegError, ValueError)
"""What a decoder raises. ValueError: PyAV 19, for a decoder that could not be opened."""


def rational(value: Any) -> Fraction | None:
    """Return a rational of PyAV's as a Fraction, or None if it is unset.

    PyAV 18 gives a Fraction or None, PyAV 19 an AVRational, which may be 0/1 or 1/0.
    """
    if value is None or not value.denominator or not value.numerator:
        return None
    return value if isinstance(value, Fraction) else Fraction(value.numerator, value.denominator)


@contextmanager
def ffmpeg_log(level: int) -> Iterator[list[tuple[int, str, str]]]:
    """Capture what this thread logs in FFmpeg: level, name and message of each line.

    The log is usually off, since it can deadlock in FFmpeg's own threads; keep the block short.
    """
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(level)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as lines:
            yield lines
    finally:
        av.logging.set_level(before[0])
        av.logging.set_skip_repeated(before[1])


def dump_format(container: InputContainer) -> str:
    """Return what FFmpeg's `av_dump_format` prints of an open input, which takes a tenth of a millisecond."""
    with ffmpeg_log(av.logging.INFO):
        text: str = container.dumps_format()  # type: ignore[attr-defined]  # missing in the stubs
        return text


def side_data_of(av_frame: av.VideoFrame) -> list[SideData] | None:
    """Return the side data of a frame; None if PyAV 18 does not know one of its types, such as a photo's Exif."""
    try:
        # Not av_frame.side_data: PyAV 18 caches it in a cycle, which only the garbage collector frees.
        entries: Any = SideDataContainer(av_frame)  # type: ignore[call-arg]  # missing in the stubs
        # PyAV 18 iterates over entries, PyAV 19 over their types, of which a frame may have several.
        return list(entries[:] if any(isinstance(each, Type) for each in entries) else entries)
    except ValueError:
        return None


def without_side_data(av_frame: av.VideoFrame) -> av.VideoFrame:
    """Return a copy of a frame without side data, for the decoders of CRASHING_SIDE_DATA.

    Their ICC profile has a name. Reading named side data frees the name twice, in PyAV 18 and 19.
    """
    copy = av.VideoFrame(av_frame.width, av_frame.height, av_frame.format.name)
    for target, source in zip(copy.planes, av_frame.planes, strict=True):
        written, given = lines_of(target), lines_of(source)
        width = min(written.shape[1], given.shape[1])
        np.copyto(written[:, :width], given[:, :width])
    for name in ("pts", "duration", "time_base", "color_range", "colorspace", "color_primaries", "color_trc"):
        setattr(copy, name, getattr(av_frame, name))
    return copy


def lines_of(plane: Any, dtype: Any = np.uint8) -> NDArray[Any]:
    """Return a view of the samples of a plane, (height, samples), with the padding of lines; a palette is one line."""
    return np.frombuffer(plane, dtype).reshape(plane.height if plane.line_size else 1, -1)


def frame_chroma_location(av_frame: av.VideoFrame) -> int | None:
    """Return the AVChromaLocation of a frame; None in PyAV 18, which does not expose it."""
    location: Any = getattr(av_frame, "chroma_location", None)
    return None if location is None else int(location)


def decoder_chroma_location(codec_context: av.VideoCodecContext) -> int:
    """Return the AVChromaLocation that a decoder was given by its container; 0 (unspecified) in PyAV 18."""
    return cast(int, getattr(codec_context, "chroma_sample_location", 0))


def packet_without(packet: av.Packet, side_data: str = "") -> av.Packet:
    """Return a copy of a packet without one kind of side data, and without the flag to discard it.

    PyAV can remove neither.
    """
    copy: av.Packet = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.stream, copy.is_keyframe, copy.is_corrupt = packet.stream, packet.is_keyframe, packet.is_corrupt
    for data in packet.iter_sidedata():
        if data.data_type != side_data:
            copy.set_sidedata(data)
    return copy
