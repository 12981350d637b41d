"""What a decoder hands out beside a picture: captions, mastering data, the display matrix, quantisers."""

from typing import Any

import av
from av.sidedata.sidedata import Type


def side_data(picture: Any, name: str) -> bytes | None:
    """The bytes of one kind of side data, by the name of FFmpeg's enum; None where the picture has none."""
    if not isinstance(picture, av.VideoFrame):
        return None
    try:
        entries: Any = picture.side_data
        # PyAV 18 iterates the entries, PyAV 19 their keys.
        each = [entries[key] if isinstance(key, Type) else key for key in entries]
    except ValueError:  # PyAV 18 gives none at all where one is of a kind it does not know (a photo's Exif)
        return None
    return next((bytes(entry) for entry in each if entry.type.name == name), None)
