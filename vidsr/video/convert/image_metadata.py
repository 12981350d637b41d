"""Metadata of image files: colour profile, Exif, dots per inch; read and written with Pillow."""

import io
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

# By the first bytes of a file. Image.open would refuse large images, and try other formats.
_READERS: dict[bytes, Any] = {
    b"\x89PNG": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"RIFF": WebPImageFile,
}
_ORIENTATION, _EXIF, _GPS, _INTEROPERABILITY, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0x8825, 0xA005, 0xA002, 0xA003
# How the samples of a TIFF are stored (TIFF 6.0): size, bits, compression, strips, tiles, …; not true of a new file
_STORAGE = {*range(254, 267), 273, 277, 278, 279, *range(280, 282), 284, 292, 293, 317, 318, 319, 320, *range(322, 326)}
_STORAGE |= {330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 519, 529, 530, 531, 532, 700, 33723, 34377, 34675}
# a, b, c and d of FFmpeg's display matrix, by the orientation of Exif.
_MATRICES = {
    2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}  # fmt: skip
_LONGEST = 65000  # bytes of Exif in a JPEG


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """The metadata of an image file that an upscaled image keeps."""

    profile: bytes | None = None
    """ICC."""
    exif: Image.Exif | None = None
    """Without the tags of the stored samples."""
    dpi: tuple[float, float] | None = None
    display_matrix: tuple[int, ...] = ()
    """How players turn the image upright, from the orientation in its Exif; empty for an upright image."""
    lost: tuple[str, ...] = ()
    """Names of metadata that are not kept."""

    def write(self, image: Image.Image, kind: str, **options: Any) -> tuple[bytes, list[str]]:
        """Return an image file with the metadata, and the names of those that are lost. kind, options: Pillow's."""
        lost = list(self.lost)
        if self.profile is not None and not _suits(self.profile, image, kind):
            lost.append("a colour profile that is not for these colours")
        elif self.profile is not None:
            options["icc_profile"] = self.profile
        if self.exif is not None:
            options["exif"] = _sized(self.exif, image).tobytes()
        if self.dpi is not None and kind != "WEBP":
            options["dpi"] = self.dpi
        for name, what, fits in (
            ("icc_profile", "the colour profile", kind != "BMP"),
            ("exif", "the Exif data", kind != "BMP" and (kind != "JPEG" or len(options.get("exif", b"")) < _LONGEST)),
        ):
            if name in options and not fits:
                del options[name]
                lost.append(what)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue(), lost


def is_srgb(profile: bytes) -> bool:
    """Return whether a colour profile is named sRGB, which is assumed for images without a profile."""
    return any(name in profile for name in (b"sRGB", "sRGB".encode("utf-16-be")))


def lost_in_video(metadata: ImageMetadata) -> str | None:
    """Return a warning about metadata that a video does not keep; None if there are none. Players assume sRGB."""
    named = metadata.profile is not None and not is_srgb(metadata.profile)
    lost = ["colour profile"] * named + ["Exif data"] * (metadata.exif is not None)
    return f"the {' and '.join(lost)} of the image are left out: videos have no place for them" if lost else None


def read_image_metadata(file: bytes | None) -> ImageMetadata:
    """Return the metadata of a PNG, JPEG, TIFF or WebP file; empty for other files."""
    reader = next((reader for begin, reader in _READERS.items() if file and file.startswith(begin)), None)
    if file is None or reader is None:
        return ImageMetadata()
    try:
        with warnings.catch_warnings(action="error"), reader(io.BytesIO(file)) as image:
            return _read(image)
    except Exception:  # Pillow raises many kinds of errors for damaged metadata; the image itself may be whole
        return ImageMetadata(lost=("its damaged metadata",))


def _read(image: Image.Image) -> ImageMetadata:
    given, info, dpi = image.getexif(), image.info, image.info.get("dpi")
    kept = Image.Exif()
    kept.update({tag: value for tag, value in given.items() if tag not in {*_STORAGE, _ORIENTATION, _EXIF, _GPS}})
    for part in (_EXIF, _GPS):
        kept.get_ifd(part).update({t: v for t, v in given.get_ifd(part).items() if t != _INTEROPERABILITY})
    named = any(len(kept.get_ifd(part)) for part in (_EXIF, _GPS)) or len(kept)
    texts = [key for key in getattr(image, "text", {}) if key != "XML:com.adobe.xmp"]
    lost = ["its XMP data"] if "xmp" in info or "XML:com.adobe.xmp" in info or 700 in given else []
    lost += ["its other pages"] if isinstance(image, TiffImageFile) and image.n_frames > 1 else []
    lost += [f"its texts ({', '.join(texts)})"] if texts else []
    return ImageMetadata(
        profile=info.get("icc_profile"),
        exif=kept if named else None,
        dpi=dpi if dpi and min(dpi) > 1 else None,  # 1: not stated
        display_matrix=_matrix(given.get(_ORIENTATION, 1)),
        lost=tuple(lost),
    )


def _matrix(orientation: int) -> tuple[int, ...]:
    if orientation not in _MATRICES:
        return ()
    a, b, c, d = _MATRICES[orientation]
    return a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30


def _suits(profile: bytes, image: Image.Image, kind: str) -> bool:
    # ICC.1:2022, 7.2: the colour space of the data. WebP stores gray as RGB.
    return profile[16:20] == (b"GRAY" if image.mode in ("L", "LA") and kind != "WEBP" else b"RGB ")


def _sized(exif: Image.Exif, image: Image.Image) -> Image.Exif:
    part = exif.get_ifd(_EXIF)
    for tag, side in ((_WIDTH, image.width), (_HEIGHT, image.height)):
        if tag in part:
            part[tag] = side
    return exif
