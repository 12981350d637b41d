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

from vidsr.errors import Damaged, WrongOption
from vidsr.frames import Carried, Frame, Notice, VideoInfo
from vidsr.io.pipes import Stop
from vidsr.video.convert.deinterlace import Deinterlace, Filter, deinterlaced
from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.image_metadata import about
from vidsr.video.convert.nv12 import is_surface
from vidsr.video.convert.pixel_formats import LAYOUTS, nearest_layout
from vidsr.video.convert.qp import mean_qp
from vidsr.video.convert.scale import FULL, chroma_location_of
from vidsr.video.convert.side_data import NAMED, display_matrix, side_data, without_side_data
from vidsr.video.read.damage import Damage
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.hwdecode import Offload
from vidsr.video.read.image_demuxer import Gallery
from vidsr.video.read.open_input import open_input, title_of
from vidsr.video.read.streams import is_picture, is_timeless, nothing_in, set_up_decoder, video_stream_of
from vidsr.video.sequence import Sequence, sequence_of
from vidsr.video.timing import TICK, Clip, rational
from vidsr.video.write.containers import ATTACHED

_SLOWEST, _FASTEST = Fraction(1, 3600), 1000  # frames a second; encoders cannot count far beyond


def open_source(
    name: str | Path | BinaryIO,
    *,
    format: str | None = None,
    live: bool | None = None,
    start: Fraction | None = None,
    duration: Fraction | None = None,
    source_quality: float | None = None,
    deinterlace: Deinterlace = "frames",
    rate: Fraction | None = None,
    strict: bool = False,
    stop: Stop | None = None,
    gpu: Offload | None = None,
) -> "Source":
    """Open anything FFmpeg reads and decode its first picture; use as a context manager.

    name: a path, a network address, `-` for stdin, or a binary file; pictures numbered as `%05d.png`, or a folder of
    them, are a film. format: FFmpeg's name, where it cannot be guessed.
    live: probe as little as can be; None: for pipes and network addresses. start, duration: seconds, counted from where
    the film begins; what is left starts at 0. source_quality: QP (0 to 51) of every frame; None: as the decoder tells,
    or else an estimate for the codecs of quantiser.ESTIMATED. deinterlace: a frame for each interlaced picture, or for
    each of its fields. rate: frames a second of pictures and raw streams, which tell none; None: 25. strict: let damage
    end the film, here and while it is read. stop: what interrupts a blocked pipe; reads then raise pipes.Stopped.
    gpu: what decodes, where it can and nothing is lost by it.
    Raises StreamBroken, NotAVideo or NoVideoStream, Damaged where strict; ValueError where an option makes no sense
    (WrongOption for a rate where there is one).
    """
    if deinterlace not in get_args(Deinterlace):
        raise ValueError(f"{deinterlace!r} is no way to deinterlace; choose one of {', '.join(get_args(Deinterlace))}")
    if source_quality is not None and not 0 <= source_quality <= 51:
        raise ValueError(f"a source quality is a QP from 0 to 51, not {source_quality}")
    if min(start or 0, duration or 0) < 0:
        raise ValueError("start and duration are seconds, not negative")
    if rate is not None and not _SLOWEST <= rate <= _FASTEST:
        raise WrongOption(f"a rate is from {_SLOWEST} to {_FASTEST} frames a second, not {rate}")
    pictures = sequence_of(name)
    if strict and pictures and pictures.notice:
        raise Damaged(f"{pictures.notice} without --strict")
    first = name if pictures is None else pictures.files[pictures.first]
    opened = open_input(first, format=format, live=live, stop=stop)
    try:
        if rate is not None and not (pictures or is_timeless(opened.container)):
            raise WrongOption(
                f"{opened.title} tells its own times; a rate is for pictures and raw streams, which do not"
            )
        return Source(
            opened.container, name, Clip(start, duration), live=opened.live, source_quality=source_quality,
            deinterlace=deinterlace, rate=rate, strict=strict, pictures=pictures, gpu=gpu,
        )  # fmt: skip
    except BaseException:
        opened.container.close()
        raise


class Source:
    """Frames of the film and packets of everything else, in the order of the file. Iterate once."""

    info: VideoInfo
    notices: list[str]
    """Sentences for the user: what cannot be kept as it is. Complete once opened, but for damage."""

    def __init__(
        self,
        container: Any,
        name: object,
        clip: Clip,
        *,
        live: bool = False,
        source_quality: float | None = None,
        deinterlace: Deinterlace = "frames",
        rate: Fraction | None = None,
        strict: bool = False,
        pictures: Sequence | None = None,
        gpu: Offload | None = None,
    ) -> None:
        self.container, self.name, self.live = container, name, live
        title = self.title = title_of(name)
        self.notices = []
        self.stream = video_stream_of(container, title)
        set_up_decoder(self.stream)
        self.pictures = pictures
        """The files that are the film, where it is none itself."""
        told = self.notices.append
        if gpu is not None and strict:
            if gpu.always:
                told("with --strict the CPU decodes, which tells of damage as GPUs do not")
            gpu = None
        self._demuxer = (
            Demuxer(
                container, self.stream, clip, title=title, live=live, rate=rate, strict=strict, gpu=gpu, notice=told
            )
            if pictures is None
            else Gallery(container, self.stream, clip, title=title, rate=rate, strict=strict, pictures=pictures)
        )
        self.notices += [pictures.notice] if pictures and pictures.notice else []
        self._deinterlace: Deinterlace = deinterlace
        self._time_base = self._demuxer.time_base / (2 if deinterlace == "fields" else 1)
        self._interlaced = False
        self._framer = Framer(
            self._demuxer, time_base=self._time_base, source_quality=source_quality, notice=self.notices.append,
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
            rewind = live and container.format.name.startswith("mov")
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
        self.notices.append(notice)

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
        source_quality: float | None,
        notice: Callable[[Notice], None],
        semiplanar: bool = False,
    ) -> None:
        """time_base: of the pictures' time stamps. source_quality: QP of every frame; None: as the decoder tells.

        semiplanar: see `frame_of`.
        """
        self._semiplanar = semiplanar
        self._demuxer, self._time_base, self._quality, self._notice = demuxer, time_base, source_quality, notice
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
                self._notice(notice)
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
            yield Notice(f"{layout.name} is read as 10-bit colour", "layout")
    elif not is_surface(picture) and layout.name not in LAYOUTS and layout.name != "ya8":  # which is gray with alpha
        near = nearest_layout(layout)
        yield Notice(f"{layout.name} is read as {near}, the nearest that can be enlarged", "layout")
    for kind, name in DYNAMIC_HDR.items():
        if side_data(picture, kind) is not None:
            yield Notice(f"{name} metadata are left out: no encoder here takes them", "dynamic HDR")
