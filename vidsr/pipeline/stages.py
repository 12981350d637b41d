"""The stages between a source and a sink, each an iterator over the one before: upscaled, watch_delay."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

from vidsr.context import Code, Context
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.options import EncodeOptions, ReadOptions, RealtimeOptions, UpscaleOptions
from vidsr.prefetch import closed_after, prefetch
from vidsr.upscaling.frame_upscaler import FrameUpscaler, PendingFrame
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.upscaler import Upscaler
from vidsr.video.convert.side_data import is_turned
from vidsr.video.read.source import Source
from vidsr.video.write.rgb_video import needs_even_sides

Item = Frame | Carried

LATE_S = 1.0  # a live run this far behind says so
LATE_AGAIN_S = 30.0  # and not again for so long


class UpscalesFrames(Protocol):
    """What `upscale` needs of an upscaler."""

    in_flight: int

    def submit(self, frame: Frame) -> PendingFrame:
        """Start on one frame and return at once."""


def upscale(
    stream: Iterable[Item], upscaler: UpscalesFrames, *, reused: Callable[[], None] | None = None
) -> Generator[Item, None, None]:
    """Upscale the frames of a stream and let everything else through, in order.

    At most `upscaler.in_flight` frames are held back: 2 or more for files; 1 for live streams, so that a frame never
    waits for the next one. Carried packets wait behind the frames they followed. A frame that repeats the one
    before takes over its planes, which the upscaler would make again; `reused` is called for each of these.
    Closing the iterator drops what is held back, and closes `stream` if it is a generator.
    """
    held: deque[PendingFrame | Item] = deque()  # a Frame in it repeats the one before
    under_way = 0
    before: Frame | None = None
    with closed_after(stream) as items:
        results = _results(held, reused)
        for item in items:
            if isinstance(item, Carried):
                held.append(item)
            else:
                held.append(item if _repeats(item, before) else upscaler.submit(item))
                before = item
                under_way += 1
            while held and (under_way == upscaler.in_flight or isinstance(held[0], Item)):
                under_way -= not isinstance(held[0], Carried)
                yield next(results)
        while held:
            yield next(results)


def _repeats(frame: Frame, before: Frame | None) -> bool:
    """Return whether an upscaler would make the same of both."""
    return before is not None and frame.qp == before.qp and frame.shows(before)


def _results(held: deque[PendingFrame | Item], reused: Callable[[], None] | None) -> Iterator[Item]:
    """Yield what is held in order, waiting for each."""
    larger: Frame | None = None
    while True:
        head = held.popleft()
        if isinstance(head, Carried):
            yield head
        elif isinstance(head, Frame):
            assert larger is not None
            if reused is not None:
                reused()
            # av_frame is the small frame: a sink copies the planes into a new one with its side data.
            yield replace(
                larger,
                pts=head.pts,
                duration_ticks=head.duration_ticks,
                time_base=head.time_base,
                av_frame=head.av_frame,
            )
        else:
            larger = head.result()
            yield larger


def watch_delay(stream: Iterable[Item], late: Callable[[float], None]) -> Generator[Item, None, None]:
    """Let a live stream through, and report how many seconds its consumers are behind it.

    Time spent waiting for the stream itself, beyond its duration, does not count: it may pause.
    late: called when more than `LATE_S` behind, then at most every `LATE_AGAIN_S`.
    """
    behind, reported, last = 0.0, -LATE_AGAIN_S, None
    with closed_after(stream) as items:
        asked = time.monotonic()
        for item in items:
            came = time.monotonic()
            yield item
            taken = time.monotonic()
            lasts = 0.0
            if isinstance(item, Frame):
                lasts, last = (item.time - last if last is not None else 0.0), item.time
            behind = max(behind + (taken - came) + min(came - asked, lasts) - lasts, 0.0)
            if behind > LATE_S and taken - reported > LATE_AGAIN_S:
                late(behind)
                reported = taken
            asked = taken


QUEUE_BYTES = 16 << 20  # of frames waiting between two threads
QUEUE_ITEMS = 16
LARGE_BYTES = 32 << 20  # frames beyond it (8K; 4K at 10 bits has 24 MiB) wait one by one


@dataclass(frozen=True)
class JobOptions:
    """All that an output depends on, besides its input."""

    read: ReadOptions = field(default_factory=ReadOptions)
    upscale: UpscaleOptions = field(default_factory=UpscaleOptions)
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    segment_frames: int = 250
    """Frames in a segment, where the video is written in segments."""
    realtime: RealtimeOptions = field(default_factory=RealtimeOptions)


def plan_output(
    video: Source, upscaler: FrameUpscaler, options: JobOptions, target: str | Path | BinaryIO, context: Context
) -> tuple[Plan, VideoInfo]:
    """Return what becomes of the frames, and how the output is described; warn of what users may not expect.

    A size that was asked for is that of the video as players show it.
    """
    info = video.info
    if is_turned(video.display_matrix):
        upscaler.wanted = upscaler.wanted.turned()
    odd = upscaler.plan(info.width, info.height, (0, 0))
    upscaler.wanted = replace(upscaler.wanted, even=needs_even_sides(info, target, options.encode))
    halvings = (0, 0) if info.gray else info.color.subsampling
    plan = upscaler.plan(info.width, info.height, halvings)
    if (odd.width, odd.height) != (plan.width, plan.height):
        what = f"{odd.width}x{odd.height} becomes {plan.width}x{plan.height}: chroma subsampling needs even sides"
        context.warn(what, Code.ASPECT)
    if plan.card is None and isinstance(upscaler, Upscaler):
        context.warn(f"the input is {info.width}x{info.height} already: it is resized without a model")
    aspect = _aspect(info, plan) if options.upscale.width and options.upscale.height else info.aspect
    return plan, replace(info, width=plan.width, height=plan.height, aspect=aspect)


def upscaled(
    items: Iterable[Item],
    upscaler: FrameUpscaler,
    small: VideoInfo,
    large: VideoInfo,
    *,
    live: bool = False,
    stopped: Callable[[], bool] | None = None,
    reused: Callable[[], None] | None = None,
) -> Generator[Item, None, None]:
    """Run decoding and inference in two threads, a few frames ahead of the consumer.

    small, large: the frames before and after. live: no frame waits for the next. stopped: see `prefetch`. reused: see
    `upscale`.
    """

    def depth(info: VideoInfo) -> int:
        least = 2 if info.frame_bytes <= LARGE_BYTES else 1
        return 1 if live else max(least, min(QUEUE_ITEMS, QUEUE_BYTES // info.frame_bytes))

    decoded = prefetch(items, depth=depth(small), stopped=stopped)
    return prefetch(upscale(decoded, upscaler, reused=reused), depth=depth(large))


def _aspect(info: VideoInfo, plan: Plan) -> Fraction:
    """Return the sample aspect ratio that keeps the aspect ratio of the video."""
    shape = info.aspect * Fraction(info.width * plan.height, info.height * plan.width)
    return shape.limit_denominator(255)
