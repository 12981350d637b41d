"""Upscale a stream as it comes: the stages of `pipeline.stages`, with a controller between them."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace

from vidsr.context import Code, Context
from vidsr.frames import Carried, Frame, VideoInfo
from vidsr.pipeline.realtime.controller import Controller, Load
from vidsr.pipeline.realtime.latency_meter import LatencyMeter, RealtimeReport
from vidsr.pipeline.realtime.rungs import Rungs
from vidsr.pipeline.realtime.stream_clock import Arrived, StreamClock, arrivals
from vidsr.pipeline.stages import JobOptions
from vidsr.prefetch import closed_after, prefetch
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.video.read.source import Source

QUEUE_BYTES, QUEUE_ITEMS = 64 << 20, 64  # of what has arrived; beyond it the reader waits
USUAL_S, FRAMES = 0.1, 3  # latency that is kept by default, at least so many frames
DROPPED = "even resizing does not keep up with the video"


class LiveRun:
    """One run in real time."""

    def __init__(self, rungs: Rungs, info: VideoInfo, context: Context, *, latency: float | None, paced: bool) -> None:
        """latency: seconds; None for the usual. paced: whether the input is a file, read at its own rate."""
        self._duration = float(1 / info.rate) if info.rate else 0.04
        latency = max(USUAL_S, FRAMES * self._duration) if latency is None else latency
        self._rungs, self._context, self._paced = rungs, context, paced
        self._controller, self._meter = Controller(rungs.networks, latency), LatencyMeter(latency)
        self._inside: deque[float] = deque()  # when the frames arrived that have been upscaled
        self._arrived = self._taken = 0

    def upscaled(
        self,
        items: Iterable[Frame | Carried],
        small: VideoInfo,
        *,
        stopped: Callable[[], bool] | None = None,
        reused: Callable[[], None] | None = None,
    ) -> Generator[Frame | Carried, None, None]:
        """Run reading and inference in two threads; see `stages.upscaled`."""
        depth = max(4, min(QUEUE_ITEMS, QUEUE_BYTES // small.frame_bytes))
        stamped = arrivals(items, StreamClock(), paced=self._paced, stop=self._context.stop)
        arrived = prefetch(self._counted(stamped), depth=depth, stopped=stopped)
        return prefetch(self._in_time(arrived, reused), depth=1)

    def encoded(self, seconds: float) -> None:
        """Count a frame that leaves, after it was encoded in so many seconds."""
        self._controller.encoded(seconds)
        self._meter.left(time.monotonic() - self._inside.popleft())

    @property
    def resized(self) -> Frame:
        """The first frame, resized."""
        return self._rungs.resized

    def describe(self) -> str:
        """Return how the run kept up so far, in a few words."""
        return str(self._meter.report())

    def finish(self) -> RealtimeReport:
        """Return how the run kept up; warn of frames that were dropped."""
        if dropped := self._meter.dropped:
            many = "1 frame was" if dropped == 1 else f"{dropped} frames were"
            codes = (Code.FRAMES, Code.PTS, Code.DURATION, Code.PICTURE, Code.START)
            self._context.warn(f"{many} dropped: {DROPPED}", *codes)
        return self._meter.report()

    def _counted(self, items: Iterable[Arrived | Carried]) -> Generator[Arrived | Carried, None, None]:
        with closed_after(items) as iterator:
            for item in iterator:
                self._arrived += isinstance(item, Arrived)
                yield item

    def _in_time(
        self, items: Iterable[Arrived | Carried], reused: Callable[[], None] | None
    ) -> Generator[Frame | Carried, None, None]:
        before: tuple[Frame, Frame] | None = None  # a frame, small and large
        last: float | None = None
        shown, names = 0.0, self._rungs.names
        with closed_after(items) as iterator:
            for item in iterator:
                if isinstance(item, Carried):
                    yield item
                    continue
                self._taken += 1
                frame, now = item.frame, time.monotonic()
                gap = 0.0 if last is None else frame.time - last
                last = frame.time
                duration = gap if gap > 0 else frame.duration or self._duration
                waiting = max(self._arrived - self._taken, 0)
                decision = self._controller.decide(Load(now, now - item.at, now - item.due, waiting, duration))
                if decision.drop:
                    self._drop()
                    continue
                if before is not None and before[0].qp == frame.qp and frame.shows(before[0]):
                    # av_frame is the small frame: a sink copies the planes into a new one with its side data.
                    larger = replace(
                        before[1], pts=frame.pts, duration_ticks=frame.duration_ticks, time_base=frame.time_base,
                        av_frame=frame.av_frame,
                    )  # fmt: skip
                    if reused is not None:
                        reused()
                else:
                    larger, computed, shown = self._rungs.upscale(frame, decision)
                    # The share is of a whole frame's time; tiles of the same area take more, for what lies around them.
                    taken = decision.share if computed else 0.0
                    self._controller.upscaled(time.monotonic() - now, computed=taken)
                before = frame, larger
                rung = decision.rung if decision.share else len(self._rungs.networks)
                self._meter.took(names[rung], shown, now)
                self._inside.append(item.at)
                yield larger

    def _drop(self) -> None:
        if not self._meter.dropped:
            self._context.warn(f"frames are being dropped: {DROPPED}; try a smaller size or a faster preset")
        self._meter.dropped += 1


@contextmanager
def open_live_run(
    video: Source, upscaler: FrameUpscaler, options: JobOptions, context: Context
) -> Generator[LiveRun, None, None]:
    """Open the networks of a live run, and measure them on the first frame."""
    with Rungs(upscaler, options.upscale, video.first, context) as rungs:
        asked = options.realtime.latency
        latency = None if asked is None else asked / 1000
        yield LiveRun(rungs, video.info, context, latency=latency, paced=not video.live)
