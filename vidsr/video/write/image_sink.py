"""Frames written as images with Pillow: one image, or a numbered sequence."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidsr.context import Code, Context, Notice
from vidsr.errors import OutputError, SameFile, StreamBroken, TargetExists
from vidsr.frames import Carried, Frame, bands
from vidsr.io.atomic import TemporaryFolder, sync_folder
from vidsr.io.names import title_of
from vidsr.video.convert.deep_images import Samples
from vidsr.video.convert.image_kind import DEEP
from vidsr.video.convert.image_metadata import ImageMetadata, read_image_metadata, rotated
from vidsr.video.convert.nv12 import planar
from vidsr.video.convert.pixel_formats import pixel_format_name
from vidsr.video.convert.resizer import Resizer
from vidsr.video.convert.side_data import display_matrix
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import video_tags
from vidsr.video.sequence import Pattern
from vidsr.video.write.copy.containers import describe
from vidsr.video.write.target import Target, cannot_create

# 4:4:4 and little loss: upscaled images are looked at closely.
OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95, "method": 4}}
"""Pillow's options of each format."""
_WITH_ALPHA = ("PNG", "WEBP", "TIFF", "GIF")
_COLOR_CODES = (
    Code.PIXEL_FORMAT, Code.RANGE, Code.MATRIX, Code.CHROMA_LOCATION, Code.PRIMARIES, Code.TRANSFER, Code.MASTERING,
    Code.DYNAMIC_HDR, Code.ROTATION,
)  # fmt: skip


def image_losses(copy: CopyInfo, format: str, *, is_sequence: bool, animated: bool, deep: bool) -> Iterator[Notice]:
    """Give a warning for each property of the input that images cannot store.

    format: Pillow's name. animated: whether it is an animation. deep: whether they have 16 bits.
    """
    pixel_format = copy.video_stream.codec_context.format
    if not deep and pixel_format is not None and pixel_format.components[0].bits > 8:
        yield Notice("images are written at 8 bits per channel; .png and .tif hold 16", (Code.PIXEL_FORMAT,))
    for stream in copy.streams:
        what = f"{describe(stream)} is left out: images cannot hold it"
        yield Notice(what, (Code.STREAM,), (stream.index,))
    if copy.chapters and (is_sequence or animated):
        yield Notice("the chapters are left out: images cannot store them", (Code.CHAPTERS,))
    tags = [tag for tag in video_tags(copy.tags) if not (tag.lower() == "comment" and format == "GIF")]
    if tags and not copy.image_files:
        yield Notice(
            f"tags are left out, because images cannot store them: {', '.join(tags)}", (Code.TAGS,), tags=tuple(tags)
        )
    if is_sequence and not copy.image_files:
        spacing = ", whatever the time between them" if copy.is_variable() else ""
        what = f"images store no timestamps: frames are numbered from 1{spacing}"
        yield Notice(what, (Code.START, Code.PTS, Code.DURATION, Code.DRIFT))
        yield Notice("the images are full-range RGB", _COLOR_CODES)
    if format == "GIF" and copy.info.alpha:
        what = "pixels of a GIF are transparent or opaque, nothing between"
        yield Notice(what, (Code.ALPHA, Code.PICTURE))
    if animated:
        colors, times = ("256 colours a frame", "hundredths") if format == "GIF" else ("RGB of 8 bits", "thousandths")
        what = f"the animation has {colors}, and times in {times} of a second"
        codes = [*_COLOR_CODES, Code.START, Code.PTS, Code.DURATION, Code.DRIFT]
        yield Notice(what, tuple(codes))
    if not copy.info.square and not copy.image_files:
        ratio = f"{copy.info.aspect.numerator}:{copy.info.aspect.denominator}"
        yield Notice(f"images cannot store the sample aspect ratio {ratio}: they will look squeezed", (Code.ASPECT,))


class ImageSink:
    """Writes one frame as an image, upright, with the metadata of the image that it came from."""

    def __init__(
        self, target: Target, format: str, metadata: ImageMetadata, context: Context, *, deep: bool = False
    ) -> None:
        """format: Pillow's name. deep: see `is_deep`."""
        self._deep = deep
        self._target, self._format, self._metadata, self._context = target, format, metadata, context
        self.piped = target.piped
        self._written = False

    def write(self, item: Frame | Carried) -> None:
        """Write the frame. Raises OutputError for a second one."""
        if isinstance(item, Carried):
            return
        if self._written:
            raise OutputError(
                f"{self._target.title} can hold one image, and the input is a video; name a video such as out.mp4, "
                "or numbered images, as %05d.png"
            )
        self._written = True
        content = encode_image(item, self._format, self._metadata, self._context, deep=self._deep)
        try:
            self._target.file.write(content)
        except OSError as exc:
            raise self._target.explain(exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        finish(self._target, exc, written=self._written)


def finish(target: Target, exc: BaseException | None, *, written: bool) -> None:
    """Commit the target, or discard it after an exception. Raises OutputError if nothing was written."""
    if exc is None and written:
        target.commit()
        return
    target.discard()
    if exc is None:
        raise OutputError(f"{target.title} was not written: the input has no frames")


def is_deep(format: str, copy: CopyInfo | None) -> bool:
    """Return whether images are written with 16 bits: the input has more than 8, and the format holds them."""
    # RGB of 8 bits becomes frames of 10 bits.
    return format in DEEP and copy is not None and (copy.info.bits > 10 or (copy.info.bits > 8 and not copy.info.rgb))


def encode_image(frame: Frame, format: str, metadata: ImageMetadata, context: Context, *, deep: bool = False) -> bytes:
    """Return a frame as an image file, upright; warn of what is not kept.

    format: Pillow's name. metadata: of the file that the frame came from. deep: see `is_deep`.
    """
    image = image_of(frame, format, metadata, context)
    samples = deep_samples(frame, metadata) if deep else None
    content, lost = metadata.write(image, format, frame.color, deep=samples, **OPTIONS.get(format, {}))
    if lost:
        what = f"the image loses {' and '.join(lost)}"
        context.on_warning(Notice(what, (Code.TAGS,), tags=tuple(lost.values())))
    return content


def image_of(frame: Frame, format: str, metadata: ImageMetadata, context: Context) -> Image.Image:
    """Return a frame as a Pillow image, upright: L, LA, RGB or RGBA. Parameters as for `encode_image`."""
    if frame.alpha is not None and format not in _WITH_ALPHA:
        context.warn(f"the alpha channel is left out: {format} cannot store it; use .png, .webp or .tif", Code.ALPHA)
        frame = replace(frame, alpha=None)
    image = Image.fromarray(_upright(frame, metadata, np.uint8))
    if len(frame.planes) == 1:
        image = image.convert("L" if image.mode == "RGB" else "LA")
    return image


def deep_samples(frame: Frame, metadata: ImageMetadata) -> Samples:
    """Return a frame, upright, as samples of 16 bits."""
    samples = _upright(frame, metadata, np.uint16)
    return samples[..., 2:] if len(frame.planes) == 1 else samples  # gray, and alpha


def _upright(frame: Frame, metadata: ImageMetadata, dtype: Any) -> NDArray[Any]:
    # (height, width, 3 or 4), RGB and alpha.
    frame = planar(frame)
    rgb = rgb_of(frame, dtype)
    if frame.alpha is not None:
        top = np.iinfo(dtype).max / ((1 << frame.bits) - 1)
        rgb = np.dstack([rgb, np.rint(frame.alpha * top).astype(dtype)])
    matrix = metadata.display_matrix or display_matrix(frame.av_frame)
    if matrix is None:  # PyAV 18 may know the rotation only
        rgb = np.rot90(rgb, getattr(frame.av_frame, "rotation", 0) // 90)
    return rotated(rgb, matrix) if matrix else np.ascontiguousarray(rgb)


def rgb_of(frame: Frame, dtype: Any = np.uint8) -> NDArray[Any]:
    """Return a frame as RGB: (height, width, 3) uint8, with chroma interpolated from where its samples are.

    dtype: uint16 for all 16 bits.
    """
    if frame.color.subsampling != (0, 0) and len(frame.planes) > 1:
        pixel_format = pixel_format_name(frame.bits, (0, 0), gray=False)
        frame = Resizer("bicubic").convert(frame, frame.width, frame.height, pixel_format)
    rgb = np.empty((frame.height, frame.width, 3), dtype)
    for lines in bands(frame.height):
        band = replace(frame, planes=tuple(plane[lines] for plane in frame.planes))
        rgb[lines] = np.rint(band.to_rgb() * np.iinfo(dtype).max)
    return rgb


class SequenceTarget(Target):
    """Numbered files that are written into a temporary folder, then synced and moved to their names.

    A folder that does not exist yet appears complete.
    """

    def __init__(self, pattern: Pattern, title: str, *, overwrite: bool) -> None:
        """Create the temporary folder. Raises TargetExists or OutputError."""
        self.title, self.file = title, None
        self._pattern, self._overwrite = pattern, overwrite
        self._check()
        beside = pattern.file(1) if pattern.folder.is_dir() else pattern.folder
        try:
            self._temporary = TemporaryFolder(beside.parent)
        except OSError as exc:
            raise cannot_create(beside, exc) from exc
        self._images = self._temporary.path / "images"
        try:
            self._images.mkdir()
        except OSError as exc:
            self.discard()
            raise cannot_create(beside, exc) from exc

    def write(self, number: int, content: bytes) -> None:
        """Write one image."""
        try:
            with (self._images / self._pattern.file(number).name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise self.explain(exc) from exc

    def commit(self) -> None:
        """Move the images to their names, and remove those of an older sequence."""
        try:
            self._check()
            sync_folder(self._images)
            if self._pattern.folder.is_dir():
                self._move_into_folder()
            else:
                self._images.replace(self._pattern.folder)
        except OutputError:  # raised by the check: something else has taken a name
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

    def _move_into_folder(self) -> None:
        old = set(self._pattern.find().values())
        for file in sorted(self._images.iterdir()):
            final = self._pattern.folder / file.name
            file.replace(final)
            old.discard(final)
        for file in old:
            file.unlink()
        sync_folder(self._pattern.folder)

    def _check(self) -> None:
        folder = title_of(self._pattern.folder)
        if self._pattern.folder.exists() and not self._pattern.folder.is_dir():
            raise OutputError(f"{folder} is a file, not a folder; name another folder for the images")
        existing = next(iter(self._pattern.find().values()), None)
        if existing is not None and not self._overwrite:
            raise TargetExists(
                f"{title_of(existing)} exists already; pass --overwrite to replace the images of {self.title}"
            )


class SequenceSink:
    """Writes each frame as a numbered image, upright; the images of a sequence keep their numbers and metadata."""

    def __init__(self, target: SequenceTarget, format: str, copy: CopyInfo | None, context: Context) -> None:
        """format: Pillow's name."""
        self._target, self._format, self._context = target, format, context
        self.piped = target.piped
        self._sources: Mapping[int, Path] = {} if copy is None else copy.image_files
        self._first = 1 if copy is None else copy.frame_number(0)
        self._written = 0
        self._deep = is_deep(format, copy)

    def write(self, item: Frame | Carried) -> None:
        """Write an image; packets are ignored."""
        if isinstance(item, Carried):
            return
        number = self._first + (item.pts if self._sources else self._written)
        metadata = read_image_metadata(_read(self._sources[number]) if number in self._sources else None)
        self._target.write(number, encode_image(item, self._format, metadata, self._context, deep=self._deep))
        self._written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        finish(self._target, exc, written=self._written > 0)


def open_sequence(
    pattern: Pattern, title: str, format: str, copy: CopyInfo | None, *, overwrite: bool, context: Context
) -> SequenceSink:
    """Open a sequence of images. Raises SameFile, TargetExists or OutputError.

    title: how messages name it. format: Pillow's name.
    """
    if copy is not None and copy.image_files:
        sources = {path.resolve() for path in copy.image_files.values()}
        if any(path.resolve() in sources for path in pattern.find().values()):
            raise SameFile(f"{title} is the input itself; name another output")
    return SequenceSink(SequenceTarget(pattern, title, overwrite=overwrite), format, copy, context)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise StreamBroken(f"{title_of(file)} can no longer be read: {exc.strerror}") from exc
