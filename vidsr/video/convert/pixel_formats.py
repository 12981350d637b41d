"""The pixel formats that a Frame can hold, and their FFmpeg names."""

from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidsr.frames import Plane

_SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
# FFmpeg name -> (bits, subsampling, gray)
LAYOUTS: dict[str, tuple[int, tuple[int, int], bool]] = {
    **{f"yuv{name}p": (8, shifts, False) for name, shifts in _SUBSAMPLINGS.items()},
    **{f"yuvj{name}p": (8, shifts, False) for name, shifts in _SUBSAMPLINGS.items()},
    **{f"yuva{name}p": (8, shifts, False) for name, shifts in _SUBSAMPLINGS.items()},
    **{f"yuv{name}p10le": (10, shifts, False) for name, shifts in _SUBSAMPLINGS.items()},
    **{f"yuva{name}p10le": (10, shifts, False) for name, shifts in _SUBSAMPLINGS.items()},
    "gray": (8, (0, 0), True),
    "gray10le": (10, (0, 0), True),
}


def layout_name(bits: int, subsampling: tuple[int, int], *, gray: bool, alpha: bool = False) -> str:
    """Return the FFmpeg name of a pixel format. bits: 8 or 10. subsampling: as in ColorSpec. Gray has no alpha."""
    depth = "10le" if bits == 10 else ""
    if gray:
        return f"gray{depth}"
    name = next(name for name, shifts in _SUBSAMPLINGS.items() if shifts == subsampling)
    return f"yuv{'a' if alpha else ''}{name}p{depth}"


def is_transparent(layout: str) -> bool:
    """Return whether one of LAYOUTS has alpha, as its last plane."""
    return layout.startswith("yuva")


def nearest_layout(layout: av.VideoFormat) -> str:
    """Return the one of LAYOUTS that loses the least of a YUV or gray format."""
    across, down = layout.chroma_width(64) < 64, layout.chroma_height(64) < 64
    subsampling = (1, 1) if across and down else (1, 0) if across else (0, 0)
    gray = len(layout.components) < 3
    alpha = not gray and any(component.is_alpha for component in layout.components)
    return layout_name(10 if layout.components[0].bits > 8 else 8, subsampling, gray=gray, alpha=alpha)


def alpha_of(av_frame: av.VideoFrame, bits: int, scaler: VideoReformatter) -> Plane | None:
    """Return the alpha of a frame at `bits`, as `Frame.alpha`; None if its pixel format has none.

    None, too, for an opaque frame in a format that always has alpha (that of GIF, for example).
    """
    pixel_format = av_frame.format
    if pixel_format.name in LAYOUTS:
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
        buffer: Any = plane
        lines = np.frombuffer(buffer, dtype).reshape(plane.height, -1)[:, : plane.width]
        views.append(lines if plane.line_size > 0 else lines[::-1])
    return tuple(views)
