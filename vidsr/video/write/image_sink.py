"""One picture into an image file."""

import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidsr.color import BT2020
from vidsr.context import Code, Context, Notice
from vidsr.errors import OutputError, SameFile, StreamBroken, TargetExists
from vidsr.frames import Carried, Frame, bands
from vidsr.io.atomic import TemporaryFolder, sync_folder
from vidsr.io.names import title_of
from vidsr.video.convert.image_metadata import About, about
from vidsr.video.convert.nv12 import planar
from vidsr.video.convert.pixel_formats import layout_name
from vidsr.video.convert.resizer import Resizer
from vidsr.video.convert.side_data import side_data
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import video_tags
from vidsr.video.sequence import Pattern
from vidsr.video.write.stream_copy import describe
from vidsr.video.write.target import Target, cannot_begin

# 4:4:4 and little loss: the picture was enlarged to be looked at closely.
_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95, "method": 4}}
TRANSPARENT = ("PNG", "WEBP", "TIFF")
"""Kinds of image that hold alpha."""


def beside_a_picture(copy: CopyInfo) -> Iterator[Notice]:
    """What an image cannot tell of its film, for the user."""
    for stream in copy.streams:
        yield Notice(f"{describe(stream)} is left out: pictures hold none", (Code.STREAM,), (stream.index,))
    if not copy.info.square:
        shape = f"{copy.info.aspect.numerator}:{copy.info.aspect.denominator}"
        yield Notice(f"pictures cannot tell that these pixels are {shape}: they look squeezed", (Code.ASPECT,))


class StillSink:
    """Writes the one frame it is given with Pillow, upright, and with what its file said beside it."""

    def __init__(self, target: Target, kind: str, about: About, context: Context) -> None:
        self._target, self._kind, self._about, self._context = target, kind, about, context
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
        file = image_file(item, self._kind, self._about, self._context)
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


def image_file(frame: Frame, kind: str, about: About, context: Context) -> bytes:
    """A frame as an image file of a kind (Pillow's name), upright.

    about: the file that the frame came from. notice: takes a sentence for what of it is not kept.
    """
    frame = planar(frame)
    rgb = rgb_of(frame)
    if frame.alpha is not None and kind in TRANSPARENT:
        rgb = np.dstack([rgb, np.rint(frame.alpha * (255 / ((1 << frame.bits) - 1))).astype(np.uint8)])
    elif frame.alpha is not None:
        context.warn(f"the alpha channel is left out: {kind} holds none; .png, .webp and .tif do", Code.ALPHA)
    image = Image.fromarray(upright(frame, rgb) if about.turn is None else rgb)
    if len(frame.planes) == 1:
        image = image.convert("L" if image.mode == "RGB" else "LA")
    if about.turn is not None:
        image = image.transpose(about.turn)
    file, lost = about.write(image, kind, **_OPTIONS.get(kind, {}))
    if lost:
        context.warn(f"the picture loses {' and '.join(lost)}", Code.TAGS)
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
    matrix = side_data(frame.av_frame, "DISPLAYMATRIX")
    if matrix is None:  # PyAV 18 may only know the turn of it
        return np.rot90(rgb, getattr(frame.av_frame, "rotation", 0) // 90)
    across, across_down, _, down_across, down = struct.unpack("<5i", matrix[:20])
    if across_down or down_across:  # x and y change places
        rgb = rgb.transpose(1, 0, 2)  # (width, height, 3)
        across, down = down_across, across_down
    rgb = rgb[:, ::-1] if across < 0 else rgb
    rgb = rgb[::-1] if down < 0 else rgb
    return np.ascontiguousarray(rgb)


_HDR = (16, 18)  # transfer characteristics PQ and HLG (H.273, table 3)
_COLOURS = (
    Code.PIXEL_FORMAT, Code.RANGE, Code.MATRIX, Code.CHROMA_LOCATION, Code.PRIMARIES, Code.TRANSFER, Code.MASTERING,
    Code.DYNAMIC_HDR, Code.ROTATION,
)  # fmt: skip


class NumberedTarget(Target):
    """Files written into a temporary folder, synced and moved to their names at the end.

    A folder that is not there yet appears with all of them in it, at once.
    """

    def __init__(self, pattern: Pattern, title: str, *, overwrite: bool) -> None:
        self.title, self.file = title, None
        self._pattern, self._overwrite = pattern, overwrite
        self._check()
        beside = pattern.file(1) if pattern.folder.is_dir() else pattern.folder
        try:
            self._temporary = TemporaryFolder(beside.parent)
            self._part = self._temporary.path / pattern.folder.name
            self._part.mkdir()
        except OSError as exc:
            raise cannot_begin(beside, exc) from exc

    def write(self, number: int, data: bytes) -> None:
        """Write one picture."""
        try:
            with (self._part / self._pattern.file(number).name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise self.explain(exc) from exc

    def commit(self) -> None:
        """Move the pictures to their names, and remove those of an older sequence."""
        try:
            self._check()
            sync_folder(self._part)
            if self._pattern.folder.is_dir():
                self._move_in()
            else:
                self._part.replace(self._pattern.folder)
        except OutputError:  # something else has got a name
            self.discard()
            raise
        except OSError as exc:
            self.discard()
            raise self.explain(exc) from exc
        self._temporary.remove()
        sync_folder(self._pattern.folder.parent)

    def discard(self) -> None:
        """Remove the temporary folder."""
        self._temporary.remove()

    def _move_in(self) -> None:
        old = set(self._pattern.found().values())
        for file in sorted(self._part.iterdir()):
            final = self._pattern.folder / file.name
            file.replace(final)
            old.discard(final)
        for file in old:
            file.unlink()
        sync_folder(self._pattern.folder)

    def _check(self) -> None:
        if self._pattern.folder.exists() and not self._pattern.folder.is_dir():
            raise OutputError(f"{self._pattern.folder} is a file, not a folder; name another folder for the pictures")
        there = next(iter(self._pattern.found().values()), None)
        if there is not None and not self._overwrite:
            raise TargetExists(f"{there} is there already; pass --overwrite to replace the pictures of {self.title}")


class NumberedSink:
    """Writes each frame into a file of its own, upright; one that was a picture keeps its number and what it said."""

    def __init__(self, target: NumberedTarget, kind: str, copy: CopyInfo | None, context: Context) -> None:
        """kind: Pillow's name of the format."""
        self._target, self._kind, self._context = target, kind, context
        self._given = {} if copy is None else copy.image_files
        self._shift = 1 if copy is None else copy.frame_number(0)
        self._written = 0
        for sentence in _lost(copy) if copy is not None else ():
            context.on_warning(sentence)

    def write(self, item: Frame | Carried) -> None:
        """Write a picture; packets have no place here."""
        if isinstance(item, Carried):
            return
        number = self._shift + (item.pts if self._given else self._written)
        known = about(_read(self._given[number]) if number in self._given else None)
        self._target.write(number, image_file(item, self._kind, known, self._context))
        self._written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._target, exc, written=self._written > 0)


def open_numbered(
    pattern: Pattern, title: str, kind: str, copy: CopyInfo | None, *, overwrite: bool, context: Context
) -> NumberedSink:
    """Begin a sequence. Raises SameFile, StreamBroken, TargetExists or OutputError."""
    if copy is not None and copy.image_files:
        given = {path.resolve() for path in copy.image_files.values()}
        if any(path.resolve() in given for path in pattern.found().values()):
            raise SameFile(f"{title} is the input itself; name another output")
    return NumberedSink(NumberedTarget(pattern, title, overwrite=overwrite), kind, copy, context)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise StreamBroken(f"{title_of(file)} cannot be read any more: {exc.strerror}") from exc


def _lost(copy: CopyInfo) -> Iterator[Notice]:
    for stream in copy.streams:
        yield Notice(f"{describe(stream)} is left out: pictures hold none", (Code.STREAM,), (stream.index,))
    if copy.chapters:
        yield Notice("the chapters are left out: pictures hold none", (Code.CHAPTERS,))
    if copy.image_files:
        return
    tags = video_tags(copy.tags)
    if tags:
        yield Notice(f"the tags of the film ({', '.join(tags)}) are left out: pictures hold none", (Code.TAGS,))
    uneven = ", evenly though they came unevenly" if copy.is_variable() else ""
    yield Notice(
        f"pictures tell no times: they are numbered from 1{uneven}",
        (
            Code.START,
            Code.PTS,
            Code.DURATION,
            Code.DRIFT,
        ),
    )
    color = copy.info.color
    if color.transfer in _HDR or color.primaries == BT2020:
        what = f"primaries {color.primaries}, transfer {color.transfer}"
        yield Notice(f"pictures cannot tell the colours of this film ({what}): they will look wrong", _COLOURS)
    else:
        yield Notice("the pictures are full-range RGB", _COLOURS)
    if not copy.info.square:
        shape = f"{copy.info.aspect.numerator}:{copy.info.aspect.denominator}"
        yield Notice(f"pictures cannot tell that the film's pixels are {shape}: they look squeezed", (Code.ASPECT,))
