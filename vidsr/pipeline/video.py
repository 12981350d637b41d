"""A video from source to sink."""

import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args

from vidsr.context import Context, Notice, Progress, Stopped, ignore, log_warning
from vidsr.engines import TAKES_DLPACK
from vidsr.errors import WrongOption
from vidsr.frames import Frame, VideoInfo
from vidsr.io.names import is_address, title_of
from vidsr.io.pipes import is_fifo
from vidsr.options import (
    Deinterlace,
    EncodeOptions,
    Hwaccel,
    Precision,
    ReadOptions,
    RealtimeOptions,
    UpscaleOptions,
)
from vidsr.pipeline.auto_preset import check_preset, quick_enough, settled
from vidsr.pipeline.progress import RunRecord, Summary
from vidsr.pipeline.resume.segments import check_resumable, model_begun_with, upscale_in_segments
from vidsr.pipeline.stages import JobOptions, plan_output, upscaled, watch_delay
from vidsr.pipeline.supervise import supervised
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.upscaler import open_upscaler
from vidsr.video.convert.side_data import is_turned
from vidsr.video.read.hwdecode import Offload, can_open_gpu
from vidsr.video.read.source import Source, open_source
from vidsr.video.sequence import pattern_of
from vidsr.video.timing import exact
from vidsr.video.write.copy.containers import holds_16_bits
from vidsr.video.write.sink import Sink, open_sink
from vidsr.zoo import RESIZES

if TYPE_CHECKING:
    from vidsr.pipeline.realtime.live_run import LiveRun


def upscale_video(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO,
    *,
    model: str | Path | None = UpscaleOptions.model,
    scale: int | None = UpscaleOptions.scale,
    width: int | None = UpscaleOptions.width,
    height: int | None = UpscaleOptions.height,
    engine: str = UpscaleOptions.engine,
    device: str = UpscaleOptions.device,
    precision: Precision = UpscaleOptions.precision,
    tile: int | Literal["auto"] | None = UpscaleOptions.tile,
    compute: Literal["full", "adaptive"] | float = UpscaleOptions.compute,
    realtime: bool | None = RealtimeOptions.realtime,
    latency: float | None = RealtimeOptions.latency,
    start: Fraction | float | None = ReadOptions.start,
    duration: Fraction | float | None = ReadOptions.duration,
    fps: Fraction | float | None = ReadOptions.fps,
    deinterlace: Deinterlace = ReadOptions.deinterlace,
    source_qp: float | None = ReadOptions.source_qp,
    hwaccel: Hwaccel = ReadOptions.hwaccel,
    strict: bool = ReadOptions.strict,
    format: str | None = EncodeOptions.format,
    codec: str = EncodeOptions.codec,
    crf: float = EncodeOptions.crf,
    preset: str = EncodeOptions.preset,
    encoder_options: Mapping[str, str] | None = EncodeOptions.encoder_options,
    pix_fmt: str | None = EncodeOptions.pix_fmt,
    overwrite: bool = EncodeOptions.overwrite,
    resume: bool = False,
    segment_frames: int = JobOptions().segment_frames,
    progress: Callable[[Progress], None] = ignore,
    warn: Callable[[Notice], None] = log_warning,
) -> Summary:
    """Upscale a video or an image; everything else is kept, or reported.

    source, target: a path, a network address, a binary file, or `-` for stdin and stdout. Every option is described in
    `vidsr.options`; `run_job` takes the same ones as three objects. start, duration: seconds.
    resume: write the video in segments of `segment_frames` frames, kept in a folder beside the target until all are
    done, so that the same call continues a run that was stopped; see `upscale_in_segments`.
    progress: called after every frame; what it raises ends the run. warn: called with each thing that cannot be kept
    as it is, which the summary lists too. Both are called from other threads.
    Raises VidsrError, ValueError for a size, piece or QP that makes no sense, and BrokenPipeError if the reader of a
    pipe went away. The target appears only when this returns.
    """
    options = JobOptions(
        ReadOptions(
            start=exact(start), duration=exact(duration), fps=exact(fps), deinterlace=deinterlace, source_qp=source_qp,
            hwaccel=hwaccel, strict=strict,
        ),
        UpscaleOptions(model, scale, width, height, engine, device, precision, tile, compute=compute),
        EncodeOptions(format, codec, float(crf), preset, encoder_options, overwrite, pix_fmt=pix_fmt),
        segment_frames,
        RealtimeOptions(realtime, latency),
    )  # fmt: skip
    return run_job(source, target, options, resume=resume, context=Context(warn, progress))


def run_job(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO,
    options: JobOptions,
    *,
    resume: bool = False,
    context: Context | None = None,
) -> Summary:
    """Upscale a video or an image as `options` say; see `upscale_video`."""
    context = context or Context()
    check_preset(options.encode, resume=resume)
    wants_realtime(options.realtime, resume=resume)  # refuses what makes no sense
    if resume:
        muxer = check_resumable(source, target, options.encode.format)
        options = replace(
            options,
            upscale=replace(options.upscale, stateless=True),
            encode=replace(options.encode, format=muxer.name, repeatable=True),
        )
    return supervised(partial(_run, source, target, options, RunRecord(context), resume=resume), context.stop)


def _run(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO,
    options: JobOptions,
    record: RunRecord,
    *,
    resume: bool,
) -> Summary:
    # The network's threads are as many as cores, x264's half as many again (its own rule). Together they keep 97 % of
    # two cores busy; with fewer or more of either, a third frame in flight or two streams, the rate differed by less
    # than 3 %, and one thread of x264 made a third fewer frames. `bench --tune` measures this on other machines.
    context = record.context
    live = _is_pipe(source, 0) or _is_pipe(target, 1) or bool(wants_realtime(options.realtime, resume=resume))
    if live:
        options = replace(
            options, upscale=replace(options.upscale, in_flight=1), encode=replace(options.encode, live=True)
        )
    deep = holds_16_bits(target, options.encode.format)
    if resume and options.upscale.model is None:
        options = replace(options, upscale=replace(options.upscale, model=model_begun_with(Path(str(target)))))
    gpu = find_gpu(options.read.hwaccel, options.upscale.device, resume=resume, context=context)
    with (
        open_upscaler(options.upscale, context) as upscaler,
        open_source(
            source, options.read, context=context, gpu=offload(gpu, options.read.hwaccel, upscaler), deep=deep
        ) as video,
    ):
        if video.sequence and options.read.fps is None and pattern_of(target) is None:
            context.warn("25 frames a second are assumed for these images; --fps sets another rate")
        if (rate := _rate_of(video, options.read)) is not None:
            upscaler.keep_up(rate, video.info.bits)
        plan, large = plan_output(video, upscaler, options, target, context)
        if resume:
            upscale_in_segments(video, Path(str(target)), upscaler, large, options, record)
        else:
            _stream(video, target, upscaler, large, options, record, live=live)
            if context.stop.is_set():
                frames = "1 frame" if record.frames == 1 else f"{record.frames} frames"
                context.warn(f"stopped: {title_of(target)} is complete until then, with {frames}")
                raise Stopped
        if video.damage:
            context.warn(f"{video.title} is damaged: {video.damage}")
        return _summary(video, plan, upscaler, options.upscale.model, title_of(target, pipe="stdout"), record)


def _stream(
    video: Source,
    target: str | Path | BinaryIO,
    upscaler: FrameUpscaler,
    large: VideoInfo,
    options: JobOptions,
    record: RunRecord,
    *,
    live: bool,
) -> None:
    """Write the output in one piece, in real time if that is wanted of this input."""
    context = record.context
    encode = settled(video, target, upscaler, large, options, context)
    with ExitStack() as stack:
        run = None
        if is_realtime(options.realtime, video):
            from vidsr.pipeline.realtime.live_run import open_live_run

            run = stack.enter_context(open_live_run(video, upscaler, options, context))
            record.delay = run.describe
            encode = quick_enough(float(video.info.rate or 25), run.resized, target, large, encode, context)
        sink = stack.enter_context(open_sink(target, large, encode, copy=video.copy_info(), context=context))
        _pump(video, upscaler, sink, large, record, live=live, run=run)
        if run is not None:
            record.realtime = run.finish()


def _pump(
    video: Source,
    upscaler: FrameUpscaler,
    sink: Sink,
    large: VideoInfo,
    record: RunRecord,
    *,
    live: bool,
    run: "LiveRun | None" = None,
) -> None:
    """Move the video through three threads: decoding, inference, and this one, which encodes."""

    def late(seconds: float) -> None:
        message = f"{seconds:.1f} s behind real time, no frame is dropped; try a smaller size, faster model or preset"
        (record.say if record.late else record.context.warn)(message)
        record.late = True

    items = watch_delay(video, late) if video.live and run is None else video
    # What has no end, such as a camera, is stopped by whoever has seen enough: what was written until then is kept.
    keeps = record.stop.finishes = video.live and not sink.piped
    stopped = record.stop.is_set if keeps else None
    reused = record.count_reused
    if run is not None:
        ready = run.upscaled(items, video.info, stopped=stopped, reused=reused)
    else:
        ready = upscaled(items, upscaler, video.info, large, live=live, stopped=stopped, reused=reused)
    with closing(ready):
        try:
            for item in ready:
                record.stop.check()
                began = time.monotonic()
                sink.write(item)
                if isinstance(item, Frame):
                    if run is not None:
                        run.encoded(time.monotonic() - began)
                    record.count(item, video.info)
            record.stop.check()  # a reader that was stopped may look like the end of the video
        except Stopped:
            if not (keeps and record.frames):
                raise
        except BaseException:
            record.stop.set()  # wakes a thread that waits for a pipe, so that closing does not wait for it
            raise


def _summary(
    video: Source, plan: Plan, upscaler: FrameUpscaler, model: str | Path | None, target: str, record: RunRecord
) -> Summary:
    now = record.now(video.info)
    turned = is_turned(video.display_matrix)
    sizes = [(video.info.width, video.info.height), (plan.width, plan.height)]
    small, large = (size[::-1] if turned else size for size in sizes)
    return Summary(
        source=video.title,
        target=target,
        model=plan.card.name if plan.card else str(model) if model in RESIZES else "lanczos",
        frames=record.frames,
        frames_reused=record.reused,
        seconds=now.seconds,
        fps=now.fps,
        speed=now.speed,
        input_size=small,
        output_size=large,
        shares=upscaler.shares,
        notices=tuple(record.notices),
        damage=video.damage,
        realtime=record.realtime,
        choice=upscaler.choice,
    )


def wants_realtime(options: RealtimeOptions, *, resume: bool) -> bool | None:
    """Return whether real time is asked for: None leaves it to the input. Raises WrongOption."""
    asked = options.latency is not None if options.realtime is None else options.realtime
    if options.latency is not None and not (asked and options.latency > 0):
        raise WrongOption("--latency is for real time, in milliseconds above 0; leave it out, or --no-realtime")
    if asked and resume:
        raise WrongOption(
            "--resume computes every frame the same in every run, which --realtime cannot; give one of them"
        )
    return True if asked else options.realtime


def is_realtime(options: RealtimeOptions, video: Source) -> bool:
    """Return whether an input is to be kept up with: where asked for, and where a network stream has no known end."""
    wanted = wants_realtime(options, resume=False)
    if video.info.still or video.sequence:
        return False
    return wanted if wanted is not None else is_address(video.name) and not video.info.duration


def _rate_of(video: Source, options: ReadOptions) -> float | None:
    """Return the frame rate that can be kept up with; images have none, unless one was given."""
    if video.info.still or (video.sequence and options.fps is None) or not video.info.rate:
        return None
    return float(video.info.rate)


def _is_pipe(name: object, descriptor: int) -> bool:
    """Return whether a name stands for a pipe or a network address, where no frame may wait for the next."""
    if name == "-":
        return not stat.S_ISREG(os.fstat(descriptor).st_mode)
    return is_address(name) or (isinstance(name, str | Path) and is_fifo(Path(name)))


def find_gpu(hwaccel: Hwaccel, device: str, *, resume: bool, context: Context) -> str | None:
    """Return the GPU that may decode, as cuda:N, or None.

    Ask before an engine uses the GPU; see `can_open_gpu`. hwaccel: auto decodes on the GPU that upscales, if nothing is
    lost by it; cuda decodes on it wherever possible. device: the network's, as asked for. Raises ValueError for any
    other value.
    """
    if hwaccel not in get_args(Hwaccel):
        raise ValueError(f"expected one of {', '.join(get_args(Hwaccel))} for hwaccel; got {hwaccel!r}")
    if hwaccel == "none" or (hwaccel == "auto" and (resume or not device.startswith(("auto", "cuda")))):
        return None
    if resume:
        context.warn("with --resume the CPU decodes: segments must come out the same in every run")
        return None
    name = f"cuda:{device.partition(':')[2] or 0}"
    return name if can_open_gpu(name) or hwaccel == "cuda" else None  # the source warns of what it cannot do


def offload(gpu: str | None, hwaccel: Hwaccel, upscaler: FrameUpscaler) -> Offload | None:
    """Return how the GPU decodes, and whether decoded frames stay in its memory."""
    if gpu is None:
        return None
    setup = upscaler.setup
    together = gpu in (setup.device, f"{setup.device}:0")
    if hwaccel == "auto" and not together:
        return None
    return Offload(gpu, keeps=together and setup.engine in TAKES_DLPACK, always=hwaccel == "cuda")
