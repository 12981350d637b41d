"""Frames and copied packets written to a file, a pipe, a network address or a file object."""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import av
from av.container import OutputContainer

from vidsr.context import Context
from vidsr.errors import OutputError
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.io.names import title_of
from vidsr.io.pipes import HeaderWriter
from vidsr.options import EncodeOptions
from vidsr.video.copy_info import CopyInfo
from vidsr.video.sequence import pattern_of
from vidsr.video.write.copy.containers import muxer_of
from vidsr.video.write.copy.stream_copy import StreamCopier, plan_copy
from vidsr.video.write.encoder import Encoder
from vidsr.video.write.encoding_plan import EncodingPlan
from vidsr.video.write.header.header_patch import HeaderPatch, plan_header
from vidsr.video.write.planning import plan_encoding
from vidsr.video.write.segment_file import EncodedPacket
from vidsr.video.write.target import Target, open_target


class Sink(Protocol):
    """Takes frames and packets; use it as a context manager.

    The output appears under its name only if the with-block ends without an exception; otherwise nothing is left.
    """

    piped: bool
    """Whether the output is sent at once, so that nothing can be completed or discarded."""

    def write(self, item: Frame | Carried) -> None:
        """Encode a frame or copy a packet.

        Raises OutputError (DiskFull if the disk is full), BrokenPipeError if the reader of a pipe has closed it, and
        Stopped.
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
    """Open an output and write its header, so that what cannot work fails before a frame is computed.

    name: a path, a network address, a binary file, or `-` for stdout; a name such as `%05d.png` writes a video as
    numbered images. info: of the output. copy: what is copied from the input, which the output must not overwrite.
    context: `on_warning` gets each thing that is changed or left out.
    Raises OutputError, TargetExists, SameFile or NotPipeable.
    """
    options, context = options or EncodeOptions(), context or Context()
    muxer = muxer_of(name, options.format)
    muxer.check(name)
    if muxer.image:
        return _open_image_sink(name, muxer.name, info, options, copy, context)
    plan = plan_encoding(muxer, info, options, copy)
    target = _open_target(name, options, copy, context)
    try:
        return VideoSink(target, plan, copy, context)
    except BaseException as exc:
        target.discard()
        reason = target.explain(exc)
        if reason is exc:
            raise
        raise reason from exc


def _open_image_sink(
    name: str | Path | BinaryIO,
    format: str,
    info: VideoInfo,
    options: EncodeOptions,
    copy: CopyInfo | None,
    context: Context,
) -> Sink:
    from vidsr.video.convert.image_metadata import read_image_metadata  # these load Pillow
    from vidsr.video.write.animation_sink import AnimationSink, is_animated_output
    from vidsr.video.write.image_sink import ImageSink, image_losses, is_deep, open_sequence

    pattern = None if info.still else pattern_of(name)
    animated = pattern is None and not info.still and is_animated_output(format, copy)
    deep, is_sequence = not animated and is_deep(format, copy), pattern is not None
    if copy is not None:
        for notice in image_losses(copy, format, is_sequence=is_sequence, animated=animated, deep=deep):
            context.on_warning(notice)
    if pattern is not None:
        return open_sequence(pattern, title_of(name), format, copy, overwrite=options.overwrite, context=context)
    metadata = read_image_metadata(copy.image if copy else None)
    format = "PNG" if format == "APNG" and not animated else format
    if animated or format == "GIF":
        return AnimationSink(_open_target(name, options, copy, context), format, metadata, context)
    return ImageSink(_open_target(name, options, copy, context), format, metadata, context, deep=deep)


def _open_target(
    name: str | Path | BinaryIO, options: EncodeOptions, copy: CopyInfo | None, context: Context
) -> Target:
    source = None if copy is None else copy.name
    return open_target(name, source=source, overwrite=options.overwrite, stop=context.stop)


def _file_of(target: Target, plan: EncodingPlan) -> Any:
    """Return what PyAV writes to. The muxer of y4m reads the aspect ratio from where PyAV cannot set it: A0:0."""
    if plan.keeps_timestamps or isinstance(target.file, str):
        return target.file
    aspect = plan.info.aspect
    return HeaderWriter(target.file, b" A0:0 ", b" A%d:%d " % (aspect.numerator, aspect.denominator))


def _options_of(target: Target, plan: EncodingPlan) -> dict[str, str]:
    # A file appears when it is complete, so a live one may have an index and state its duration.
    left_out = ("live", "cluster_time_limit", "write_index") if target.patchable else ()
    return {key: value for key, value in plan.muxer_options.items() if key not in left_out}


class VideoSink:
    """Encodes frames and copies packets. Nothing appears under the target's name before `__exit__` ends well."""

    def __init__(self, target: Target, plan: EncodingPlan, copy: CopyInfo | None, context: Context) -> None:
        """Open the muxer and the encoder, issue the warnings of the plan, and write the header."""
        self.plan = plan
        self._target, self.piped = target, target.piped
        streams = plan_copy(plan, copy, can_seek=target.patchable or not (plan.options.live or target.piped))
        self._container: OutputContainer = av.open(
            _file_of(target, plan), "w", format=plan.muxer.name, container_options=_options_of(target, plan)
        )
        try:
            self._encoder = Encoder(self._container, plan, context)
            lost = None if copy is None else copy.lost_packet
            self._copier = StreamCopier(self._container, streams.streams, context, on_lost_packet=lost)
            chapters: Any = list(plan.chapters)
            self._container.set_chapters(chapters)
            self._container.metadata.update(plan.tags)
            self._header = HeaderPatch()
            if copy is not None:
                copies = {**self._copier.copies, copy.video_stream.index: self._encoder.stream}
                streams_of_output = self._container.streams
                self._header = plan_header(plan, copy, copies, streams_of_output, can_patch=target.patchable)
                self._header.reserve(streams_of_output)
            for notice in (*plan.warnings, *streams.warnings, *self._header.warnings):
                context.on_warning(notice)
            self._container.start_encoding()
        except BaseException:
            self._abandon()
            raise

    def write(self, item: Frame | Carried | EncodedPacket) -> None:
        """Encode a frame, copy a packet, or continue with a packet of a segment."""
        try:
            item = self.plan.start_shift.move(item)
            if isinstance(item, Carried):
                self._copier.write(item.stream, item.packet)
            elif isinstance(item, EncodedPacket):
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
                raise OutputError(f"{self._target.title} was not written: the input has no frames")
            self._container.mux(self._encoder.encode(None))
            self._copier.flush()
            self._container.close()
            if self._header:
                self._target.patch(self._header.apply)
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
        with suppress(Exception):  # another exception is raised already; this only frees FFmpeg's memory
            self._container.close()
