"""What of a picture cannot be kept, told to the user when the first of its kind comes."""

from collections.abc import Iterator

import av

from vidsr.frames import Notice
from vidsr.video.convert.nv12 import is_surface
from vidsr.video.convert.pixel_formats import LAYOUTS, nearest_layout
from vidsr.video.convert.side_data import side_data

DYNAMIC_HDR = {"DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_PLUS": "HDR10+"}


def remarks_on(picture: av.VideoFrame) -> Iterator[Notice]:
    """A notice for each thing that is lost of a decoded picture."""
    layout = picture.format
    if layout.is_rgb or layout.has_palette:
        if layout.components[0].bits > 10:
            yield Notice(f"{layout.name} is read as 10-bit colour", "layout")
    elif not is_surface(picture) and layout.name not in LAYOUTS and layout.name != "ya8":  # which is gray with alpha
        near = nearest_layout(layout)
        yield Notice(f"{layout.name} is read as {near}, the nearest that can be enlarged", "layout")
    for kind, name in DYNAMIC_HDR.items():
        if side_data(picture, kind) is not None:
            yield Notice(f"{name} metadata are left out: no encoder here takes them", "dynamic HDR")
