"""Opens images that vidsr decodes itself: what FFmpeg's demuxers take apart, or its decoders lack."""

import importlib
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import Any

import av
from av.container import InputContainer
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.IcnsImagePlugin import IcnsImageFile
from PIL.IcoImagePlugin import IcoImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vidsr.context import Code, Notice
from vidsr.errors import NotAVideo
from vidsr.system import most_pixels
from vidsr.video._compat import DECODER_ERRORS
from vidsr.video.convert.from_av import float_samples
from vidsr.video.convert.heif_boxes import HeifFile
from vidsr.video.convert.image_kind import HEAD, is_animated
from vidsr.video.read.still.heif_image import decode_heif
from vidsr.video.read.still.pillow_image import StoredTiff, UnreadableImage, open_image, pictures_of
from vidsr.video.read.still.samples import Picture, picture_of
from vidsr.video.read.still.tiff_samples import UnsupportedTiff, is_camera_raw, is_deep, read_tiff_samples, tiff_tags

_BY_PILLOW: dict[str, Any] = {"WebP": WebPImageFile, "ICO": IcoImageFile, "ICNS": IcnsImageFile, "APNG": PngImageFile}
_FLOATS = ("OpenEXR", "Radiance HDR", "PFM")
_CONTRADICTIONS = (ArithmeticError, LookupError, TypeError, ValueError, struct.error)  # what damaged headers lead to
RATE = Fraction(25)
"""What FFmpeg assumes for images."""
_OPENEXR = b"\x76\x2f\x31\x01"
_COMPRESSION, _CHANNELS = b"compression\0compression\0\1\0\0\0", b"channels\0chlist\0"  # attributes in its header
_SIZ = b"\xff\x51"  # the marker in JPEG 2000 that states the bits of each component


@dataclass(frozen=True, slots=True)
class Still:
    """An image file, its first picture decoded."""

    kind: str
    """OpenEXR, TIFF, …"""
    data: bytes
    """The whole file."""
    count: int
    """Pictures of the animation; 1 for an image."""
    first: Picture
    rest: Iterator[Picture] = field(repr=False)

    def pictures(self) -> Iterator[Picture]:
        """Yield all pictures, once."""
        return chain([self.first], self.rest)


def open_still(data: bytes, kind: str, title: str) -> Still:
    """Open an image and decode its first picture. Raises NotAVideo with what it is and why it cannot be decoded."""
    try:
        count, pictures = _opened(data, kind)
        first = next(pictures)
    except (UnreadableImage, UnsupportedTiff) as exc:
        raise NotAVideo(f"{title} is an image ({kind}) that cannot be decoded here: {exc}") from exc
    except _CONTRADICTIONS as exc:
        what = "what its header states contradicts itself"
        raise NotAVideo(f"{title} is an image ({kind}) that cannot be decoded: {what}") from exc
    return Still(kind, data, count, first, _named(pictures, title, kind))


def _named(pictures: Iterator[Picture], title: str, kind: str) -> Iterator[Picture]:
    try:
        yield from pictures
    except UnreadableImage as exc:
        raise NotAVideo(f"{title} is an animation ({kind}) that cannot be decoded further: {exc}") from exc


def _opened(data: bytes, kind: str) -> tuple[int, Iterator[Picture]]:
    if kind == "camera raw":
        raise UnreadableImage("develop the camera's raw file with another tool, and give the result")
    if kind in ("AVIF", "HEIF") and not is_animated(data[:HEAD]):
        return 1, iter([_heif(data, kind)])
    readers: dict[str, Callable[[bytes], Picture]] = {
        "TIFF": _tiff, "BigTIFF": _tiff, "JPEG 2000": _jpeg_2000, **dict.fromkeys(_FLOATS, _by_ffmpeg),
    }  # fmt: skip
    if kind in readers:
        return 1, iter([readers[kind](data)])
    image = open_image(data, _BY_PILLOW.get(kind) or (AvifImageFile if kind == "AVIF" else _plugin(kind)))
    return getattr(image, "n_frames", 1) if kind in ("WebP", "AVIF", "APNG") else 1, pictures_of(image)


def _first(data: bytes, reader: Any) -> Picture:
    return next(pictures_of(open_image(data, reader)))


def _plugin(kind: str) -> Any:
    module, plugin, extra = {
        "JPEG XL": ("pillow_jxl", "JXL", "pillow-jxl-plugin"), "HEIF": ("pillow_heif", "HEIF", "'vidsr[heif]'"),
    }[kind]  # fmt: skip
    with suppress(ImportError):
        getattr(importlib.import_module(module), "register_heif_opener", lambda: None)()
    if plugin not in Image.OPEN:
        raise UnreadableImage(f"a library reads it, install it: pip install {extra}")
    return Image.OPEN[plugin][0]


def _heif(data: bytes, kind: str) -> Picture:
    try:
        file = HeifFile(data)
        picture = Picture(decode_heif(file))
    except _CONTRADICTIONS as exc:
        try:
            return _first(data, AvifImageFile if kind == "AVIF" else _plugin(kind))
        except UnreadableImage as other:
            raise UnreadableImage(f"{exc}; {other}") from exc
    others, auxiliary = file.others(), len(file.auxiliaries(file.primary)) - (file.alpha_of(file.primary) is not None)
    if others:
        what = f"{others} more image{'s are' if others > 1 else ' is'} left out: the main one is taken"
        picture.notices += (Notice(what),)
    if auxiliary:
        picture.notices += (Notice("the auxiliary images (depth, gain map or the like) are left out"),)
    return picture


def _tiff(data: bytes) -> Picture:
    try:
        tags = tiff_tags(data)
    except Exception as exc:  # Pillow raises many kinds of errors for damaged files
        raise UnreadableImage(str(exc)) from exc
    if is_camera_raw(tags):
        raise UnreadableImage("develop the camera's raw file with another tool, and give the result")
    try:
        if is_deep(tags):
            return _deep(data, tags)
        return _first(data, StoredTiff)
    except UnreadableImage:
        return _deep(data, tags)  # Pillow does not read a BigTIFF of big-endian order
    except UnsupportedTiff as exc:
        with suppress(UnreadableImage):
            picture = _first(data, StoredTiff)
            what = f"the image is read at 8 bits: {exc} of more bits cannot be read"
            picture.notices += (Notice(what, (Code.PIXEL_FORMAT,)),)
            return picture
        raise


def _deep(data: bytes, tags: dict[int, Any]) -> Picture:
    read = read_tiff_samples(data, tags)
    return picture_of(read.samples, linear=read.is_float, associated=read.has_alpha and read.associated)


def _jpeg_2000(data: bytes) -> Picture:
    image = open_image(data, Jpeg2KImageFile)
    siz = data.find(_SIZ)
    depth = (data[siz + 40] & 127) + 1 if 0 <= siz < len(data) - 40 else 8
    if depth > 8 and image.mode in ("RGB", "RGBA"):  # which Pillow reduces to 8 bits
        with suppress(UnreadableImage):
            return _by_ffmpeg(data)
    return next(pictures_of(image))


def _by_ffmpeg(data: bytes) -> Picture:
    # An image that FFmpeg decodes well; floats are linear light.
    if data.startswith(_OPENEXR) and _is_misread(data):
        raise UnreadableImage("FFmpeg decodes DWA compression wrongly without R, G and B; save it with ZIP or PIZ")
    try:
        options = {"max_pixels": str(most_pixels())}
        with av.open(io.BytesIO(data), "r", options=options) as container:
            av_frame = next(container.decode(video=0))
    except (*DECODER_ERRORS, OSError, StopIteration) as exc:
        raise UnreadableImage(f"FFmpeg says {getattr(exc, 'strerror', None) or exc}") from exc
    samples = float_samples(av_frame)
    if samples is None:
        return Picture(av_frame)
    return picture_of(samples, linear=True, associated=True)


def _is_misread(exr: bytes) -> bool:
    # FFmpeg 8.1 decodes DWAA and DWAB to black or garbage for gray, and for alpha of 32 bits.
    at = exr.find(_COMPRESSION) + len(_COMPRESSION)
    start = exr.find(_CHANNELS) + len(_CHANNELS) + 4
    channels: dict[bytes, int] = {}
    while 0 < start < len(exr) and exr[start]:  # name, type (2: 32-bit float), and 12 bytes more
        end = exr.index(b"\0", start)
        channels[exr[start:end]] = exr[end + 1]
        start = end + 17
    well = channels.keys() >= {b"R", b"G", b"B"} and channels.get(b"A") != 2
    return exr[at : at + 1] in (b"\x08", b"\x09") and not well


def stand_in(still: Still) -> InputContainer:
    """Return a container with one small raw frame, whose stream stands for the image: not with its size."""
    shown = Fraction(still.first.milliseconds).limit_denominator(1000)
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as container:
        stream = container.add_stream("rawvideo", rate=1000 / shown if shown else RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
        for packet in stream.encode(av.VideoFrame(16, 16, "gray")):
            container.mux(packet)
    file.seek(0)
    return av.open(file, "r")
