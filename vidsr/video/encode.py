"""The sink of a film: one encoder, the copied streams beside it, and a muxer."""

import os
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
from av.codec.codec import Codec, UnknownCodecError

from vidsr.errors import OutputError
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.video.carry import TS_CODECS, Carrier, film_tags, needs_free_tags, stream_tags
from vidsr.video.muxers import FITTING, Muxer
from vidsr.video.options import ARRANGED, encoder_options, layout_for
from vidsr.video.picture import FULL, LAYOUTS, LIMITED, Resizer, layout_name, picture_of, side_data
from vidsr.video.source import Source
from vidsr.video.target import Target

_REORDERING = ("libx264", "libx264rgb", "libx265", "h264_nvenc", "hevc_nvenc")
_FASTEST = Fraction(240)  # frames a second that SVT-AV1 accepts; only rate control looks at it


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a film is to be written."""

    muxer: Muxer
    info: VideoInfo
    codec: str = "libx264"
    crf: float = 20.0
    preset: str = "veryfast"
    options: Mapping[str, str] = field(default_factory=dict)
    live: bool = False


class FilmSink:
    """Encodes frames, copies packets. Nothing appears under the target's name before `__exit__` ends well."""

    def __init__(self, target: Target, plan: Encoding, source: Source | None, notice: Callable[[str], None]) -> None:
        self._target, self._info, self._notice = target, plan.info, notice
        self._resizer = Resizer("bicubic")
        self._durations: dict[int, int] = {}
        self._last: int | None = None
        tags = {} if source is None else dict(source.container.metadata)
        options = plan.muxer.options(live=plan.live, free_tags=needs_free_tags(tags))
        self._container: Any = av.open(target.file, "w", format=plan.muxer.name, container_options=options)
        try:
            self._encoder = self._add_film(plan, source)
            self._carrier = Carrier(self._container, [] if source is None else source.streams, notice=notice)
            if source is not None:
                chapters: Any = source.chapters()
                self._container.set_chapters(chapters)
                self._container.metadata.update(film_tags(tags))
            self._start(plan)
        except BaseException:
            self._abandon()
            raise

    def write(self, item: Frame | Carried) -> None:
        """Encode a frame or copy a packet."""
        try:
            if isinstance(item, Carried):
                self._carrier.write(item.stream, item.packet)
            else:
                self._mux(self._encoder.encode(self._picture(item)))
        except Exception as exc:
            reason = self._target.explain(exc)
            if reason is exc:
                raise
            raise reason from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is not None:
            self._abandon()
            self._target.discard()
            return
        try:
            if self._last is None:
                raise OutputError(f"{self._target.title}: there was not one frame to write")
            self._mux(self._encoder.encode(None))
            self._container.close()
        except BaseException as failure:
            self._abandon()
            self._target.discard()
            reason = self._target.explain(failure)
            if reason is failure:
                raise
            raise reason from failure
        self._target.commit()

    def _add_film(self, plan: Encoding, source: Source | None) -> Any:
        info = plan.info
        codec = self._codec(plan)
        rate = min(info.rate, _FASTEST) if info.rate and codec.name == "libsvtav1" else info.rate
        stream = self._container.add_stream(codec.name, rate=rate or Fraction(25))
        context = stream.codec_context
        self._format = layout_for(codec, info, plan.options)
        self._layout = ARRANGED.get(self._format, self._format)
        self._tell_layout(codec.name)
        context.width, context.height, context.pix_fmt = info.width, info.height, self._format
        # Rule of exact time stamps: the encoder counts in the input's own ticks.
        context.time_base = stream.time_base = info.time_base
        context.flags |= av.codec.context.Flags.frame_duration
        context.sample_aspect_ratio = info.aspect
        color = info.color
        context.color_range = FULL if color.full_range else LIMITED
        context.colorspace, context.color_primaries, context.color_trc = color.matrix, color.primaries, color.transfer
        # PyAV asks for slice threads, which x264 takes as an order to cut every picture; only live streams want that.
        context.thread_type = "SLICE" if plan.live else "AUTO"
        first = None if source is None or source.first is None else source.first.carrier
        context.options = encoder_options(
            codec.name, crf=plan.crf, preset=plan.preset, live=plan.live, user=plan.options, picture=first
        )
        if LAYOUTS[self._layout][1] != (0, 0):
            context.options = {**context.options, "chroma_sample_location": color.siting}
        if plan.muxer.name in ("mp4", "mov"):
            if codec.name in _REORDERING and "bf" not in plan.options and (source is None or source.variable):
                context.max_b_frames = 0  # the muxer would lose the last frame's duration
            if codec.name in ("libx265", "hevc_nvenc"):
                context.codec_tag = "hvc1"  # the one that Apple's players know
        if source is not None:
            stream.metadata.update(stream_tags(source.stream))
            stream.disposition = source.stream.disposition
        matrix = side_data(first, "DISPLAYMATRIX")
        if matrix is not None:
            stream.set_display_matrix(struct.unpack("<9i", matrix[:36]))
        return stream

    def _codec(self, plan: Encoding) -> Codec:
        name, muxer = plan.codec, plan.muxer.name
        if name == "libx264" and muxer in FITTING:
            name = FITTING[muxer]
            self._notice(f"{muxer} holds no H.264: {name} is used")
        if name == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # it writes to stderr past every log level but this one
        try:
            codec = Codec(name, "w")
        except UnknownCodecError as exc:
            raise OutputError(
                f"{name!r} is no encoder here; libx264, libx265, libsvtav1, libvpx-vp9 and ffv1 are"
            ) from exc
        fits = muxer != "mpegts" or codec.canonical_name in TS_CODECS
        if (
            codec.type != "video"
            or not fits
            or (muxer != "mpegts" and codec.name not in self._container.supported_codecs)
        ):
            raise OutputError(f"{muxer} holds no {name} video; use another --codec, or .mkv, which holds any")
        return codec

    def _tell_layout(self, codec: str) -> None:
        info = self._info
        wanted = layout_name(info.bits, info.color.subsampling, gray=info.gray)
        if self._layout != wanted and not (info.gray and LAYOUTS[self._layout][0] == info.bits):
            self._notice(f"{codec} takes no {wanted}: the film is encoded as {self._layout}, the nearest it takes")

    def _start(self, plan: Encoding) -> None:
        info = plan.info
        try:
            self._container.start_encoding()
        except (av.error.FFmpegError, ValueError, OSError) as exc:
            if getattr(self._target.file, "failure", None) is not None or (isinstance(exc, OSError) and exc.errno):
                raise
            what = f"{info.width}x{info.height} {self._format} at {plan.options or 'these settings'}"
            raise OutputError(f"{self._encoder.codec_context.name} in {plan.muxer.name} refuses {what}") from exc
        unknown = [key for key in plan.options if key in self._encoder.codec_context.options]
        if unknown:
            name = self._encoder.codec_context.name
            raise OutputError(f"{name} knows no option {unknown[0]!r}; `ffmpeg -h encoder={name}` lists those it has")

    def _picture(self, frame: Frame) -> av.VideoFrame:
        info = self._info
        frame = self._resizer.fit(frame, info.width, info.height, self._layout, info.color)
        picture = picture_of(frame)
        if self._format != self._layout:
            picture = self._resizer.arrange(picture, self._format)
        time_base = info.time_base
        pts = frame.pts if frame.time_base == time_base else round(frame.pts * frame.time_base / time_base)
        length = frame.duration if frame.time_base == time_base else round(frame.duration * frame.time_base / time_base)
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
        self._last = pts
        if length:
            self._durations[pts] = length
        picture.pts, picture.duration, picture.time_base = pts, length, time_base
        picture.pict_type = (
            av.video.frame.PictureType.NONE
        )  # else the encoder repeats the input's choice of key pictures
        return picture

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            length = self._durations.pop(packet.pts, 0)
            if length:
                packet.duration = length  # not every encoder hands it on
            self._container.mux(packet)

    def _abandon(self) -> None:
        if hasattr(self._target.file, "abandon"):
            self._target.file.abandon()
        with suppress(Exception):  # the reason is on its way already; this only frees FFmpeg's memory
            self._container.close()
