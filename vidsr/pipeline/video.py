"""A film from source to sink."""

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from vidsr.engines import TAKES_DLPACK, Precision, Setup
from vidsr.frames import Frame, VideoInfo
from vidsr.io.pipes import Stop, is_fifo
from vidsr.pipeline.auto_preset import check_preset, settled
from vidsr.pipeline.progress import Progress, Record, Summary
from vidsr.pipeline.resume.segments import check_resumable, upscale_in_segments
from vidsr.pipeline.stages import Settings, enlarged, paced, planned
from vidsr.pipeline.supervise import supervised
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler, open_upscaler
from vidsr.video.convert.deinterlace import Deinterlace
from vidsr.video.read.hwdecode import Offload, opens
from vidsr.video.read.open_input import is_address, title_of
from vidsr.video.read.source import Source, open_source
from vidsr.video.sequence import pattern_of
from vidsr.video.timing import exact
from vidsr.video.write.sink import Sink, open_sink
from vidsr.zoo import RESIZES

Hwaccel = Literal["auto", "cuda", "none"]
"""auto: the GPU that enlarges decodes as well, where nothing is lost by it; cuda: a GPU decodes whatever it can."""


def upscale_video(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO,
    *,
    scale: int | None = None,
    width: int | None = None,
    height: int | None = None,
    model: str | Path | None = None,
    format: str | None = None,
    codec: str = "libx264",
    crf: float = 20.0,
    preset: str = "veryfast",
    encoder_options: Mapping[str, str] | None = None,
    overwrite: bool = False,
    start: Fraction | float | None = None,
    duration: Fraction | float | None = None,
    tile: int | Literal["auto"] | None = None,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    source_quality: float | None = None,
    deinterlace: Deinterlace = "frames",
    fps: Fraction | float | None = None,
    hwaccel: Hwaccel = "auto",
    strict: bool = False,
    resume: bool = False,
    segment_frames: int = 250,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> Summary:
    """Enlarge a film or a picture; nothing but the picture changes.

    source, target: a path, a network address, a binary file, or `-` for stdin and stdout. scale, or width and height in
    pixels: the size wanted, twice as large where nothing is said. model: see `open_upscaler`. format, codec, crf,
    preset, encoder_options, overwrite: see `open_sink`; a preset may also be auto, see `presets.settled`.
    start, duration: seconds, of the piece that is wanted. tile, engine, device, precision: see `open_upscaler`.
    source_quality: the input's QP, 0 to 51, where the decoder has none. deinterlace: interlaced film into one frame a
    picture, or one a field (fields), or left as it is (off). fps: frames a second of pictures and raw streams, which
    tell none; 25 where nothing is said. strict: whether a damaged input is an error (Damaged), rather than a notice.
    hwaccel: whether a GPU decodes, see `Hwaccel`; its pictures stay in its memory for a network, and an encoder such as
    h264_nvenc, that take them there.
    progress: called after every frame; what it raises ends the run. notice: called with a sentence for each thing that
    cannot be kept as it is. Both are called from other threads.
    resume: do the film in segments of `segment_frames` frames, kept in a folder beside the target until all are done,
    so that the same call goes on where a run was stopped; see `upscale_in_segments`.
    Raises VidsrError, ValueError where the size, piece or quality makes no sense, and BrokenPipeError where the reader
    of a pipe went away. Unless it returns, there is no target.
    """
    record = Record(progress, notice)
    check_preset(preset, encoder_options, resume=resume)
    if resume:
        format = check_resumable(source, target, format).name
    settings = Settings(
        enlarging={
            "model": model, "scale": scale, "width": width, "height": height,
            "tile": tile, "engine": engine, "device": device, "precision": precision, "stateless": resume,
        },
        reading={
            "start": exact(start), "duration": exact(duration), "source_quality": source_quality,
            "deinterlace": deinterlace, "rate": exact(fps),
        },
        writing={
            "format": format, "codec": codec, "crf": float(crf), "preset": preset, "encoder_options": encoder_options
        },
        segment_frames=segment_frames,
    )  # fmt: skip
    stop = Stop()  # which `supervised` closes
    run = partial(
        _run, source, target, settings, record, stop,
        overwrite=overwrite, strict=strict, resume=resume, hwaccel=hwaccel,
    )  # fmt: skip
    return supervised(run, stop)


def _run(
    source: str | Path | BinaryIO,
    target: str | Path | BinaryIO,
    settings: Settings,
    record: Record,
    stop: Stop,
    *,
    overwrite: bool,
    strict: bool,
    resume: bool,
    hwaccel: Hwaccel,
) -> Summary:
    # The network's threads are as many as cores, x264's half as many again (its own rule). Together they keep 97 % of
    # two cores busy; with fewer or more of either, a third frame under way or two streams, frames a second differed by
    # less than 3 %, and one thread of x264 made a third fewer. A user's `threads` wins; `bench --tune` measures anew.
    live = _is_pipe(source, 0) or _is_pipe(target, 1)
    name = find_gpu(hwaccel, settings.enlarging["device"], resume=resume, notice=record.tell)
    with (
        open_upscaler(**settings.enlarging, in_flight=1 if live else None, notice=record.tell) as upscaler,
        open_source(
            source, **settings.reading, strict=strict, stop=stop, gpu=gpu_for(name, hwaccel, upscaler)
        ) as video,
    ):
        if video.pictures and settings.reading["rate"] is None and pattern_of(target) is None:
            record.tell("25 pictures a second are taken; --fps sets another rate")
        plan, large = planned(video, upscaler, record, settings)
        if resume:
            path = Path(str(target))
            upscale_in_segments(video, path, upscaler, large, settings, overwrite=overwrite, record=record, stop=stop)
        else:
            settings = settled(video, target, upscaler, large, settings, record, live=live)
            with open_sink(
                target, large, source=video, **settings.writing,
                live=live, overwrite=overwrite, notice=record.tell, stop=stop,
            ) as sink:  # fmt: skip
                _pump(video, upscaler, sink, large, record, stop, live=live)
    return _summary(video, plan, settings.enlarging["model"], title_of(target, pipe="stdout"), record)


def _pump(
    video: Source,
    upscaler: Upscaler | ResizingUpscaler,
    sink: Sink,
    large: VideoInfo,
    record: Record,
    stop: Stop,
    *,
    live: bool,
) -> None:
    """Move the film through the three threads: decoding, inference, and this one, which encodes."""

    def late(seconds: float) -> None:
        tell = record.whisper if record.late else record.tell
        record.late = True
        tell(f"{seconds:.1f} s behind real time, and nothing is dropped; try a smaller size, a faster model or preset")

    items = paced(video, late) if video.live else video
    with closing(enlarged(items, upscaler, video.info, large, live=live, reused=record.reuse)) as ready:
        try:
            for item in ready:
                stop.check()
                sink.write(item)
                if isinstance(item, Frame):
                    record.write(item, video.info)
            stop.check()  # a reader that was stopped may look like the end of the film
        except BaseException:
            stop.set()  # wakes a thread that waits for a pipe, so that closing does not wait for it
            raise


def _summary(video: Source, plan: Plan, model: str | Path | None, target: str, record: Record) -> Summary:
    for sentence in video.notices:  # those that came on the way
        record.tell(sentence)
    if video.damage:
        record.tell(f"{video.title} is damaged: {video.damage}")
    now = record.now(video.info)
    return Summary(
        source=video.title,
        target=target,
        model=plan.card.name if plan.card else str(model) if model in RESIZES else "lanczos",
        frames=record.frames,
        frames_reused=record.reused,
        seconds=now.seconds,
        fps=now.fps,
        speed=now.speed,
        input_size=(video.info.width, video.info.height),
        output_size=(plan.width, plan.height),
        notices=tuple(record.notices),
        damage=video.damage,
    )


def _is_pipe(name: object, descriptor: int) -> bool:
    """Whether a name stands for a pipe or a network address, where a frame should not wait for the next."""
    if name == "-":
        return not stat.S_ISREG(os.fstat(descriptor).st_mode)
    return is_address(name) or (isinstance(name, str | Path) and is_fifo(Path(name)))


def find_gpu(hwaccel: Hwaccel, device: str, *, resume: bool, notice: Callable[[str], None]) -> str | None:
    """The GPU that may decode, as cuda:N; None where there is none, or none is wanted.

    To be asked before an engine uses the GPU; see `opens`. device: the network's, as it was asked for. notice:
    called with why none is tried, where one was asked for. Raises ValueError for what is no Hwaccel.
    """
    if hwaccel not in get_args(Hwaccel):
        raise ValueError(f"{hwaccel!r} is no way to decode; choose one of {', '.join(get_args(Hwaccel))}")
    if hwaccel == "none" or (hwaccel == "auto" and (resume or device == "cpu")):
        return None
    if resume:
        notice("with --resume the CPU decodes: segments must come out the same in every run")
        return None
    name = f"cuda:{device.partition(':')[2] or 0}"
    return name if opens(name) or hwaccel == "cuda" else None  # the source tells of what it cannot do


def gpu_for(name: str | None, hwaccel: Hwaccel, upscaler: Upscaler | ResizingUpscaler) -> Offload | None:
    """What the GPU that was found does: it keeps its pictures where the network takes them there."""
    if name is None:
        return None
    setup = upscaler.setup if isinstance(upscaler, Upscaler) else Setup("swscale", "cpu", "f32")
    together = name in (setup.device, f"{setup.device}:0")
    if hwaccel == "auto" and not together:
        return None
    return Offload(name, keeps=together and setup.engine in TAKES_DLPACK, always=hwaccel == "cuda")
