"""Frames and carried packets into a file, a pipe or an address."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import av

from vidsr.context import Code, Context
from vidsr.errors import OutputError
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.io.names import title_of
from vidsr.options import EncodeOptions
from vidsr.video.convert.image_metadata import about, lost_in_video
from vidsr.video.convert.side_data import mastering_of
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import needs_free_tags, video_tags
from vidsr.video.sequence import pattern_of
from vidsr.video.write.container_losses import container_losses, stream_losses
from vidsr.video.write.containers import muxer_of
from vidsr.video.write.encoder import Encoder
from vidsr.video.write.encoder_setup import Encoding
from vidsr.video.write.image_sink import StillSink, beside_a_picture, open_numbered
from vidsr.video.write.output_clock import Beginning, beginning
from vidsr.video.write.segment_file import Encoded
from vidsr.video.write.stream_copy import StreamCopier
from vidsr.video.write.target import Target, open_target


class Sink(Protocol):
    """Takes a stream of items; use as a context manager.

    What it wrote appears under its name only when the with-block ends well; else nothing is left behind.
    """

    def write(self, item: Frame | Carried) -> None:
        """Encode a frame or copy a packet.

        Raises OutputError (DiskFull where it is), BrokenPipeError where the reader of a pipe went away, pipes.Stopped.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_sink(
    name: str | Path | BinaryIO,
    info: VideoInfo,
    options: EncodeOptions | None = None,
    *,
    copy: CopyInfo | None = None,
    context: Context | None = None,
) -> Sink:
    """Open an output and write its header, so that what cannot work fails before a frame is enlarged.

    info: of the film as it is to be written (its enlarged size). source: whose other streams, chapters and tags are
    copied, and which the output must not be. format: FFmpeg's name or an extension; None: by the
    name, and NUT for `-`. encoder_options: for the encoder; `pix_fmt` chooses the pixel format. live: let every frame
    out at once. repeatable: the same film must make the same bytes, in every run. notice: takes a sentence for each
    thing that is changed or left out. A film goes into numbered pictures where the name is `%05d.png` or alike.
    Raises OutputError, TargetExists, SameFile or NotPipeable.
    """
    options, context = options or EncodeOptions(), context or Context()
    muxer = muxer_of(name, options.format)
    muxer.check(name)
    if (
        not muxer.image
        and info.color.subsampling[0]
        and (info.width % 2 or (info.color.subsampling[1] and info.height % 2))
    ):
        raise OutputError(f"{info.width}x{info.height} is odd, and 4:2:0 needs even sides; round the size")
    if muxer.image:
        _tell_of_depth(copy, context)
        pattern = None if info.still else pattern_of(name)
        if pattern is not None:
            return open_numbered(
                pattern, title_of(name), muxer.name, copy, overwrite=options.overwrite, context=context
            )
    target = open_target(
        name, source=None if copy is None else copy.name, overwrite=options.overwrite, stop=context.stop
    )
    try:
        if muxer.image:
            for sentence in beside_a_picture(copy) if copy is not None else ():
                context.on_warning(sentence)
            return StillSink(target, muxer.name, about(copy.image if copy else None), context)
        lost = lost_in_video(about(copy.image if copy else None))
        if lost:
            context.warn(lost, Code.TAGS)
        plan = Encoding(muxer, info, options)
        return VideoSink(target, plan, copy, context)
    except BaseException as exc:
        target.discard()
        reason = target.explain(exc)
        if reason is exc:
            raise
        raise reason from exc


def _tell_of_depth(copy: CopyInfo | None, context: Context) -> None:
    layout = None if copy is None else copy.video_stream.codec_context.format
    if layout is not None and layout.components[0].bits > 8:
        context.warn("the picture is written with 8 bits a colour: Pillow writes no more", Code.PIXEL_FORMAT)


class VideoSink:
    """Encodes frames and copies packets. Nothing appears under the target's name before `__exit__` ends well."""

    def __init__(self, target: Target, plan: Encoding, copy: CopyInfo | None, context: Context) -> None:
        self._target = target
        tags = {} if copy is None else copy.tags
        options = plan.muxer.options(
            live=plan.options.live,
            free_tags=needs_free_tags(tags),
            tick=plan.info.time_base,
            repeatable=plan.options.repeatable,
        )
        self._beginning = Beginning() if copy is None else beginning(plan.muxer.name, copy.first)
        self._container: Any = av.open(target.file, "w", format=plan.muxer.name, container_options=options)
        try:
            self._encoder = Encoder(self._container, plan, copy, context=context)
            streams, cover_art = ([], {}) if copy is None else (copy.streams, copy.cover_art)
            rewinds = not (plan.options.live or target.piped)
            spoilt = (lambda packet: None) if copy is None else copy.lost_packet
            self._copier = StreamCopier(
                self._container, streams, cover_art=cover_art, rewinds=rewinds, context=context, spoilt=spoilt
            )
            if copy is not None:
                self._describe(copy, plan, video_tags(tags), context)
            self._container.start_encoding()
        except BaseException:
            self._abandon()
            raise

    def _describe(self, copy: CopyInfo, plan: Encoding, tags: Mapping[str, str], context: Context) -> None:
        chapters: Any = self._beginning.chapters(list(copy.chapters))
        self._container.set_chapters(chapters)
        self._container.metadata.update(tags)
        codec = self._encoder.stream.codec_context.codec.canonical_name
        for sentence in container_losses(
            plan.muxer.name,
            codec=codec,
            encoder=self._encoder.stream.codec_context.name,
            info=plan.info,
            chapters=bool(chapters),
            tags=tags,
            turned=bool(copy.display_matrix),
            mastering=mastering_of(copy.first.av_frame),
        ):
            context.on_warning(sentence)
        for sentence in self._beginning.told(plan.muxer.name):
            context.on_warning(sentence)
        if plan.muxer.name == "avi" and (
            copy.first.pts or self._copier.carried or codec in ("h264", "hevc") or copy.is_variable()
        ):
            what = "avi holds no time stamps: frames come at an even rate, and sound begins with the picture; use .mkv"
            moved = tuple(stream.index for stream in self._copier.carried)
            context.warn(what, Code.START, Code.PTS, Code.DURATION, Code.DRIFT)
            if moved:
                context.warn("avi holds no time stamps of sound", Code.TIMES, streams=moved)
        for stream in (copy.video_stream, *self._copier.carried):
            for sentence in stream_losses(plan.muxer.name, stream, video=stream is copy.video_stream):
                context.on_warning(sentence)

    def write(self, item: Frame | Carried | Encoded) -> None:
        """Encode a frame or copy a packet."""
        try:
            item = self._beginning.move(item)
            if isinstance(item, Carried):
                self._copier.write(item.stream, item.packet)
            elif isinstance(item, Encoded):
                self._container.mux(self._encoder.join(item.packet))
            else:
                self._container.mux(self._encoder.encode(item))
        except Exception as exc:
            self._fail(exc)

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
            if self._encoder.last is None:
                raise OutputError(f"{self._target.title}: there was not one frame to write")
            self._container.mux(self._encoder.encode(None))
            self._copier.end()
            self._container.close()
        except BaseException as failure:
            self._abandon()
            self._target.discard()
            self._fail(failure)
        self._target.commit()

    def _fail(self, exc: BaseException) -> None:
        reason = self._target.explain(exc)
        if reason is exc:
            raise exc
        raise reason from exc

    def _abandon(self) -> None:
        if hasattr(self._target.file, "abandon"):
            self._target.file.abandon()
        with suppress(Exception):  # the reason is on its way already; this only frees FFmpeg's memory
            self._container.close()
