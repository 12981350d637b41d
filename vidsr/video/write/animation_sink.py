"""Frames written as an animated image with Pillow: GIF, APNG, WebP."""

from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from vidsr.context import Code, Context, Notice
from vidsr.errors import OutputError
from vidsr.frames import Carried, Frame
from vidsr.video.convert.image_kind import is_animation
from vidsr.video.convert.image_metadata import ImageMetadata
from vidsr.video.copy_info import CopyInfo
from vidsr.video.write.image_sink import OPTIONS, finish, image_of
from vidsr.video.write.target import Target

ANIMATIONS = ("GIF", "WEBP", "APNG")
"""Names of formats that are written as animations, as in `containers.IMAGES`."""
_TICKS = {"GIF": 100, "PNG": 1000, "WEBP": 1000}
"""A second in the unit of durations."""
_MOST_BYTES = 2 << 30
_USUAL = Fraction(1, 25)  # seconds that a frame without a duration is shown
_TRANSPARENT = 255


def is_animated_output(format: str, copy: CopyInfo | None) -> bool:
    """Return whether a video is written as an animation: also to .png, if it comes from an animated image."""
    from_image = copy is not None and copy.image is not None and not copy.image_files and is_animation(copy.image)
    return format in ANIMATIONS or (format == "PNG" and from_image)


class AnimationSink:
    """Collects all frames, and writes them as an animation; a single frame as an image."""

    def __init__(self, target: Target, format: str, metadata: ImageMetadata, context: Context) -> None:
        """format: as in `containers.IMAGES`."""
        self._target, self._format = target, "PNG" if format == "APNG" else format
        self._metadata, self._context = metadata, context
        self.piped = target.piped
        self._images: list[Image.Image] = []
        self._starts: list[Fraction] = []
        self._end = Fraction(0)
        self._frame: Frame | None = None
        self._repeated = self._bytes = 0

    def write(self, item: Frame | Carried) -> None:
        """Take a frame; packets are ignored. Raises OutputError if all frames together become too large."""
        if isinstance(item, Carried):
            return
        image = image_of(item, self._format, self._metadata, self._context)
        image = _with_palette(image) if self._format == "GIF" else image
        start = item.pts * item.time_base
        self._end = start + (item.duration_ticks * item.time_base or _USUAL)
        if self._images and _is_same(image, self._images[-1]):
            self._repeated += 1
            return
        self._bytes += image.width * image.height * len(image.getbands())
        if self._bytes > _MOST_BYTES:
            raise OutputError(
                f"{self._target.title} would be larger than memory allows, as all frames of an animation are encoded "
                "together; write a video, such as .mp4 or .webm"
            )
        self._frame = self._frame or item
        self._images.append(image)
        self._starts.append(start)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None and self._frame is not None:
            try:
                self._target.file.write(self._encoded(self._frame))
            except OSError as failure:
                self._target.discard()
                raise self._target.explain(failure) from failure
            except BaseException:
                self._target.discard()
                raise
        finish(self._target, exc, written=bool(self._images))

    def _encoded(self, frame: Frame) -> bytes:
        options: dict[str, Any] = dict(OPTIONS.get(self._format, {}))
        if len(self._images) > 1:
            options |= {"save_all": True, "append_images": self._images[1:], "duration": self._durations()}
            options |= self._repeats()
        if self._format == "GIF":
            options |= {"optimize": False, "disposal": 2 if any("transparency" in i.info for i in self._images) else 1}
        content, lost = self._metadata.write(self._images[0], self._format, frame.color, **options)
        if lost:
            what = f"the animation loses {' and '.join(lost)}"
            self._context.on_warning(Notice(what, (Code.TAGS,), tags=tuple(lost.values())))
        if self._repeated:
            what = f"{self._repeated} repeated frames are shown as one, for longer"
            self._context.warn(what, Code.FRAMES, Code.PTS, Code.DURATION)
        return content

    def _durations(self) -> list[int]:
        # Milliseconds, as Pillow takes them: the times of the frames are rounded, so that errors do not add up.
        second = _TICKS[self._format]
        ends = [round((time - self._starts[0]) * second) for time in (*self._starts[1:], self._end)]
        return [(end - start) * 1000 // second for start, end in zip([0, *ends], ends, strict=False)]

    def _repeats(self) -> dict[str, int]:
        plays = self._metadata.plays
        if self._format != "GIF":
            return {"loop": plays}
        return {} if plays == 1 else {"loop": max(plays - 1, 0)}  # a GIF states how often it is repeated


def _with_palette(image: Image.Image) -> Image.Image:
    # The image with 255 colours, dithered, and one for what is more than half transparent.
    if image.mode in ("L", "LA"):
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    rgb = image.convert("RGB")
    colors = rgb.quantize(255, method=Image.Quantize.MEDIANCUT)
    indices = np.asarray(rgb.quantize(palette=colors, dither=Image.Dither.FLOYDSTEINBERG)).copy()
    clear = np.asarray(image)[..., 3] < 128 if image.mode == "RGBA" else np.zeros(indices.shape, bool)
    indices[clear] = _TRANSPARENT
    result = Image.fromarray(indices)
    result.putpalette((colors.getpalette() or [])[: 3 * _TRANSPARENT])
    if clear.any():
        result.info["transparency"] = _TRANSPARENT
    return result


def _is_same(image: Image.Image, other: Image.Image) -> bool:
    return (image.info, image.tobytes(), image.getpalette()) == (other.info, other.tobytes(), other.getpalette())
