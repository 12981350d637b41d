"""PNG and TIFF files of 16 bits a sample, which Pillow writes for gray alone."""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from vidsr.video.convert.png_chunks import with_chunks

Samples = NDArray[np.uint16]
"""(height, width, channels): gray or RGB, and alpha."""
_PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type, by the number of channels
_INCH = 0.0254  # metres
_SUB_DIRECTORIES = (0x8769, 0x8825)  # Exif, GPS


def save_deep(samples: Samples, kind: str, **options: Any) -> bytes:
    """Return samples as a file. kind: of `image_kind.DEEP`. options: as Pillow's: icc_profile, exif, dpi."""
    return _png(samples, **options) if kind == "PNG" else _tiff(samples, **options)


def _png(
    samples: Samples, *, icc_profile: bytes = b"", exif: bytes = b"", dpi: tuple[float, float] | None = None
) -> bytes:
    height, width, count = samples.shape
    lines = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, 1 + lines.shape[1]), np.uint8)
    filtered[:, 0] = 1  # the filter of every line, Sub: the difference from the pixel before
    filtered[:, 1:] = lines
    filtered[:, 1 + 2 * count :] -= lines[:, : -2 * count]
    chunks = {}
    if icc_profile:
        chunks[b"iCCP"] = b"ICC Profile\0\0" + zlib.compress(icc_profile)
    if dpi:
        chunks[b"pHYs"] = struct.pack(">IIB", *(round(value / _INCH) for value in dpi), 1)
    if exif:
        chunks[b"eXIf"] = exif.removeprefix(b"Exif\0\0")
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_TYPES[count], 0, 0, 0)
    empty = with_chunks(b"\x89PNG\r\n\x1a\n", {b"IHDR": header})
    return with_chunks(empty, chunks | {b"IDAT": zlib.compress(filtered.tobytes()), b"IEND": b""})


def _tiff(
    samples: Samples,
    *,
    icc_profile: bytes = b"",
    exif: Image.Exif | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    height, width, count = samples.shape
    differences = samples.astype("<u2")
    differences[:, 1:] -= samples[:, :-1]
    content = zlib.compress(differences.tobytes())
    directory: Any = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    values: dict[int, Any] = {
        256: width, 257: height, 258: (16,) * count, 259: 8, 262: 2 if count > 2 else 1, 273: 0, 277: count,
        278: height, 279: len(content), 317: 2,
    }  # fmt: skip
    values |= {338: 2} if count in (2, 4) else {}  # the last channel is alpha, and colours are not multiplied by it
    values |= {282: dpi[0], 283: dpi[1], 296: 2} if dpi else {}
    if exif is not None:
        values = {tag: value for tag, value in exif.items() if tag not in _SUB_DIRECTORIES} | values
        values |= {part: dict(found) for part in _SUB_DIRECTORIES if (found := exif.get_ifd(part))}
    for tag, value in values.items():
        directory[tag] = value
    if icc_profile:
        directory.tagtype[34675] = 7  # bytes
        directory[34675] = icc_profile
    written: bytes = directory.tobytes(8)
    return b"II*\0\x08\0\0\0" + written + content  # Pillow counts the offset of data from there
