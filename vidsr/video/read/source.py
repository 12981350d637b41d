"""A film or picture as a stream of frames, and of packets that nobody opens."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, get_args

import av
from av.video.reformatter import VideoReformatter

from vidsr.context import Code, Context, Notice
from vidsr.errors import Damaged, WrongOption
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.io.names import title_of
from vidsr.options import Deinterlace, ReadOptions
from vidsr.video.convert.deinterlace import Filter, deinterlaced
from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.image_metadata import about
from vidsr.video.convert.nv12 import is_surface
from vidsr.video.convert.pixel_formats import LAYOUTS, nearest_layout
from vidsr.video.convert.qp import mean_qp
from vidsr.video.convert.scale import FULL, chroma_location_of
from vidsr.video.convert.side_data import NAMED, display_matrix, side_data, without_side_data
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.damage import Damage
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.hwdecode import Offload
from vidsr.video.read.image_demuxer import Gallery
from vidsr.video.read.open_input import Opened, open_input
from vidsr.video.read.streams import is_picture, is_timeless, nothing_in, set_up_decoder, video_stream_of
from vidsr.video.sequence import Sequence, sequence_of
from vidsr.video.timing import TICK, Clip, rational

_SLOWEST, _FASTEST = Fraction(1, 3600), 1000  # frames a second; encoders cannot count far beyond


def open_source(
    name: str | Path | BinaryIO,
    options: ReadOptions | None = None,
    *,
    context: Context | None = None,
    gpu: Offload | None = None,
) -> "Source":
    """Open anything FFmpeg reads and decode its first frame; use as a context manager.

    name: a path, a network address, `-` for stdin, or a binary file; images numbered as `%05d.png`, or a folder of
    them, are a video. context: its `stop` interrupts a blocked pipe; reads then raise Stopped. gpu: decodes, if it can
    and nothing is lost by it.
    With `start` or `duration`, the output starts at 0. With `strict`, damage ends reading, here and later.
    Raises StreamBroken, NotAVideo, NoVideoStream, Damaged if strict; ValueError for options that make no sense
    (WrongOption for a frame rate where the input has one).
    """
    options, context = options or ReadOptions(), context or Context()
    _check(options)
    pictures = sequence_of(name)
    if options.strict and pictures and pictures.notice:
        raise Damaged(f"{pictures.notice} without --strict")
    first = name if pictures is None else pictures.files[pictures.first]
    opened = open_input(first, format=options.input_format, live=options.live, stop=context.stop)
    try:
        if options.fps is not None and not (pictures or is_timeless(opened.container)):
            raise WrongOption(
                f"{opened.title} has time stamps; a frame rate is for image sequences and raw streams, which have none"
            )
        return Source(opened, name, options, context, pictures=pictures, gpu=gpu)
    except BaseException:
        opened.container.close()
        raise


def _check(options: ReadOptions) -> None:
    if options.deinterlace not in get_args(Deinterlace):
        known = ", ".join(get_args(Deinterlace))
        raise ValueError(f"expected a way to deinterlace such as {known}; got {options.deinterlace!r}")
    if options.source_qp is not None and not 0 <= options.source_qp <= 51:
        raise ValueError(f"expected a QP from 0 to 51 for the source; got {options.source_qp}")
    if min(options.start or 0, options.duration or 0) < 0:
        raise ValueError("expected seconds from 0 up for start and duration; got a negative number")
    if options.fps is not None and not _SLOWEST <= options.fps <= _FASTEST:
        raise WrongOption(f"expected a rate from {_SLOWEST} to {_FASTEST} frames a second; got {options.fps}")


class Source:
    """Frames of the film and packets of everything else, in the order of the file. Iterate once."""

    info: VideoInfo

    def __init__(
        self,
        opened: Opened,
        name: object,
        options: ReadOptions,
        context: Context,
        *,
        pictures: Sequence | None = None,
        gpu: Offload | None = None,
    ) -> None:
        container = opened.container
        self.container, self.name, self.live, self._context = container, name, opened.live, context
        title = self.title = title_of(name)
        clip = Clip(options.start, options.duration)
        self.stream = video_stream_of(container, title)
        set_up_decoder(self.stream)
        self.pictures = pictures
        """The files that are the video, where it is none itself."""
        if gpu is not None and options.strict:
            if gpu.always:
                context.warn("with --strict the CPU decodes, which tells of damage as GPUs do not")
            gpu = None
        live, rate, strict = self.live, options.fps, options.strict
        self._demuxer = (
            Demuxer(
                container, self.stream, clip, title=title, live=live, rate=rate, strict=strict, gpu=gpu, context=context
            )
            if pictures is None
            else Gallery(
                container, self.stream, clip, title=title, rate=rate, strict=strict, pictures=pictures, context=context
            )
        )
        if pictures and pictures.notice:
            context.warn(pictures.notice)
        self._deinterlace: Deinterlace = options.deinterlace
        self._time_base = self._demuxer.time_base / (2 if options.deinterlace == "fields" else 1)
        self._interlaced = False
        self._framer = Framer(
            self._demuxer, time_base=self._time_base, source_qp=options.source_qp, on_warning=context.on_warning,
            semiplanar=gpu is not None and gpu.keeps,
        )  # fmt: skip
        self._stream_of_items = self._items()
        early = []
        for item in self._stream_of_items:
            early.append(item)
            if isinstance(item, Frame):
                break
        first = next((item for item in early if isinstance(item, Frame)), None)
        if first is None:
            if self._demuxer.starved is not None:
                raise self._demuxer.starved
            rewind = self.live and container.format.name.startswith("mov")
            raise nothing_in(title, clip, rewind=rewind, sized=self.stream.codec_context.width > 0)
        self.first: Frame = first
        still = pictures is None and is_picture(container) and not self._more(early)
        self._early = early
        self.info = self._describe(self.first, still)

    @property
    def damage(self) -> Damage:
        """What was damaged so far; complete once iterated."""
        return self._demuxer.damage

    @property
    def image(self) -> bytes | None:
        """The image file; of several the first; None of a film that is none of pictures."""
        return self._demuxer.image if self.pictures is None else self.pictures.files[self.pictures.first].read_bytes()

    @property
    def streams(self) -> list[Any]:
        """The streams whose packets come as Carried, and the attachments, which have none."""
        return [stream for stream in self.container.streams if stream.index != self.stream.index]

    @property
    def cover_art(self) -> dict[int, bytes]:
        """Cover art by the index of its stream; it comes before the first frame."""
        carried = (item for item in self._early if isinstance(item, Carried))
        return {item.stream: bytes(item.packet) for item in carried if item.packet.stream.disposition & ATTACHED}

    @cached_property
    def variable(self) -> bool:
        """Whether the gaps between frames differ, as far as the file tells without reading it all."""
        return self._demuxer.variable()

    def number_of(self, pts: int) -> int:
        """The number of the picture shown at that time, in ticks; of a film that is none of pictures, from 1."""
        if self.pictures is None:
            return 1 + pts
        return self.pictures.first + pts - round(self._demuxer.clip.shift / self._time_base)

    @cached_property
    def turn(self) -> tuple[int, ...]:
        """The display matrix by which players are to turn or mirror the pictures; empty where they lie as shown."""
        matrix = display_matrix(self.first.av_frame)
        return about(self.image).matrix if matrix is None else matrix  # PyAV 18 does not know all of an image's Exif

    def spoilt(self, packet: Any) -> None:
        """Count a carried packet that no output takes. Raises Damaged where strict."""
        time = (packet.pts or 0) * (rational(packet.time_base) or TICK) - self._demuxer.clip.shift
        self._demuxer.note("lost_packets", round(time / self._demuxer.time_base))

    def chapters(self) -> list[dict[str, Any]]:
        """The chapters, cut to what is read."""
        return self._demuxer.clip.chapters(self.container.chapters())

    def copy_info(self) -> CopyInfo:
        """Return what an output copies from this input, which must stay open until the output is closed."""
        return CopyInfo(
            name=self.name,
            info=self.info,
            first=self.first,
            video_stream=self.stream,
            streams=tuple(self.streams),
            cover_art=self.cover_art,
            tags=dict(self.container.metadata),
            chapters=tuple(self.chapters()),
            display_matrix=self.turn,
            image=self.image,
            image_files=self.pictures.files if self.pictures else {},
            is_variable=lambda: self.variable,
            frame_number=self.number_of,
            lost_packet=self.spoilt,
        )

    def carried(self) -> Iterator[Carried]:
        """Everything but the film, which is decoded no further; instead of iterating."""
        self._demuxer.decoding = False
        return (item for item in self if isinstance(item, Carried))

    def __iter__(self) -> Iterator[Frame | Carried]:
        early, self._early = self._early, []
        return chain(early, self._stream_of_items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; safe to call again."""
        with suppress(ValueError):  # a generator that another thread is just running cannot be closed
            self._stream_of_items.close()
        self.container.close()

    def _items(self) -> Generator[Frame | Carried]:
        pictures = deinterlaced(self._demuxer.items(), self._deinterlace, found=self._found_fields)
        yield from self._framer.frames(pictures)

    def _found_fields(self, notice: Notice) -> None:
        self._interlaced = True
        self._context.on_warning(notice)

    def _more(self, early: list[Frame | Carried]) -> bool:
        # Whether an image file holds a second picture.
        for item in self._stream_of_items:
            early.append(item)
            if isinstance(item, Frame):
                return True
        return False

    def _describe(self, first: Frame, still: bool) -> VideoInfo:
        stream = self.stream
        rate = self._demuxer.rate or rational(stream.average_rate) or rational(stream.guessed_rate)
        seconds = self._demuxer.seconds()
        frames = round(seconds * rate) if seconds and rate else None
        if self._demuxer.clip.whole:
            frames = stream.frames or frames if self.pictures is None else len(self.pictures.files)
        if self._interlaced and self._deinterlace == "fields":
            rate, frames = rate and 2 * rate, frames and 2 * frames
        return VideoInfo(
            width=first.width,
            height=first.height,
            bits=first.bits,
            color=first.color,
            time_base=self._time_base,
            rate=rate,
            frames=1 if still else frames,
            duration=None if still else seconds,
            aspect=rational(stream.sample_aspect_ratio) or Fraction(1),
            gray=len(first.planes) == 1,
            alpha=first.alpha is not None,
            codec=stream.codec_context.name,
            still=still,
        )


_STUDIO = ("h264", "hevc", "vvc", "av1")  # codecs by whose rules untagged material has limited range
_SILENT = ("hevc", "vvc")  # whose 4:2:2 sits on the left; their decoders tell where chroma sits of 4:2:0 only
_PATIENCE = 3  # pictures of a new size in a row before damaged input is believed to have changed it


class Framer:
    """Makes Frames of the pictures of one film. Not for two threads at once."""

    def __init__(
        self,
        demuxer: Demuxer,
        *,
        time_base: Fraction,
        source_qp: float | None,
        on_warning: Callable[[Notice], None],
        semiplanar: bool = False,
    ) -> None:
        """time_base: of the pictures' time stamps. source_qp: QP of every frame; None: as the decoder tells.

        semiplanar: see `frame_of`.
        """
        self._semiplanar = semiplanar
        self._demuxer, self._time_base, self._quality, self._on_warning = demuxer, time_base, source_qp, on_warning
        self._scaler = VideoReformatter()
        self._left = Filter("setparams", chroma_location="left")
        self._chroma_location: Any = None
        self._layout = ""
        self._before: Frame | None = None

    def frames(self, items: Iterable[av.VideoFrame | Carried]) -> Iterator[Frame | Carried]:
        """Frames instead of pictures; those of damaged input that claim another size for a moment are lost."""
        odd: list[Frame] = []  # pictures of another size, held until they are believed
        size: tuple[int, int] | None = None
        for item in items:
            if isinstance(item, Carried):
                yield item
                continue
            frame = self._frame(item)
            here = (frame.width, frame.height)
            if size in (None, here) or not self._demuxer.damage.total or len(odd) + 1 >= _PATIENCE:
                yield from odd
                yield frame
                size, odd = here, []
            elif odd and (odd[-1].width, odd[-1].height) != here:
                self._lose(odd)
                odd = [frame]
            else:
                odd.append(frame)
        self._lose(odd)

    def _lose(self, frames: list[Frame]) -> None:
        for frame in frames:
            time = frame.pts * frame.time_base - self._demuxer.clip.shift
            self._demuxer.note("lost_frames", round(time / self._demuxer.time_base))

    def _frame(self, picture: av.VideoFrame) -> Frame:
        codec, kind = self._demuxer.codec, picture.sw_format or picture.format
        layout = kind.name
        if codec in NAMED:
            picture = without_side_data(picture)
        if codec in _SILENT and layout.startswith("yuv422"):
            picture = self._left(picture)  # else swscale would take it for centred
        if not picture.color_range and len(kind.components) < 3 and codec not in _STUDIO:
            picture.color_range = FULL  # gray, untagged: a photo's
        if layout != self._layout:
            self._layout, self._chroma_location = layout, None if picture.format.is_rgb else chroma_location_of(picture)
            for notice in remarks_on(picture):
                self._on_warning(notice)
        qp = mean_qp(picture) if self._quality is None else self._quality
        if qp is None:
            qp = self._demuxer.estimator.value
        frame = frame_of(
            picture, chroma_location=self._chroma_location, qp=qp, scaler=self._scaler, semiplanar=self._semiplanar
        )
        before, self._before = self._before, replace(frame, time_base=self._time_base)
        if before is not None and before.qp != qp and frame.shows(before):
            self._before = replace(self._before, qp=before.qp)
        return self._before


DYNAMIC_HDR = {"DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_PLUS": "HDR10+"}


def remarks_on(picture: av.VideoFrame) -> Iterator[Notice]:
    """A notice for each thing that is lost of a decoded picture."""
    layout = picture.format
    if layout.is_rgb or layout.has_palette:
        if layout.components[0].bits > 10:
            yield Notice(f"{layout.name} is read as 10-bit colour", (Code.PIXEL_FORMAT,))
    elif not is_surface(picture) and layout.name not in LAYOUTS and layout.name != "ya8":  # which is gray with alpha
        near = nearest_layout(layout)
        yield Notice(f"{layout.name} is read as {near}, the nearest that can be enlarged", (Code.PIXEL_FORMAT,))
    for kind, name in DYNAMIC_HDR.items():
        if side_data(picture, kind) is not None:
            yield Notice(f"{name} metadata are left out: no encoder here takes them", (Code.DYNAMIC_HDR,))
