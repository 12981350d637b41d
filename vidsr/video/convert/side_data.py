"""What a decoder hands out beside a picture: captions, mastering data, the display matrix, quantisers."""

import struct
from dataclasses import dataclass
from fractions import Fraction
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


CODECS = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
"""Encoders that can be told, and the option that takes the text."""


@dataclass(frozen=True, slots=True)
class Mastering:
    """What the people who graded a film saw."""

    display: tuple[Fraction, ...] | None = None
    """x and y of red, green, blue and white (CIE 1931); luminance of black and of white in cd/m²."""
    light: tuple[int, int] | None = None
    """The brightest pixel of the film, and its brightest picture on average, in cd/m²."""


def mastering_of(picture: Any) -> Mastering | None:
    """What a decoded picture tells; None where it tells nothing that is whole."""
    display, light = (side_data(picture, name) for name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"))
    numbers = struct.unpack("<22i", display[:88]) if display else ()
    whole = bool(numbers) and numbers[20] and numbers[21]  # both the colours and the luminance are told
    found = Mastering(
        tuple(Fraction(numbers[i], numbers[i + 1] or 1) for i in range(0, 20, 2)) if whole else None,
        struct.unpack("<II", light[:8]) if light else None,
    )
    return found if found.display or found.light else None


def mastering_options(codec: str, mastering: Mastering | None) -> dict[str, str]:
    """The options that make an encoder tell it; none where it cannot."""
    if mastering is None or codec not in CODECS:
        return {}
    parts = []
    if mastering.display:
        parts.append(f"{'master' if codec == 'libx265' else 'mastering'}-display={_points(codec, mastering.display)}")
    if mastering.light:
        key = {"libx265": "max-cll", "libx264": "cll"}.get(codec, "content-light")
        parts.append("{}={},{}".format(key, *mastering.light))
    return {CODECS[codec]: ":".join(parts)}


def _points(codec: str, display: tuple[Fraction, ...]) -> str:
    def told(value: Fraction, steps: int) -> str:  # x264 and x265 count in HEVC's steps, SVT-AV1 takes decimals
        return f"{float(value):.6f}" if codec == "libsvtav1" else str(round(value * steps))

    red, green, blue, white = (",".join(told(value, 50000) for value in display[i : i + 2]) for i in (0, 2, 4, 6))
    darkest, brightest = (told(value, 10000) for value in display[8:])
    return f"G({green})B({blue})R({red})WP({white})L({brightest},{darkest})"
