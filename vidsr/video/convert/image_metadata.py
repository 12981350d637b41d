"""Metadata of image files: colour profile, Exif, dots per inch; read and written with Pillow."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vidsr.color import ColorSpec
from vidsr.context import Code, Notice
from vidsr.video.convert.deep_images import Samples, save_deep
from vidsr.video.convert.image_kind import HEAD, is_heif
from vidsr.video.convert.png_chunks import cicp, color_chunks, is_as_srgb, is_plain, named, with_chunks

PROFILE, EXIF, COLORS = "colour profile", "Exif", "primaries and transfer"
"""What reports call the metadata of images; an Exif tag is "Exif 271"."""
# By the first bytes of a file. Image.open would refuse large images, and try other formats.
_READERS: dict[bytes, Any] = {
    b"\x89PNG": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,
    b"RIFF": WebPImageFile,
    b"GIF8": GifImageFile,
}
_ORIENTATION, _EXIF, _GPS, _INTEROPERABILITY, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0x8825, 0xA005, 0xA002, 0xA003
_ACROSS, _DOWN, _UNIT, _PROFILE, _INCHES = 282, 283, 296, 34675, {2: 1.0, 3: 2.54}  # dots per inch of each unit
# How the samples of a TIFF are stored (TIFF 6.0): size, bits, compression, strips, tiles, …; not true of a new file
_STORAGE = {*range(254, 267), 273, 277, 278, 279, *range(280, 282), 284, 292, 293, 317, 318, 319, 320, *range(322, 326)}
_STORAGE |= {330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 519, 529, 530, 531, 532, 700, 33723, 34377, 34675}
# a, b, c and d of FFmpeg's display matrix, by the orientation of Exif.
_MATRICES = {
    2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}  # fmt: skip
_WITH_DPI = ("PNG", "JPEG", "TIFF", "BMP")
_WITHOUT_METADATA = ("BMP", "GIF")
_JPEG_LS = b"\xff\xd8\xff\xf7"  # which Pillow does not know
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
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
    comment: bytes = b""
    """Of a GIF or a JPEG."""
    plays: int = 0
    """How often an animation is played; 0: for ever."""
    chunks: Mapping[bytes, bytes] = field(default_factory=dict)
    """Of a PNG: those that state its colours."""

    def write(
        self,
        image: Image.Image,
        kind: str,
        color: ColorSpec | None = None,
        *,
        deep: Samples | None = None,
        **options: Any,
    ) -> tuple[bytes, dict[str, str]]:
        """Return an image file with the metadata, and those that are lost: how a sentence names them, and reports.

        kind, options: Pillow's. color: of the image, where its primaries and transfer are to be stated.
        deep: samples to be written instead of the image's.
        """
        lost = dict.fromkeys(self.lost, "")
        if self.comment and kind in ("JPEG", "GIF"):
            options["comment"] = self.comment
        elif self.comment:
            lost["its comment"] = "comment"
        if self.profile is not None and not _suits(self.profile, image, kind):
            lost["a colour profile that is not for these colours"] = PROFILE
        elif self.profile is not None:
            options["icc_profile"] = self.profile
        if self.exif is not None:
            sized = _sized(self.exif, image)
            options["exif"] = _for_tiff(sized) if kind == "TIFF" else sized.tobytes()
        if self.dpi is not None and kind in _WITH_DPI:
            options["dpi"] = self.dpi
        for name, what, key, fits in (
            ("icc_profile", "the colour profile", PROFILE, kind not in _WITHOUT_METADATA),
            (
                "exif",
                "the Exif data",
                EXIF,
                kind not in _WITHOUT_METADATA and (kind != "JPEG" or len(options.get("exif", b"")) < _LONGEST),
            ),
        ):
            if name in options and not fits:
                del options[name]
                lost[what] = key
        chunks = dict(self.chunks) or (cicp(color) if color and "icc_profile" not in options else {})
        stated = not is_plain(chunks) or (color is not None and not is_as_srgb(color) and "icc_profile" not in options)
        if kind != "PNG" and stated:
            lost[f"its colours ({named(color)}), so that it will look wrong" if color else "its gamma"] = COLORS
        if deep is not None:
            content = save_deep(deep, kind, **options)
        else:
            buffer = io.BytesIO()
            image.save(buffer, kind, **options)
            content = buffer.getvalue()
        return with_chunks(content, chunks) if kind == "PNG" else content, lost


def is_srgb(profile: bytes) -> bool:
    """Return whether a colour profile is named sRGB, which is assumed for images without a profile."""
    return any(name in profile for name in (b"sRGB", "sRGB".encode("utf-16-be")))


def lost_in_video(metadata: ImageMetadata) -> Notice | None:
    """Return a warning about metadata that a video does not keep; None if there are none. Players assume sRGB."""
    has_profile = metadata.profile is not None and not is_srgb(metadata.profile)
    lost = {"colour profile": PROFILE} if has_profile else {}
    lost |= {"Exif data": EXIF} if metadata.exif is not None else {}
    what = f"the {' and '.join(lost)} of the image are left out: videos have no place for them"
    return Notice(what, (Code.TAGS,), tags=tuple(lost.values())) if lost else None


def read_image_metadata(file: bytes | None) -> ImageMetadata:
    """Return the metadata of a PNG, JPEG, JPEG 2000, TIFF, WebP, GIF or HEIF file; empty for other files."""
    if file and is_heif(file[:HEAD]):
        return _read_heif(file)
    if file and file.startswith(_JP2):
        return ImageMetadata(profile=_profile_of_jp2(file))
    reader = next((reader for begin, reader in _READERS.items() if file and file.startswith(begin)), None)
    if file is None or reader is None or file.startswith(_JPEG_LS):
        return ImageMetadata()
    try:
        with warnings.catch_warnings(action="error"):
            try:
                with reader(io.BytesIO(file)) as image:
                    read = _read(image)
            except SyntaxError:  # a damaged header, or samples that Pillow does not know, such as RGB of floats
                if reader is not TiffImageFile:
                    raise
                read = _read_tiff(file)
        return replace(read, chunks=color_chunks(file)) if reader is PngImageFile else read
    except Exception:  # Pillow raises many kinds of errors for damaged metadata; the image itself may be whole
        return ImageMetadata(lost=("its damaged metadata",))


def _read_tiff(file: bytes) -> ImageMetadata:
    # By the tags alone.
    tags: Any = ImageFileDirectory_v2(file[:8])
    stream = io.BytesIO(file)
    stream.seek(tags.next)
    tags.load(stream)
    image = Image.new("L", (1, 1))
    image.info["exif"] = file
    if _PROFILE in tags:
        image.info["icc_profile"] = tags[_PROFILE]
    if _ACROSS in tags and tags.get(_UNIT, 2) in _INCHES:
        image.info["dpi"] = tuple(float(tags[tag]) * _INCHES[tags.get(_UNIT, 2)] for tag in (_ACROSS, _DOWN))
    read = _read(image)
    return replace(read, lost=(*read.lost, "its other pages")) if tags.next else read


def _read(image: Image.Image) -> ImageMetadata:
    given, info, dpi = image.getexif(), image.info, image.info.get("dpi")
    kept = Image.Exif()
    kept.update({tag: _raw(value) for tag, value in given.items() if tag not in {*_STORAGE, _ORIENTATION, _EXIF, _GPS}})
    for part in (_EXIF, _GPS):
        kept.get_ifd(part).update({t: _raw(v) for t, v in given.get_ifd(part).items() if t != _INTEROPERABILITY})
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
        comment=comment if isinstance(comment := info.get("comment", b""), bytes) else b"",
        plays=_plays(image),
    )


def _raw(value: Any) -> Any:
    # Pillow reads text as Latin-1, but would write ? for what is not ASCII.
    return value.encode("latin-1", "replace") if isinstance(value, str) and not value.isascii() else value


def _for_tiff(exif: Image.Exif) -> Image.Exif:
    # As Pillow would load it, but with text that is not ASCII as it is.
    loaded = Image.Exif()
    loaded.load(exif.tobytes())
    for part, target in ((exif, loaded), (exif.get_ifd(_EXIF), loaded.get_ifd(_EXIF))):
        target.update({tag: value for tag, value in part.items() if isinstance(value, bytes)})
    return loaded


def _plays(image: Image.Image) -> int:
    # A GIF states how often it is repeated; one that does not is played once.
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else loop and loop + 1
    return int(loop or 0)


def _profile_of_jp2(file: bytes) -> bytes | None:
    # ISO/IEC 15444-1, I.5.3.3: a colour specification box of method 2 (or 3, in JPX) holds a profile.
    header = file[: max(file.find(b"jp2c"), 0)]
    at = max(header.find(b"colr\2"), header.find(b"colr\3"))
    return header[at + 7 : at - 4 + int.from_bytes(header[at - 4 : at], "big")] if at > 0 else None


def _read_heif(data: bytes) -> ImageMetadata:
    from vidsr.video.convert.heif_boxes import HeifFile

    try:
        file = HeifFile(data)
        exif, lost = file.described_by("Exif"), file.described_by("mime", "application/rdf+xml") is not None
        colors = [c for item in (file.primary, *file.parts_of(file.primary)) for c in file.properties_of(item, "colr")]
        profile = next((color[4:] for color in colors if color[:4] in (b"prof", b"rICC")), None)
        image = Image.new("L", (1, 1))
        if exif is not None:
            start = 4 + int.from_bytes(exif[:4], "big")
            image.info["exif"] = b"Exif\0\0" + exif[start:].removeprefix(b"Exif\0\0")
        read = _read(image)
    except Exception:  # as in `read_image_metadata`
        return ImageMetadata(lost=("its damaged metadata",))
    return replace(
        read, profile=profile, display_matrix=_matrix(_turned(file.transforms(file.primary))),
        lost=("its XMP data",) * lost,
    )  # fmt: skip


def _turned(transforms: list[tuple[str, int]]) -> int:
    # The orientation of Exif that does the same as rotations and mirrors of HEIF; its own Exif is not to be applied.
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    shown = stored
    for kind, value in transforms:
        shown = np.rot90(shown, value) if kind == "irot" else shown[:, ::-1] if value else shown[::-1]
    return next((o for o in _MATRICES if np.array_equal(rotated(stored, _matrix(o)), shown)), 1)


def rotated(pixels: NDArray[Any], matrix: tuple[int, ...]) -> NDArray[Any]:
    """Rotate and mirror pixels (height, width, …) by FFmpeg's display matrix."""
    a, b, _, c, d = matrix[:5]
    if b or c:  # x and y are exchanged
        pixels = pixels.swapaxes(0, 1)
        a, d = c, b
    pixels = pixels[:, ::-1] if a < 0 else pixels
    pixels = pixels[::-1] if d < 0 else pixels
    return np.ascontiguousarray(pixels)


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
