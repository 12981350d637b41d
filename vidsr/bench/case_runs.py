"""One run of one case: the network alone, the way from file to large picture, and the whole way to a file."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np

from vidsr.bench.cases import Case
from vidsr.bench.test_clip import RATE
from vidsr.frames import Frame
from vidsr.options import ReadOptions
from vidsr.pipeline import upscale, upscale_video
from vidsr.pipeline.stages import upscaled
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.video.read.source import open_source


def first_frames(video: Path, count: int) -> list[Frame]:
    """The film's first frames."""
    with open_source(video) as source:
        return list(islice((item for item in source if isinstance(item, Frame)), count))


@dataclass(frozen=True, slots=True)
class Run:
    """One run over some frames."""

    ms: float
    """A frame's share of it, from the first frame to the end."""
    gaps: tuple[float, ...]
    """Milliseconds from each frame to the next."""


def run_network(upscaler: FrameUpscaler, frames: Sequence[Frame], count: int) -> Run:
    """Enlarge frames in memory, as many under way as for a file; those that fill and empty the line do not count."""
    ahead = upscaler.in_flight
    line = islice(cycle(frames), count + 1 + 2 * ahead)
    stamps = [time.perf_counter() for _ in upscale(line, upscaler)]
    return run_of(stamps[ahead : ahead + count + 1])


def run_pipeline(case: Case, upscaler: FrameUpscaler, video: Path, count: int) -> Run:
    """Decode and enlarge in the pipeline's threads, from the first frame out to the last."""
    with open_source(video, ReadOptions(duration=Fraction(count, RATE))) as source:
        large = replace(source.info, width=case.size.large_width, height=case.size.large_height)
        with closing(upscaled(source, upscaler, source.info, large)) as ready:
            return run_of([time.perf_counter() for item in ready if isinstance(item, Frame)])


def run_whole(case: Case, video: Path, target: Path, count: int) -> tuple[Run, float]:
    """Decode, enlarge, encode by x264 and write, from the first frame written to the end; and how many cores that kept
    busy. What comes before (opening, compiling) does not count.
    """
    stamps: list[float] = []
    spent: list[float] = []

    def stamp(_: object) -> None:
        stamps.append(time.perf_counter())
        spent.append(time.process_time())

    upscale_video(
        video,
        target,
        **case.enlarging,
        preset="veryfast",
        duration=Fraction(count, RATE),
        overwrite=True,
        progress=stamp,
    )
    end = time.perf_counter()
    return run_of(stamps, end), (time.process_time() - spent[0]) / (end - stamps[0])


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one thing compares with another over the turns in which both ran."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a frame takes."""

    ms: float
    """Median over the runs."""
    p95_ms: float
    """95 of 100 frames came within that time after the one before."""
    of_bicubic: Ratio
    """Frames a second against bicubic's; 1 is as fast."""

    @property
    def fps(self) -> float:
        """Frames a second."""
        return 1000 / self.ms


def run_of(stamps: Sequence[float], end: float | None = None) -> Run:
    """Sum up a run. stamps: when each frame came, in seconds, two or more; end: when all was done, if not then."""
    last = stamps[-1] if end is None else end
    gaps = tuple(1000 * float(gap) for gap in np.diff(stamps))
    return Run(1000 * (last - stamps[0]) / len(gaps), gaps)


def timing_of(runs: Sequence[Run], beside: Sequence[Run]) -> Timing:
    """Sum up the runs. beside: those of bicubic, each from the same turn."""
    ratios = [other.ms / run.ms for run, other in zip(runs, beside, strict=True)]
    gaps = [gap for run in runs for gap in run.gaps]
    return Timing(
        median(run.ms for run in runs),
        float(np.percentile(gaps, 95)),
        Ratio(median(ratios), min(ratios), max(ratios)),
    )
