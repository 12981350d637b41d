"""Read and write videos frame by frame, with everything else copied on the way."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

from vidsr.color import ColorSpec
from vidsr.context import Context, Notice, log_warning
from vidsr.errors import DataError, WrongOption
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.options import Deinterlace, EncodeOptions, ReadOptions
from vidsr.video.read.source import Source, open_source
from vidsr.video.timing import exact
from vidsr.video.write.sink import Sink, open_sink


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """One stream of an input beside the video."""

    index: int
    kind: str
    """audio, subtitle, video, data or attachment."""
    codec: str
    language: str
    """ISO 639-2; "und" where it is not stated."""


@dataclass(frozen=True, slots=True)
class VideoMetadata:
    """What is known of a video before its first frame; None if the container does not state it."""

    width: int
    height: int
    rate: Fraction | None
    """Frames a second: metadata, never the source of a time."""
    duration: float | None
    """Seconds."""
    frames: int | None
    codec: str
    bits: int
    color: ColorSpec
    streams: tuple[StreamMetadata, ...]
    """The other streams."""


class Video:
    """A video open for reading. Iterate it, or `frames()`, once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._outputs: list[VideoWriter] = []
        self._items: Iterator[Frame | Carried] | None = None

    @property
    def metadata(self) -> VideoMetadata:
        """Size, rate, duration, colour and the other streams."""
        info = self._source.info
        streams = tuple(
            StreamMetadata(
                stream.index,
                stream.type or "data",
                stream.codec_context.name if stream.codec_context is not None else "unknown",
                stream.metadata.get("language", "und"),
            )
            for stream in self._source.copy_info().streams
        )
        duration = None if info.duration is None else float(info.duration)
        return VideoMetadata(
            info.width, info.height, info.rate, duration, info.frames, info.codec, info.bits, info.color, streams
        )

    def frames(self) -> Iterator[Frame]:
        """Decode the frames in order. Packets of other streams go to the outputs made like this video."""
        self._items = self._items or iter(self._source)
        for item in self._items:
            if isinstance(item, Frame):
                yield item
            else:
                for output in self._outputs:
                    output.copy(item)

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def close(self) -> None:
        """Close the file; may be called again."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VideoWriter:
    """A video being written; use as a context manager. It appears under its name when the with-block ends well."""

    def __init__(
        self, target: str | Path | BinaryIO, info: VideoInfo | None, options: EncodeOptions, context: Context
    ) -> None:
        self._target, self._info, self._options, self._context = target, info, options, context
        self._like: Video | None = None
        self._sink: Sink | None = None
        self._stack = ExitStack()

    def write(self, frame: Frame) -> None:
        """Encode a frame; its `pts` and `time_base` say when it is shown. Raises DataError, OutputError."""
        if not isinstance(frame, Frame):
            raise DataError(f"expected a Frame, which has a time; got {type(frame).__name__}")
        if self._sink is None:
            self._open(self._info or _info_of(frame))
        assert self._sink is not None
        self._sink.write(frame)

    def copy(self, item: Carried) -> None:
        """Copy a packet of another stream of the input."""
        if self._sink is not None:
            self._sink.write(item)

    def _open(self, info: VideoInfo) -> None:
        copy = None if self._like is None else self._like._source.copy_info()
        self._sink = self._stack.enter_context(
            open_sink(self._target, info, self._options, copy=copy, context=self._context)
        )

    def __enter__(self) -> Self:
        if self._info is not None:
            self._open(self._info)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]


def open_video(
    name: str | Path | BinaryIO,
    *,
    start: Fraction | float | None = ReadOptions.start,
    duration: Fraction | float | None = ReadOptions.duration,
    fps: Fraction | float | None = ReadOptions.fps,
    deinterlace: Deinterlace = ReadOptions.deinterlace,
    strict: bool = ReadOptions.strict,
    warn: Callable[[Notice], None] = log_warning,
) -> Video:
    """Open a video or an image for reading; use as a context manager.

    name: a path, a network address, `-` for stdin, a binary file, images numbered as `%05d.png`, or a folder of images.
    The options are those of `vidsr.ReadOptions`; start and duration: seconds. warn: called with what cannot be kept.
    Raises InputError.
    """
    options = ReadOptions(
        start=exact(start), duration=exact(duration), fps=exact(fps), deinterlace=deinterlace, strict=strict
    )
    return Video(open_source(name, options, context=Context(warn)))


def create_video(
    target: str | Path | BinaryIO,
    *,
    like: Video | None = None,
    scale: int = 1,
    codec: str = EncodeOptions.codec,
    crf: float = EncodeOptions.crf,
    preset: str = EncodeOptions.preset,
    encoder_options: Mapping[str, str] | None = EncodeOptions.encoder_options,
    format: str | None = EncodeOptions.format,
    overwrite: bool = EncodeOptions.overwrite,
    warn: Callable[[Notice], None] = log_warning,
) -> VideoWriter:
    """Create a video to write frames to; use as a context manager.

    like: an input whose other streams, tags, chapters, colours and timing are copied while its frames are read; create
    the output before reading them. scale: size of the output over that of `like`. Without `like`, the first frame says
    size, colours and time base. The other options are those of `vidsr.EncodeOptions`.
    Raises OutputError, TargetExists, SameFile; WrongOption where frames of `like` were read already.
    """
    options = EncodeOptions(format, codec, float(crf), preset, encoder_options, overwrite)
    if like is None:
        return VideoWriter(target, None, options, Context(warn))
    if like._items is not None:
        raise WrongOption("frames were read already, so their sound would be missing; create the output first")
    info = like._source.info
    large = replace(info, width=info.width * scale, height=info.height * scale)
    writer = VideoWriter(target, large, options, Context(warn))
    writer._like = like
    like._outputs.append(writer)
    return writer


def _info_of(frame: Frame) -> VideoInfo:
    rate = 1 / (frame.duration_ticks * frame.time_base) if frame.duration_ticks else None
    return VideoInfo(
        frame.width, frame.height, frame.bits, frame.color, frame.time_base, rate, None, None,
        gray=len(frame.planes) == 1, alpha=frame.alpha is not None,
    )  # fmt: skip
