"""The layouts of samples that a Frame can hold, and FFmpeg's names for them."""

from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidsr.frames import Plane

_SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
# Format name -> (bits, subsampling, gray): what a Frame holds as it is.
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
    """FFmpeg's name for a layout: bits 8 or 10; subsampling as in ColorSpec; there is no gray one with alpha."""
    depth = "10le" if bits == 10 else ""
    if gray:
        return f"gray{depth}"
    name = next(name for name, shifts in _SUBSAMPLINGS.items() if shifts == subsampling)
    return f"yuv{'a' if alpha else ''}{name}p{depth}"


def is_transparent(layout: str) -> bool:
    """Whether one of LAYOUTS holds alpha, in its last plane."""
    return layout.startswith("yuva")


def nearest_layout(layout: av.VideoFormat) -> str:
    """The name of the layout a Frame can hold that loses least of a YUV or gray format."""
    across, down = layout.chroma_width(64) < 64, layout.chroma_height(64) < 64
    subsampling = (1, 1) if across and down else (1, 0) if across else (0, 0)
    gray = len(layout.components) < 3
    alpha = not gray and any(component.is_alpha for component in layout.components)
    return layout_name(10 if layout.components[0].bits > 8 else 8, subsampling, gray=gray, alpha=alpha)


def alpha_of(picture: av.VideoFrame, bits: int, scaler: VideoReformatter) -> Plane | None:
    """How opaque a picture is, as in Frame; None where its format has no alpha.

    None too where a format that always has alpha (RGB, such as GIF's) is opaque everywhere.
    """
    if picture.format.name in LAYOUTS:
        return planes_of(picture)[-1] if is_transparent(picture.format.name) else None
    if not (picture.format.has_palette or any(component.is_alpha for component in picture.format.components)):
        return None
    deep = picture.format.components[0].bits > 8
    alpha = scaler.reformat(picture, format="rgba64le" if deep else "rgba").to_ndarray()[..., 3]  # (height, width)
    highest = 65535 if deep else 255
    if (alpha == highest).all():
        return None
    kind: Any = np.uint8 if bits == 8 else np.uint16
    codes: Plane = np.rint(alpha * (((1 << bits) - 1) / highest)).astype(kind)
    return codes


def planes_of(picture: av.VideoFrame) -> tuple[Plane, ...]:
    """Views of the planes of a planar picture of 8 to 16 bits, without the padding at the end of each line."""
    kind = np.uint8 if picture.format.components[0].bits <= 8 else np.uint16
    views: list[Any] = []
    for plane in picture.planes:
        buffer: Any = plane
        lines = np.frombuffer(buffer, kind).reshape(plane.height, -1)[:, : plane.width]
        views.append(lines if plane.line_size > 0 else lines[::-1])
    return tuple(views)
