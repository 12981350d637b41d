"""Runs of one case: the network alone, decoding and upscaling, everything up to a file, and the command itself."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np

from vidsr.bench import peak_memory
from vidsr.bench.cases import Case
from vidsr.bench.test_clip import RATE
from vidsr.context import Context, ignore
from vidsr.errors import EngineError
from vidsr.frames import Frame
from vidsr.options import EncodeOptions, ReadOptions
from vidsr.pipeline import run_job, upscale
from vidsr.pipeline.stages import JobOptions, upscaled
from vidsr.system import child_environment
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.video.read.source import open_source

COMMAND = [sys.executable, "-P", "-m", "vidsr", "upscale", "--quiet"]


@dataclass(frozen=True, slots=True)
class TimedRun:
    """One run over some frames."""

    ms: float
    """Mean time per frame, from the first frame to the end."""
    gaps: tuple[float, ...]
    """Milliseconds from each frame to the next."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one case compares with another, over the turns in which both ran."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a frame takes."""

    ms: float
    """Median over the runs."""
    p95_ms: float
    """95th percentile of the time from one frame to the next."""
    of_bicubic: Ratio
    """Frames per second relative to bicubic's; 1 is as fast."""

    @property
    def fps(self) -> float:
        """Frames per second."""
        return 1000 / self.ms


def first_frames(video: Path, count: int) -> list[Frame]:
    """Return the first frames of a video."""
    with open_source(video) as source:
        return list(islice((item for item in source if isinstance(item, Frame)), count))


def run_network(upscaler: FrameUpscaler, frames: Sequence[Frame], count: int) -> TimedRun:
    """Upscale frames in memory, with as many in flight as for a file. Filling and draining do not count."""
    ahead = upscaler.in_flight
    stream = islice(cycle(frames), count + 1 + 2 * ahead)
    stamps = [time.perf_counter() for _ in upscale(stream, upscaler)]
    return run_of(stamps[ahead : ahead + count + 1])


def run_pipeline(case: Case, upscaler: FrameUpscaler, video: Path, count: int) -> TimedRun:
    """Decode and upscale in the pipeline's threads, timed from the first result to the last."""
    with open_source(video, ReadOptions(duration=Fraction(count, RATE))) as source:
        large = replace(source.info, width=case.size.large_width, height=case.size.large_height)
        with closing(upscaled(source, upscaler, source.info, large)) as results:
            return run_of([time.perf_counter() for item in results if isinstance(item, Frame)])


def run_whole(case: Case, video: Path, target: Path, count: int) -> tuple[TimedRun, float]:
    """Decode, upscale, encode with x264 and write. Return the run, and the mean number of busy cores.

    Timed from the first frame written to the end; opening files and compiling the network do not count.
    """
    stamps: list[float] = []
    cpu_times: list[float] = []

    def stamp(_: object) -> None:
        stamps.append(time.perf_counter())
        cpu_times.append(time.process_time())

    options = JobOptions(
        ReadOptions(duration=Fraction(count, RATE)), case.upscaling, EncodeOptions(preset="veryfast", overwrite=True)
    )
    run_job(video, target, options, context=Context(ignore, stamp))
    end = time.perf_counter()
    return run_of(stamps, end), (time.process_time() - cpu_times[0]) / (end - stamps[0])


def first_frame_s(video: Path, options: list[str]) -> float:
    """Return the seconds from starting `vidsr upscale` in a new process until its first frame comes out of a pipe.

    The output is raw H.264, which begins with the first frame: a container's header comes before the network is ready.
    """
    command = [*COMMAND, *options, "--format", "h264", str(video), "-"]
    start = time.perf_counter()
    with subprocess.Popen(
        command, env=child_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        first_byte = child.stdout.read(1)
        seconds = time.perf_counter() - start
        if not first_byte:
            raise _failed(command, child.stderr.read().decode(errors="replace"))
        child.kill()
    return seconds


def peak_mb(video: Path, target: Path, options: list[str]) -> float | None:
    """Return the peak memory of `vidsr upscale` over one second of video, in MB; None if the system has no wait4."""
    if not hasattr(os, "wait4"):
        return None
    command = [*COMMAND, *options, "--duration", "1", "--overwrite", str(video), str(target)]
    measured = subprocess.run(
        [sys.executable, "-IS", peak_memory.__file__, *command],
        env=child_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    result = json.loads(measured.stdout)
    if result["code"]:
        raise _failed(command, measured.stderr)
    return float(result["bytes"] / 1e6)


def run_of(stamps: Sequence[float], end: float | None = None) -> TimedRun:
    """Summarise a run. stamps: when each frame was ready, in seconds, two or more; end: when all was done, if later."""
    last = stamps[-1] if end is None else end
    gaps = tuple(1000 * float(gap) for gap in np.diff(stamps))
    return TimedRun(1000 * (last - stamps[0]) / len(gaps), gaps)


def timing_of(runs: Sequence[TimedRun], bicubic: Sequence[TimedRun]) -> Timing:
    """Summarise the runs of a case. bicubic: its runs in the same turns."""
    ratios = [other.ms / run.ms for run, other in zip(runs, bicubic, strict=True)]
    gaps = [gap for run in runs for gap in run.gaps]
    return Timing(
        median(run.ms for run in runs),
        float(np.percentile(gaps, 95)),
        Ratio(median(ratios), min(ratios), max(ratios)),
    )


def _failed(command: list[str], stderr: str) -> EngineError:
    reason = next(reversed(stderr.strip().splitlines()), "it printed nothing").removeprefix("vidsr: ")
    return EngineError(f"`vidsr {' '.join(command[4:])}` could not be measured: {reason}")
