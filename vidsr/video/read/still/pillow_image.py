"""Images read by Pillow: formats and variants that FFmpeg reads wrongly, or not at all."""

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from vidsr.context import Code, Notice
from vidsr.system import fits
from vidsr.video.convert.image_metadata import PROFILE
from vidsr.video.read.still.samples import Picture, packed, picture_of

_PACKED = {"L": "gray", "LA": "ya8", "RGB": "rgb24", "RGBA": "rgba"}
_GRAY_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_INKS = ("CMYK", "LAB", "YCbCr")


class StoredTiff(TiffImageFile):
    """A TIFF with its pixels as they are stored: Pillow would turn it upright, which the display matrix states."""

    def load_end(self) -> None:
        """Take the size of the pixels."""
        self._size = self.im.size


class UnreadableImage(ValueError):
    """Pillow cannot decode it; says why."""


def open_image(data: bytes, reader: Any) -> Image.Image:
    """Open an image. reader: one of Pillow's classes: Image.open would try other formats and refuse large images.

    Raises UnreadableImage.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            image: Image.Image = reader(io.BytesIO(data))
    except Exception as exc:  # Pillow raises many kinds of errors for damaged files
        raise UnreadableImage(str(exc) or type(exc).__name__) from exc
    if not fits(*image.size):
        raise UnreadableImage(f"it has {image.width}x{image.height} pixels, which do not fit into memory here")
    return image


def pictures_of(image: Image.Image) -> Iterator[Picture]:
    """Yield every picture of an animation, or the image. Raises UnreadableImage for what cannot be decoded."""
    animated = image.format in ("WEBP", "AVIF", "GIF", "PNG")
    first = 1 if getattr(image, "default_image", False) else 0  # of a PNG, for who shows no animations
    for index in range(first, getattr(image, "n_frames", 1) if animated else 1):
        try:
            with warnings.catch_warnings(action="ignore"):
                image.seek(index)
                image.load()
                picture = _picture(image)
        except UnreadableImage:
            raise
        except Exception as exc:
            raise UnreadableImage(str(exc) or type(exc).__name__) from exc
        picture.milliseconds = float(image.info.get("duration", 0) or 0)
        yield picture


def _picture(image: Image.Image) -> Picture:
    if image.mode in _GRAY_16 or image.mode == "I":
        return _gray_16(image)
    if image.mode == "F":
        return picture_of(np.asarray(image)[..., None], linear=True, associated=False)
    if image.mode in _INKS:
        return _converted(image)
    mode = _mode_of(image)
    if image.mode != mode:
        image = image.convert(mode)
    return Picture(packed(np.asarray(image), _PACKED[mode]))


def _mode_of(image: Image.Image) -> str:
    if image.mode in ("1", "L", "LA", "La"):
        return "LA" if image.has_transparency_data else "L"
    return "RGBA" if image.has_transparency_data else "RGB"


def _gray_16(image: Image.Image) -> Picture:
    codes = np.asarray(image)
    if codes.min() < 0 or codes.max() > 65535:
        raise UnreadableImage("its samples have 32 bits")
    return Picture(packed(codes.astype("<u2"), "gray16le"))


def _converted(image: Image.Image) -> Picture:
    # CMYK and CIELAB, by their colour profile if there is one.
    profile, what = image.info.get("icc_profile"), f"{image.mode} is converted to sRGB"
    notice = Notice(what, (Code.TAGS,), tags=(PROFILE,))
    target = ImageCms.createProfile("sRGB")
    source: Any = io.BytesIO(profile) if profile else ImageCms.createProfile("LAB") if image.mode == "LAB" else None
    result: Image.Image | None = None
    if source is not None:
        try:
            result = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except ImageCms.PyCMSError:  # a profile for other colours
            result = None
    return Picture(packed(np.asarray(result or image.convert("RGB")), "rgb24"), notices=(notice,))
