"""The pixel formats that a Frame can hold, and their FFmpeg names."""

from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidsr.context import Code, Notice
from vidsr.frames import Plane
from vidsr.video._compat import lines_of

_SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}


class PixelFormat(NamedTuple):
    """What a Frame states of its pixel format."""

    bits: int
    """8, 10 or 12."""
    subsampling: tuple[int, int]
    """As in ColorSpec."""
    gray: bool


PIXEL_FORMATS = {
    f"yuv{kind}{name}p{depth}": PixelFormat(bits, halvings, gray=False)
    for kind, bits, depth in (
        ("", 8, ""),
        ("", 10, "10le"),
        ("", 12, "12le"),
        ("a", 8, ""),
        ("a", 10, "10le"),
        ("a", 12, "12le"),
        ("j", 8, ""),
    )
    for name, halvings in _SUBSAMPLINGS.items()
    if f"{kind}{name}{bits}" != "a42012"  # which FFmpeg lacks
} | {f"gray{depth}": PixelFormat(bits, (0, 0), gray=True) for bits, depth in ((8, ""), (10, "10le"), (12, "12le"))}
"""By FFmpeg name."""
DEEP_FORMATS = {"yuv444p16le": PixelFormat(16, (0, 0), gray=False), "gray16le": PixelFormat(16, (0, 0), gray=True)}
"""Those of images of 16 bits, where the output holds them."""


def pixel_format_name(bits: int, subsampling: tuple[int, int], *, gray: bool, alpha: bool = False) -> str:
    """Return the FFmpeg name of a pixel format, from the attributes of PixelFormat. Gray has no alpha."""
    depth = f"{bits}le" if bits > 8 else ""
    if gray:
        return f"gray{depth}"
    name = next(name for name, halvings in _SUBSAMPLINGS.items() if halvings == subsampling)
    return f"yuv{'a' if alpha else ''}{name}p{depth}"


def is_transparent(pixel_format: str) -> bool:
    """Return whether one of PIXEL_FORMATS has alpha, as its last plane."""
    return pixel_format.startswith("yuva")


def nearest_pixel_format(given: av.VideoFormat) -> str:
    """Return the one of PIXEL_FORMATS that loses the least of a YUV or gray format."""
    across, down = given.chroma_width(64) < 64, given.chroma_height(64) < 64
    subsampling = (1, 1) if across and down else (1, 0) if across else (0, 0)
    gray = len(given.components) < 3
    alpha = not gray and any(component.is_alpha for component in given.components)
    return pixel_format_name(10 if given.components[0].bits > 8 else 8, subsampling, gray=gray, alpha=alpha)


def conversion_notice(given: av.VideoFormat) -> Notice:
    """Return the warning that a YUV or gray format is converted."""
    what = f"{given.name} is converted to {nearest_pixel_format(given)}, the nearest supported format"
    return Notice(what, (Code.PIXEL_FORMAT,))


def alpha_of(av_frame: av.VideoFrame, bits: int, scaler: VideoReformatter) -> Plane | None:
    """Return the alpha of a frame at `bits`, as `Frame.alpha`; None if its pixel format has none.

    None, too, for an opaque frame in a format that always has alpha (that of GIF, for example).
    """
    pixel_format = av_frame.format
    if pixel_format.name in PIXEL_FORMATS:
        return planes_of(av_frame)[-1] if is_transparent(pixel_format.name) else None
    if not (pixel_format.has_palette or any(component.is_alpha for component in pixel_format.components)):
        return None
    deep = pixel_format.components[0].bits > 8
    alpha = scaler.reformat(av_frame, format="rgba64le" if deep else "rgba").to_ndarray()[..., 3]  # (height, width)
    highest = 65535 if deep else 255
    if (alpha == highest).all():
        return None
    dtype: Any = np.uint8 if bits == 8 else np.uint16
    codes: Plane = np.rint(alpha * (((1 << bits) - 1) / highest)).astype(dtype)
    return codes


def planes_of(av_frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Return views of the planes of a planar frame of 8 to 16 bits, without the padding of lines."""
    dtype = np.uint8 if av_frame.format.components[0].bits <= 8 else np.uint16
    views: list[Any] = []
    for plane in av_frame.planes:
        lines = lines_of(plane, dtype)[:, : plane.width]
        views.append(lines if plane.line_size > 0 else lines[::-1])
    return tuple(views)
