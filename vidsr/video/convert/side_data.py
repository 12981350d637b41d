"""What a decoder hands out beside a picture: captions, mastering data, the display matrix, quantisers."""

import struct
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from numpy.typing import NDArray

_UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
NAMED = ("png", "apng")  # decoders that name a piece of side data (the ICC profile)


def side_data(picture: Any, name: str) -> bytes | None:
    """The bytes of one kind of side data, by the name of FFmpeg's enum; None where the picture has none."""
    if not isinstance(picture, av.VideoFrame):
        return None
    try:
        # Not picture.side_data, which PyAV 18 keeps: what keeps itself waits for the garbage collector.
        entries: Any = SideDataContainer(picture)  # type: ignore[call-arg]  # which its annotation lacks
        # PyAV 18 iterates the entries, PyAV 19 their keys.
        each = [entries[key] if isinstance(key, Type) else key for key in entries]
    except ValueError:  # PyAV 18 gives none at all where one is of a kind it does not know (a photo's Exif)
        return None
    return next((bytes(entry) for entry in each if entry.type.name == name), None)


def display_matrix(picture: Any) -> tuple[int, ...] | None:
    """How players are to turn or mirror a picture, nine numbers of FFmpeg's; () for not at all, None where untold."""
    data = side_data(picture, "DISPLAYMATRIX")
    if data is None:
        return None
    matrix = struct.unpack("<9i", data[:36])
    return () if matrix == _UPRIGHT else matrix


def without_side_data(picture: av.VideoFrame) -> av.VideoFrame:
    """A copy of a picture without side data, for decoders in NAMED.

    To ask PyAV (18 and 19) for side data that has a name frees the name twice, which ends the process.
    """
    copy = av.VideoFrame(picture.width, picture.height, picture.format.name)
    for target, source in zip(copy.planes, picture.planes, strict=True):
        lines, given = _lines(target), _lines(source)
        width = min(lines.shape[1], given.shape[1])
        np.copyto(lines[:, :width], given[:, :width])
    for name in ("pts", "duration", "time_base", "color_range", "colorspace", "color_primaries", "color_trc"):
        setattr(copy, name, getattr(picture, name))
    return copy


def _lines(plane: Any) -> NDArray[np.uint8]:
    # (height, bytes); a palette is one line
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size or plane.buffer_size)
