"""HDR10's mastering display and light levels, which FFmpeg hands to encoders only as text."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from vidsr.video.convert.side_data import side_data

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
