"""Photos as arrays, for any depth, colours, transparency and orientation that image files have."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import DataError
from vidsr.metrics import luma_of_rgb

Image = NDArray[np.uint8]
"""(height, width) or (height, width, channels)."""

MOST_PIXELS = 400_000_000  # twice what the largest sensors of phones give; more is a mistake or an attack
LARGE = 40_000_000  # pixels: two such photos at once, decoded and copied, are as much memory as should be used
BAND = 128  # lines converted at a time, so that a large image is not copied as floats
BACKDROP = 128  # the middle gray behind transparent images
_ORIENTATION = 0x0112  # the Exif tag
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)  # raised by Pillow


def read_photo(path: Path, *, channels: int) -> Image:
    """Read a photo in its upright orientation: (height, width, channels) uint8.

    channels: 1 for limited-range BT.601 luma, rounded; 3 for RGB. 16-bit gray is rounded to 8 bits, 16-bit RGB is
    truncated, as Pillow reads it. Transparent images are put on middle gray.
    Raises DataError if the file cannot be read to its end or has more than MOST_PIXELS.
    """
    try:
        with _open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                limit = f"more than {MOST_PIXELS // 10**6} million"
                raise DataError(f"{path} has {image.width}x{image.height} pixels, {limit}; cut it into pieces")
            if image.mode in ("I", "F"):
                raise DataError(f"{path} has 32-bit samples, whose value of white is unknown; convert it to 16 bits")
            image.load()
            array, orientation = _to_array(image, channels), image.getexif().get(_ORIENTATION, 1)
    except _UNREADABLE as exc:
        if isinstance(exc, DataError):
            raise
        raise DataError(f"{path} cannot be read as an image ({exc})") from exc
    return _upright(array, orientation)


def is_large(path: Path) -> bool:
    """Return whether a photo has more than LARGE pixels by its header; False if it cannot be read."""
    try:
        with _open(path) as image:
            return bool(image.width * image.height > LARGE)
    except _UNREADABLE:
        return False


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open an image without Pillow's limit of size, since MOST_PIXELS is the limit, and without its warnings."""
    import PIL.Image

    limit = PIL.Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        PIL.Image.MAX_IMAGE_PIXELS = None
        try:
            with PIL.Image.open(path) as image:
                yield image
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


def _to_array(image: Any, channels: int) -> Image:
    array = np.empty((image.height, image.width, channels), np.uint8)
    for top in range(0, image.height, BAND):
        rgb = _to_rgb(image.crop((0, top, image.width, min(top + BAND, image.height))))
        array[top : top + BAND] = rgb if channels == 3 else np.rint(luma_of_rgb(rgb))[..., None]
    return array


def _to_rgb(image: Any) -> Image:
    if image.mode.startswith("I;16"):
        gray = np.rint(np.asarray(image) / 257).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    rgba = np.asarray(image.convert("RGBA")).astype(np.uint32)
    alpha = rgba[..., 3:]
    return ((rgba[..., :3] * alpha + BACKDROP * (255 - alpha) + 127) // 255).astype(np.uint8)


def _upright(image: Image, orientation: int) -> Image:
    """Rotate and mirror as Exif's orientation, 1 to 8, requires."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
