"""Photos as arrays: whatever depth, colours, transparency and orientation their files have."""

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

Picture = NDArray[np.uint8]

MOST_PIXELS = 400_000_000  # twice what the largest sensors of phones give; more is a mistake, or meant to do harm
LARGE = 40_000_000  # pixels: two of these at once, decoded and copied, are all the memory that should be taken
BAND = 128  # lines converted at a time, so that no second copy of a large photo is held
BACKDROP = 128  # mid grey: what shows through where a picture is transparent
_ORIENTATION = 0x0112  # the Exif tag


def read_photo(path: Path, *, channels: int) -> Picture:
    """Read a photo upright: (height, width, channels) uint8.

    channels: 1 for BT.601 luma of limited range, rounded; 3 for RGB. 16-bit gray is rounded to 8; 16-bit RGB is cut to
    its upper byte, as Pillow has it. Where a picture is transparent, mid grey shows through.
    Raises DataError, also for files that are cut off: no half of a picture is made up.
    """
    from PIL import Image

    try:
        with _as_large_as_it_is(), Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                limit = f"more than {MOST_PIXELS // 10**6} million"
                raise DataError(f"{path} has {image.width}x{image.height} pixels, {limit}; cut it into pieces")
            image.load()
            picture, orientation = _levels(image, path, channels), image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error) as exc:
        if isinstance(exc, DataError):
            raise
        raise DataError(f"{path} cannot be read as a picture ({exc})") from exc
    return _upright(picture, orientation)


def is_large(path: Path) -> bool:
    """Whether a photo, by its header, has more than LARGE pixels; what cannot be read has none."""
    from PIL import Image

    try:
        with _as_large_as_it_is(), Image.open(path) as image:
            return image.width * image.height > LARGE
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error):
        return False  # reading it will tell why


@contextmanager
def _as_large_as_it_is() -> Iterator[None]:
    """Lift Pillow's limit of size, since ours stands above, and quieten it about broken Exif: pixels come or raise."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _levels(image: Any, path: Path, channels: int) -> Picture:
    """(height, width, channels) uint8 of an image of Pillow's, as it lies in the file."""
    if image.mode in ("I", "F"):
        raise DataError(f"{path} has samples of 32 bits, which do not say what white is; convert it to 16 bits")
    picture = np.empty((image.height, image.width, channels), np.uint8)
    for top in range(0, image.height, BAND):
        rgb = _rgb(image.crop((0, top, image.width, min(top + BAND, image.height))))
        picture[top : top + BAND] = rgb if channels == 3 else np.rint(luma_of_rgb(rgb))[..., None]
    return picture


def _rgb(image: Any) -> Picture:
    """(height, width, 3) uint8."""
    if image.mode.startswith("I;16"):
        grey = np.rint(np.asarray(image) / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    rgba = np.asarray(image.convert("RGBA")).astype(np.uint32)
    alpha = rgba[..., 3:]
    return ((rgba[..., :3] * alpha + BACKDROP * (255 - alpha) + 127) // 255).astype(np.uint8)


def _upright(picture: Picture, orientation: int) -> Picture:
    """Turn and mirror as Exif's orientation, 1 to 8, says: 5 to 8 lie on their side, and the others may be mirrored."""
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
