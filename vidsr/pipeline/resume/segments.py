"""Write a video in segments that stay on disk, so that a run that was stopped can be resumed."""

import errno
from collections.abc import Container, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from fractions import Fraction
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from vidsr import zoo
from vidsr.context import Context, Stop, ignore
from vidsr.engines import ENGINES, runtime_version, settle
from vidsr.errors import DiskFull, InputError, NotPipeable, OutputError, TargetExists, VidsrError
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.io.names import is_address, title_of
from vidsr.io.pipes import is_fifo
from vidsr.pipeline.progress import RunRecord
from vidsr.pipeline.resume.identity import Plan, as_text, identity_of
from vidsr.pipeline.resume.journal import Journal, begun_model, clear_up
from vidsr.pipeline.stages import JobOptions, upscaled
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.video.read.source import Source, open_source
from vidsr.video.sequence import pattern_of
from vidsr.video.timing import rational
from vidsr.video.write.copy.containers import Muxer, muxer_of
from vidsr.video.write.encoding_plan import EncodingPlan
from vidsr.video.write.segment_file import EncodedPacket, codec_versions, digest_of, read_segments, write_segment
from vidsr.video.write.sink import VideoSink, open_sink
from vidsr.video.write.target import move_into_place, open_target


def upscale_in_segments(
    video: Source,
    target: Path,
    upscaler: FrameUpscaler,
    large: VideoInfo,
    options: JobOptions,
    record: RunRecord,
) -> None:
    """Make the segments that are missing in TARGET.vidsr, join them with the other streams, and remove the folder.

    However often it was stopped, and however hard, the target gets the same bytes. The input is decoded from its start
    each time: a decoder's output may depend on everything before, and decoding is cheap.
    Raises OutputError if the folder was begun with another input, model, setting or version, or is in use; DiskFull and
    Stopped, which leave what is done.
    """
    path, folder = _places(target)
    source = Path(str(video.name))
    try:
        # What cannot be written fails now.
        open_target(path, source=source, overwrite=options.encode.overwrite, stop=record.stop).discard()
    except TargetExists:
        clear_up(folder)
        raise
    check_video(video)
    plan = plan_of(source, upscaler, options)
    with _explained(folder), Journal(folder, plan) as journal:
        _count(journal, video, record)
        if not journal.whole.exists():
            copy, encode = video.copy_info(), replace(options.encode, overwrite=True)
            with open_sink(journal.whole, large, encode, copy=copy, context=record.context) as sink:
                assert isinstance(sink, VideoSink)  # images were refused
                _make_missing(video, upscaler, sink.plan, options, journal, record)
                if identity_of(source) != plan["input"]:
                    raise InputError(f"{video.title} changed while it was read; delete {folder} and begin anew")
                with open_source(source, options.read, context=Context(ignore, stop=record.stop)) as again:
                    for item in _joined(again.carried(), read_segments(journal.segments())):
                        record.stop.check()
                        sink.write(item)
        journal.clear()
        move_into_place(journal.whole, path, overwrite=options.encode.overwrite)
        journal.remove()


def model_begun_with(target: Path) -> Path | None:
    """Return the shelf's model that the job of a target was begun with, or None if it is not known.

    Another may be the best when the job is continued, for instance where the cache was deleted.
    """
    if not (begun := begun_model(_places(target)[1])):
        return None
    for path, _ in zoo.shelf():
        if any(file is not None and digest_of(file) in begun for file in (path, zoo.int8_file(path))):
            return path
    return None


def _places(target: Path) -> tuple[Path, Path]:
    """Return the file that is written, and the folder of its job."""
    path = target.resolve() if target.is_symlink() else target
    return path, path.with_name(f"{path.name}.vidsr")


def _make_missing(
    video: Source,
    upscaler: FrameUpscaler,
    encoding: EncodingPlan,
    options: JobOptions,
    journal: Journal,
    record: RunRecord,
) -> None:
    size, large = options.segment_frames, encoding.info
    items = _frames(video, frozenset(journal.done), size, record.stop)

    def counted(ready: Iterable[Frame | Carried]) -> Iterator[Frame]:
        for frame in ready:
            record.stop.check()
            if isinstance(frame, Frame):
                record.count(frame, video.info)
                yield frame

    with closing(upscaled(items, upscaler, video.info, large, reused=record.count_reused)) as ready:
        frames = counted(ready)
        for index in journal.missing():
            segment = write_segment(islice(frames, size), journal.part(index), index, encoding, record.context)
            if segment is None:
                break
            journal.add(segment)


def _frames(video: Source, done: Container[int], size: int, stop: Stop) -> Generator[Frame, None, None]:
    """Yield the frames of segments that are not done yet."""
    count = 0
    for item in video:
        stop.check()
        if isinstance(item, Frame):
            if count // size not in done:
                yield item
            count += 1


def _count(journal: Journal, video: Source, record: RunRecord) -> None:
    """Count what an earlier run did."""
    if journal.done:
        frames = sum(segment.frames for segment in journal.done.values())
        last = journal.done[max(journal.done)]
        begin, end = video.first.pts * video.info.time_base, last.last * Fraction(last.tick)
        record.skip(frames, begin=float(begin), end=float(end))
        record.say(f"continuing after {frames} frames of an earlier run")


def _joined(carried: Iterable[Carried], video: Iterator[EncodedPacket]) -> Iterator[Carried | EncodedPacket]:
    """Yield all packets in the order of decoding times; those without one keep their place."""
    ahead = next(video, None)
    for item in carried:
        packet, tick = item.packet, rational(item.packet.time_base)
        time = packet.dts if packet.dts is not None else packet.pts
        while ahead and time is not None and tick and ahead.decoding_time <= time * tick:
            yield ahead
            ahead = next(video, None)
        yield item
    if ahead:
        yield ahead
    yield from video


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn failures of the system into messages that say what they mean for the job."""
    try:
        yield
    except (DiskFull, OSError) as exc:
        full = isinstance(exc, DiskFull) or exc.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        if full:
            raise DiskFull(
                f"{title_of(folder)}: its disk is full; free some space, and the same command continues with "
                "what is done"
            ) from exc
        if isinstance(exc, VidsrError):
            raise
        raise OutputError(
            f"{title_of(folder)} cannot be written: {exc.strerror}; fix that, and run the command again"
        ) from exc


_PLAYLISTS = ("hls", "concat")


def check_resumable(source: object, target: object, format: str | None) -> Muxer:
    """Return the container of the target.

    Raises InputError if the input cannot be read twice; NotPipeable or OutputError if segments cannot be joined in it.
    """
    piped = not isinstance(source, str | Path) or source == "-" or is_address(source)
    path = Path(str(source))
    if piped or pattern_of(path) is not None or (path.exists() and not path.is_file()):
        raise InputError(
            f"{title_of(source)} is not a file; --resume reads its input again, so save it first, or leave --resume out"
        )
    if not isinstance(target, str | Path) or target == "-" or is_address(target) or is_fifo(Path(target)):
        raise NotPipeable(
            f"{title_of(target, pipe='stdout')} is not a file, which --resume writes; name a file, or leave "
            "--resume out"
        )
    muxer = muxer_of(target, format)
    if muxer.image or muxer.name == "yuv4mpegpipe":
        what = "holds images, which stay once they are made" if muxer.image else "holds raw frames, not packets"
        raise OutputError(f"{title_of(target)} {what}; leave --resume out")
    return muxer


def check_video(video: Source) -> None:
    """Raise InputError if the input is a list of files."""
    if video.container.format.name in _PLAYLISTS:
        raise InputError(f"{video.title} is a list of other files, which may change; leave --resume out")


def plan_of(source: Path, upscaler: FrameUpscaler, options: JobOptions) -> Plan:
    """Return all that the bytes of the result depend on."""
    given = {**asdict(options.read), **asdict(options.upscale), **asdict(options.encode)}
    given["segment_frames"] = options.segment_frames
    for name in ("model", "hwaccel", "strict", "live", "overwrite", "in_flight", "threads", "repeatable", "compute"):
        del given[name]  # the model is compared by its bytes, and the others change none of the result here
    versions = {"vidsr": version("vidsr"), **codec_versions()}
    asked = options.upscale
    if upscaler.files:
        engine = settle(engine=asked.engine, device=asked.device, precision=asked.precision).engine
        versions[ENGINES[engine].package] = runtime_version(engine)
    model = {"content": ", ".join(map(digest_of, upscaler.files))} if upscaler.files else {"model": str(asked.model)}
    return {"input": identity_of(source), "model": model, "settings": as_text(given), "versions": versions}
