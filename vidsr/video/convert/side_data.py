"""Side data of decoded frames: captions, mastering data, the display matrix, encoder parameters."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction

import av

from vidsr.video._compat import side_data_of

DYNAMIC_HDR = {"DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_PLUS": "HDR10+", "DYNAMIC_HDR_VIVID": "HDR Vivid"}
"""Side data with the brightness of every frame, and its name for users."""
UNKNOWN = "UNKNOWN"
LOST_SIDE_DATA = {
    "AFD": "active format description",
    "S12M_TIMECODE": "time code of each frame (SMPTE 12M)",
    "AMBIENT_VIEWING_ENVIRONMENT": "ambient viewing environment",
    "FILM_GRAIN_PARAMS": "film grain parameters",
    "ICC_PROFILE": "colour profile (ICC)",
    "SEI_UNREGISTERED": "user data of the bitstream (SEI)",
    UNKNOWN: "side data that this version of PyAV does not read",
}
"""Side data that no encoder here writes, and its name for users. docs/side-data.md says what becomes of every other."""
# With these UUIDs, x264 and x265 describe themselves.
_OWN_SEI = {bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"), bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e")}

MASTERING_ENCODERS = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
"""Encoders that write mastering data, and the option that takes it."""

_UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def side_data(av_frame: av.VideoFrame | None, name: str) -> bytes | None:
    """Return one kind of side data, by its name in av.sidedata.Type; None if the frame has none."""
    entries = side_data_of(av_frame) if isinstance(av_frame, av.VideoFrame) else None
    return next((bytes(entry) for entry in entries or () if entry.type.name == name), None)


def lost_side_data(av_frame: av.VideoFrame | None) -> set[str]:
    """Return which of LOST_SIDE_DATA a frame has."""
    entries = side_data_of(av_frame) if isinstance(av_frame, av.VideoFrame) else []
    if entries is None:
        return {UNKNOWN}
    names = {
        UNKNOWN if entry.type.name.startswith(UNKNOWN) else entry.type.name  # UNKNOWN_32 and the like in PyAV 19
        for entry in entries
        if not (entry.type.name == "SEI_UNREGISTERED" and bytes(entry)[:16] in _OWN_SEI)
    }
    return names & LOST_SIDE_DATA.keys()


def display_matrix(av_frame: av.VideoFrame | None) -> tuple[int, ...] | None:
    """Return the nine numbers of FFmpeg's display matrix; () for no rotation, None if the frame states none."""
    data = side_data(av_frame, "DISPLAYMATRIX")
    if data is None:
        angle = av_frame.rotation if isinstance(av_frame, av.VideoFrame) else 0
        return _rotated(angle) if angle else None  # PyAV knows the angle, even if it cannot read the side data
    matrix = struct.unpack("<9i", data[:36])
    return () if matrix == _UPRIGHT else matrix


def is_turned(matrix: tuple[int, ...] | None) -> bool:
    """Return whether a display matrix turns frames by about 90 or 270 degrees, so that their sides change places."""
    return matrix is not None and matrix != () and abs(matrix[1]) > abs(matrix[0])


def _rotated(degrees: int) -> tuple[int, ...]:
    cos, sin = (round(f(math.radians(degrees)) * (1 << 16)) for f in (math.cos, math.sin))
    return (cos, -sin, 0, sin, cos, 0, 0, 0, 1 << 30)


def unstretched(matrix: tuple[int, ...]) -> tuple[int, ...]:
    """Return a display matrix without the stretch of one side, which FFmpeg reads as the sample aspect ratio, too."""
    if not matrix:
        return matrix
    rows = [(a, b, math.hypot(a, b) / (1 << 16) or 1) for a, b in (matrix[:2], matrix[3:5])]
    if abs(rows[0][2] - rows[1][2]) < 0.01:
        return matrix
    (a, b), (c, d) = ((round(x / scale), round(y / scale)) for x, y, scale in rows)
    turned = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return () if turned == _UPRIGHT else turned


@dataclass(frozen=True, slots=True)
class Mastering:
    """The display on which a video was graded (SMPTE ST 2086), and its light levels (CTA-861.3)."""

    display: tuple[Fraction, ...] | None = None
    """CIE 1931 x and y of red, green, blue and white; luminance of black and of white in cd/m²."""
    light: tuple[int, int] | None = None
    """MaxCLL and MaxFALL: the brightest pixel, and the highest average of a frame, in cd/m²."""
    rest: str = ""
    """Values of a display that no encoder can write: only half of them, or impossible ones. Empty for none."""


def mastering_of(av_frame: av.VideoFrame | None) -> Mastering | None:
    """Return the mastering data of a decoded frame; None if it has none. Zeros mean that a value is unknown."""
    display, light = (side_data(av_frame, name) for name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"))
    numbers = struct.unpack("<22i", display[:88]) if display else (0,) * 22
    values = tuple(Fraction(numbers[i], numbers[i + 1] or 1) for i in range(0, 20, 2))
    known = (*(values[:8] if numbers[20] else ()), *(values[8:] if numbers[21] else ()))  # has_primaries, has_luminance
    levels = struct.unpack("<II", light[:8]) if light else (0, 0)
    whole = len(known) == 10 and _is_display(known)
    rest = " ".join(f"{float(value):g}" for value in known) if any(known) and not whole else ""
    found = Mastering(known if whole else None, levels if levels[0] else None, rest)  # 0: unknown
    return found if found.display or found.light or found.rest else None


def _is_display(values: tuple[Fraction, ...]) -> bool:
    # Within what HEVC and AV1 can write, and darker than it is bright.
    colors, (darkest, brightest) = values[:8], values[8:]
    return all(0 <= value <= 1 for value in colors) and any(colors) and 0 <= darkest < brightest <= 1 << 16


def mastering_options(codec: str, mastering: Mastering | None) -> dict[str, str]:
    """Return the options that make an encoder write mastering data; empty if it cannot."""
    if mastering is None or codec not in MASTERING_ENCODERS or not (mastering.display or mastering.light):
        return {}
    parts = []
    if mastering.display:
        parts.append(f"{'master' if codec == 'libx265' else 'mastering'}-display={_points(codec, mastering.display)}")
    if mastering.light:
        key = {"libx265": "max-cll", "libx264": "cll"}.get(codec, "content-light")
        parts.append("{}={},{}".format(key, *mastering.light))
    return {MASTERING_ENCODERS[codec]: ":".join(parts)}


def _points(codec: str, display: tuple[Fraction, ...]) -> str:
    def text(value: Fraction, steps: int) -> str:  # x264 and x265 count in HEVC's steps, SVT-AV1 takes decimals
        return f"{float(value):.6f}" if codec == "libsvtav1" else str(round(value * steps))

    red, green, blue, white = (",".join(text(value, 50000) for value in display[i : i + 2]) for i in (0, 2, 4, 6))
    darkest, brightest = (text(value, 10000) for value in display[8:])
    return f"G({green})B({blue})R({red})WP({white})L({brightest},{darkest})"
