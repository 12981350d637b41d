"""A video or image as a stream of frames, and of the packets of its other streams."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Self, get_args

import av
from av.container import InputContainer

from vidsr.context import Code, Context
from vidsr.errors import Damaged, WrongOption
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.io.names import is_address, is_file, title_of
from vidsr.options import Deinterlace, ReadOptions
from vidsr.video._compat import CRASHING_SIDE_DATA, rational, without_side_data
from vidsr.video.convert.deinterlace import Deinterlacer
from vidsr.video.convert.side_data import display_matrix
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.damage import Damage, DamageLog
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.description import Cropping, Description, describe_input, languages_of
from vidsr.video.read.framer import Framer, FrameTimes
from vidsr.video.read.hwdecode import Offload, gpu_decoder
from vidsr.video.read.image_demuxer import ImageDemuxer
from vidsr.video.read.open_input import OpenedInput, open_input
from vidsr.video.read.probing import StreamWatch
from vidsr.video.read.streams import (
    alpha_decoder,
    check_encryption,
    is_image_format,
    lacks_timestamps,
    no_frame_error,
    select_video_stream,
    set_up_decoder,
)
from vidsr.video.read.timestamps import origin_of
from vidsr.video.sequence import ImageSequence, sequence_of
from vidsr.video.timing import MICROSECOND, TimeRange

_SLOWEST, _FASTEST = Fraction(1, 3600), 1000  # frames per second; encoders cannot count far beyond
_DEFAULT_RATE = Fraction(25)
_MOST_AHEAD = 8 << 20  # bytes of packets that may pass a frame whose duration is not known


def open_source(
    name: str | Path | BinaryIO,
    options: ReadOptions | None = None,
    *,
    context: Context | None = None,
    gpu: Offload | None = None,
    deep: bool = False,
) -> "Source":
    """Open anything FFmpeg reads and decode its first frame; use as a context manager.

    name: a path, a network address, `-` for stdin, or a binary file; images numbered as `%05d.png`, or a folder of
    them, are a video. context: its `stop` interrupts a blocked pipe; reads then raise Stopped. gpu: decodes, if it can
    and nothing is lost by it. deep: RGB and gray of more than 8 bits become frames of 16 bits, which images hold.
    With `start` or `duration`, the output starts at 0. With `strict`, damage ends reading, here and later.
    Raises StreamBroken, NotAVideo, NoVideoStream, Damaged if strict; ValueError for options that make no sense
    (WrongOption for a frame rate if the input has time stamps).
    """
    return Source.open(name, options or ReadOptions(), context, gpu, deep)


@dataclass(eq=False)
class Source:
    """Frames of a video and packets of its other streams, in the order of the file. Iterate once.

    A packet may come before the frames that it follows, by as many frames as the stages of reading hold back.
    """

    name: object
    info: VideoInfo
    first: Frame
    stream: av.VideoStream
    """The stream that is decoded."""
    sequence: ImageSequence | None
    """The files of an image sequence."""
    _description: Description = field(repr=False)
    _opened: OpenedInput = field(repr=False)
    _demuxer: Demuxer = field(repr=False)
    _early: list[Frame | Carried] = field(repr=False)
    _items: Generator[Frame | Carried] = field(repr=False)

    @classmethod
    def open(
        cls, name: Any, options: ReadOptions, context: Context | None, gpu: Offload | None, deep: bool = False
    ) -> Self:
        """Open an input; see `open_source`."""
        _check(options)
        stop, context = (None, Context()) if context is None else (context.stop, context)
        sequence = sequence_of(name)
        if sequence and sequence.missing:
            if options.strict:
                raise Damaged(f"{sequence.missing} without --strict")
            context.warn(sequence.missing)
        if sequence and sequence.left_out:
            context.warn(sequence.left_out)
        if gpu is not None and options.strict:
            if gpu.always:
                context.warn("with --strict the CPU decodes, which reports damage that GPUs do not")
            gpu = None
        file = sequence.files[sequence.first] if sequence else name
        opened = open_input(
            file, format=options.input_format, live=options.live, stop=stop, stills=True, probe=options.probe
        )
        try:
            return cls._start(name, replace(opened, title=title_of(name)), sequence, options, context, gpu, deep)
        except BaseException:
            opened.close()
            raise

    @classmethod
    def _start(
        cls,
        name: object,
        opened: OpenedInput,
        sequence: ImageSequence | None,
        options: ReadOptions,
        context: Context,
        gpu: Offload | None,
        deep: bool,
    ) -> Self:
        # Decode the first frame; of an image file also look for a second one.
        still = opened.still
        timed = not lacks_timestamps(opened.container) if still is None else still.count > 1
        if options.fps is not None and timed and not sequence:
            raise WrongOption(
                f"{opened.title} has time stamps; a frame rate is for image sequences and raw streams, which have none"
            )
        stream = select_video_stream(opened.container, opened.title)
        check_encryption(opened.container, opened.title)
        set_up_decoder(stream)
        description = describe_input(opened.container)
        crop = description.crop(stream.index) if still is None else Cropping()
        profile = description.dolby_vision_ipt(stream.index)
        if profile is not None:
            what = f"the colours will be wrong: Dolby Vision profile {profile} holds IPT, which is read as YCbCr"
            context.warn(f"{what}; convert it first, with a tool that applies Dolby Vision", Code.MATRIX)
        gpu = None if crop else gpu  # a frame in the memory of a GPU cannot be cropped here
        demuxer = _demuxer(opened, stream, sequence, options, context, gpu)
        deinterlacer = Deinterlacer(options.deinterlace, context.on_warning)
        fields = options.deinterlace == "fields"
        time_base = demuxer.time_base / (2 if fields else 1)
        is_video = sequence is not None or (still.count > 1 if still else not is_image_format(opened.container))
        framer = Framer(
            demuxer, time_base=time_base, source_qp=options.source_qp, semiplanar=gpu is not None and gpu.keeps,
            rgb_video=is_video, deep=deep, crop=crop, warn=context.on_warning,
        )  # fmt: skip
        items = _items(demuxer, deinterlacer, framer)
        early = list(_until_frame(items))
        first = early[-1] if early else None
        if not isinstance(first, Frame):
            if demuxer.out_of_memory is not None:
                raise demuxer.out_of_memory
            raise no_frame_error(opened, demuxer.span, size_known=stream.codec_context.width > 0)
        single = still is not None and still.count == 1
        # A GIF of one frame is an image.
        may_be_single = is_image_format(opened.container) or opened.container.format.name == "gif"
        if sequence is None and still is None and may_be_single:
            second = list(_until_frame(items))
            early, single = early + second, not second or not isinstance(second[-1], Frame)
        info = _describe(demuxer, stream, first, time_base, doubled=fields and deinterlacer.found)
        info = replace(info, rgb=framer.rgb)
        if sequence and demuxer.span.whole:
            info = replace(info, frames=len(sequence.files))
        if single and sequence is None:
            info = replace(info, frames=1, duration=None, still=True)
        return cls(name, info, first, stream, sequence, description, opened, demuxer, early, items)

    @property
    def title(self) -> str:
        """The input in messages."""
        return self._opened.title

    @property
    def live(self) -> bool:
        """Whether the input is a pipe or a network address, or was opened like one."""
        return self._opened.live

    @property
    def container(self) -> InputContainer:
        """The open container; that of the first image of a sequence."""
        return self._opened.container

    @property
    def damage(self) -> Damage:
        """The damage so far; complete after iterating."""
        return self._demuxer.log.damage

    @cached_property
    def display_matrix(self) -> tuple[int, ...]:
        """Rotation or mirroring that players apply; empty for none."""
        # The Exif of images comes first: FFmpeg loses that a JPEG is mirrored, PyAV 18 does not read it of every image.
        stored = display_matrix(self.first.av_frame) or ()
        if self._image is None:
            return stored
        from vidsr.video.convert.image_metadata import read_image_metadata  # which loads Pillow

        return read_image_metadata(self._image).display_matrix or stored

    @cached_property
    def _image(self) -> bytes | None:
        if self.sequence:
            return self.sequence.files[self.sequence.first].read_bytes()
        if self.container.format.name in ("gif", "apng") and isinstance(self.name, str | Path) and is_file(self.name):
            return Path(self.name).read_bytes()
        return self._demuxer.image

    def _frame_number(self, pts: int) -> int:
        if self.sequence is None:
            return 1 + pts
        return self.sequence.first + pts - round(self._demuxer.span.shift / self.info.time_base)

    def _count_lost_packet(self, packet: av.Packet) -> None:
        time = (packet.pts or 0) * (rational(packet.time_base) or MICROSECOND)
        self._demuxer.log.note("lost_packets", time - self._demuxer.span.shift)

    def copy_info(self) -> CopyInfo:
        """Return what an output copies from this input. Call it before iterating; the input must stay open."""
        early = [item.packet for item in self._early if isinstance(item, Carried)]  # cover art comes first
        return CopyInfo(
            name=self.name,
            info=self.info,
            first=self.first,
            video_stream=self.stream,
            streams=tuple(stream for stream in self.container.streams if stream.index != self.stream.index),
            cover_art={p.stream_index: bytes(p) for p in early if p.stream.disposition & ATTACHED},
            tags=self._description.service_tags(self.stream.index) | self.container.metadata,
            programs=self._description.programs,
            languages=languages_of(self.container),
            chapters=tuple(self._demuxer.span.cut_chapters(self.container.chapters())),
            display_matrix=self.display_matrix,
            image=self._image,
            image_files=self.sequence.files if self.sequence else {},
            is_variable=cache(self._demuxer.has_variable_rate),
            frame_number=self._frame_number,
            lost_packet=self._count_lost_packet,
        )

    def carried(self) -> Iterator[Carried]:
        """Yield only the packets of the other streams, without decoding; instead of iterating."""
        self._demuxer.decoding = False
        return (item for item in self if isinstance(item, Carried))

    def __iter__(self) -> Iterator[Frame | Carried]:
        early, self._early = self._early, []
        return chain(early, self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the input; may be called again."""
        try:
            self._items.close()
        except ValueError:  # another thread runs it, and may be inside FFmpeg, which closing would crash
            return
        self._opened.close()


def _check(options: ReadOptions) -> None:
    if options.deinterlace not in get_args(Deinterlace):
        known = ", ".join(get_args(Deinterlace))
        raise ValueError(f"expected one of {known} for deinterlace; got {options.deinterlace!r}")
    if options.source_qp is not None and not 0 <= options.source_qp <= 51:
        raise ValueError(f"expected a QP from 0 to 51 for the source; got {options.source_qp}")
    if min(options.start or 0, options.duration or 0) < 0:
        raise ValueError("expected seconds from 0 up for start and duration; got a negative number")
    if options.fps is not None and not _SLOWEST <= options.fps <= _FASTEST:
        raise WrongOption(f"expected a rate from {_SLOWEST} to {_FASTEST} frames a second; got {options.fps}")


def _demuxer(
    opened: OpenedInput,
    stream: av.VideoStream,
    sequence: ImageSequence | None,
    options: ReadOptions,
    context: Context,
    gpu: Offload | None,
) -> Demuxer:
    origin = origin_of(opened.container, stream, address=is_address(opened.title))
    start = opened.container.start_time if origin is None else 0
    span = TimeRange(options.start, options.duration, Fraction(0) if start is None else start * MICROSECOND)
    log = DamageLog(opened.title, span, strict=options.strict)
    if sequence:
        return ImageDemuxer(
            opened, stream, span, log, sequence=sequence, rate=options.fps or _DEFAULT_RATE, warn=context.on_warning
        )
    if opened.still is not None:
        from vidsr.video.read.still.still_demuxer import StillDemuxer

        return StillDemuxer(opened, stream, span, log, still=opened.still, rate=options.fps, warn=context.on_warning)
    decoder = alpha_decoder(stream) or gpu_decoder(stream, gpu, context)
    late = StreamWatch(opened.container, context)
    return Demuxer(opened, stream, span, log, rate=options.fps, decoder=decoder, origin=origin, late=late)


def _items(demuxer: Demuxer, deinterlacer: Deinterlacer, framer: Framer) -> Generator[Frame | Carried]:
    # Frames go through three stages; packets pass beside them.
    times = FrameTimes(demuxer)

    def framed(av_frames: list[av.VideoFrame], *, end: bool = False) -> list[Frame]:
        whole = [ready for av_frame in av_frames for ready in deinterlacer.push(av_frame)]
        whole += deinterlacer.flush() if end else []
        frames = [ready for av_frame in whole for ready in framer.push(av_frame)]
        return frames + (framer.flush() if end else [])

    ahead = 0  # bytes of packets since the last frame
    for item in demuxer.items():
        if isinstance(item, Carried):
            ahead += item.packet.size
            if ahead > _MOST_AHEAD:
                yield from framed(times.give_up())
            yield item
        else:
            ahead = 0
            # FFmpeg marks a PNG that is stored in seven passes (Adam7) as interlaced; the copy is not marked.
            yield from framed(times.push(without_side_data(item) if demuxer.codec in CRASHING_SIDE_DATA else item))
    yield from framed(times.flush(), end=True)


def _until_frame(items: Iterable[Frame | Carried]) -> Iterator[Frame | Carried]:
    for item in items:
        yield item
        if isinstance(item, Frame):
            return


def _describe(
    demuxer: Demuxer, stream: av.VideoStream, first: Frame, time_base: Fraction, *, doubled: bool
) -> VideoInfo:
    # doubled: whether each field becomes a frame.
    average, guessed = rational(stream.average_rate), rational(stream.guessed_rate)
    if average == 1 / demuxer.time_base:  # of a short DV file, FFmpeg averages the ticks
        average = guessed
    rate = demuxer.rate or average or guessed
    duration = demuxer.duration()
    frames = round(duration * rate) if duration and rate else None
    if demuxer.span.whole:
        frames = stream.frames or frames
    if doubled:
        rate, frames = rate and 2 * rate, frames and 2 * frames
    return VideoInfo(
        width=first.width,
        height=first.height,
        bits=first.bits,
        color=first.color,
        time_base=time_base,
        rate=rate,
        frames=frames,
        duration=duration,
        aspect=rational(stream.sample_aspect_ratio) or Fraction(1),
        gray=len(first.planes) == 1,
        alpha=first.alpha is not None,
        codec=stream.codec_context.name,
    )
