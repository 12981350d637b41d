"""One picture into an image file."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidsr.errors import OutputError
from vidsr.frames import Carried, Frame, Notice, bands
from vidsr.video.convert.image_metadata import About
from vidsr.video.convert.nv12 import planar
from vidsr.video.convert.pixel_formats import layout_name
from vidsr.video.convert.resizer import Resizer
from vidsr.video.convert.side_data import side_data
from vidsr.video.read.source import Source
from vidsr.video.write.stream_copy import describe
from vidsr.video.write.target import Target

# 4:4:4 and little loss: the picture was enlarged to be looked at closely.
_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95, "method": 4}}
TRANSPARENT = ("PNG", "WEBP", "TIFF")
"""Kinds of image that hold alpha."""


def beside_a_picture(source: Source) -> Iterator[Notice]:
    """What an image cannot tell of its film, for the user."""
    for stream in source.streams:
        yield Notice(f"{describe(stream)} is left out: pictures hold none", f"stream {stream.index}")
    if not source.info.square:
        shape = f"{source.info.aspect.numerator}:{source.info.aspect.denominator}"
        yield Notice(f"pictures cannot tell that these pixels are {shape}: they look squeezed", "aspect")


class StillSink:
    """Writes the one frame it is given with Pillow, upright, and with what its file said beside it."""

    def __init__(self, target: Target, kind: str, about: About, notice: Callable[[str], None]) -> None:
        self._target, self._kind, self._about, self._notice = target, kind, about, notice
        self._full = False

    def write(self, item: Frame | Carried) -> None:
        """Write the picture. Raises OutputError for a second one."""
        if isinstance(item, Carried):
            return
        if self._full:
            raise OutputError(
                f"{self._target.title} holds one picture and the input is a film; "
                "name a film format, as .mp4, or numbered pictures, as %05d.png"
            )
        self._full = True
        file = image_file(item, self._kind, self._about, self._notice)
        try:
            self._target.file.write(file)
        except OSError as exc:
            raise self._target.explain(exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._target, exc, written=self._full)


def end(target: Target, exc: BaseException | None, *, written: bool) -> None:
    """Make what was written final, or leave nothing. Raises OutputError where there was no picture."""
    if exc is None and written:
        target.commit()
        return
    target.discard()
    if exc is None:
        raise OutputError(f"{target.title}: there was no picture to write")


def image_file(frame: Frame, kind: str, about: About, notice: Callable[[str], None]) -> bytes:
    """A frame as an image file of a kind (Pillow's name), upright.

    about: the file that the frame came from. notice: takes a sentence for what of it is not kept.
    """
    frame = planar(frame)
    rgb = rgb_of(frame)
    if frame.alpha is not None and kind in TRANSPARENT:
        rgb = np.dstack([rgb, np.rint(frame.alpha * (255 / ((1 << frame.bits) - 1))).astype(np.uint8)])
    elif frame.alpha is not None:
        notice(Notice(f"the alpha channel is left out: {kind} holds none; .png, .webp and .tif do", "alpha"))
    image = Image.fromarray(upright(frame, rgb) if about.turn is None else rgb)
    if len(frame.planes) == 1:
        image = image.convert("L" if image.mode == "RGB" else "LA")
    if about.turn is not None:
        image = image.transpose(about.turn)
    file, lost = about.write(image, kind, **_OPTIONS.get(kind, {}))
    if lost:
        notice(Notice(f"the picture loses {' and '.join(lost)}", "tags"))
    return file


def rgb_of(frame: Frame) -> NDArray[np.uint8]:
    """A frame as RGB: (height, width, 3) uint8; chroma interpolated by its siting where it is subsampled."""
    if frame.color.subsampling != (0, 0) and len(frame.planes) > 1:
        whole = layout_name(frame.bits, (0, 0), gray=False)
        frame = Resizer("bicubic").convert(frame, frame.width, frame.height, whole)
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    for lines in bands(frame.height):
        band = replace(frame, planes=tuple(plane[lines] for plane in frame.planes))
        rgb[lines] = np.rint(band.to_rgb() * 255)
    return rgb


def upright(frame: Frame, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn and mirror the pixels as the frame's display matrix (a camera's Exif orientation) says."""
    matrix = side_data(frame.carrier, "DISPLAYMATRIX")
    if matrix is None:  # PyAV 18 may only know the turn of it
        return np.rot90(rgb, getattr(frame.carrier, "rotation", 0) // 90)
    across, across_down, _, down_across, down = struct.unpack("<5i", matrix[:20])
    if across_down or down_across:  # x and y change places
        rgb = rgb.transpose(1, 0, 2)  # (width, height, 3)
        across, down = down_across, across_down
    rgb = rgb[:, ::-1] if across < 0 else rgb
    rgb = rgb[::-1] if down < 0 else rgb
    return np.ascontiguousarray(rgb)
