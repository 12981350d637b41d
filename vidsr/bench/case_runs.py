"""One run of one case: the network alone, the way from file to large picture, and the whole way to a file."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

from vidsr.bench.case_runs__timing import Run, run_of
from vidsr.bench.cases import Case
from vidsr.bench.test_clip import RATE
from vidsr.frames import Frame
from vidsr.pipeline import upscale, upscale_video
from vidsr.pipeline.stages__flow import enlarged
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler
from vidsr.video.read.source import open_source


def first_frames(film: Path, count: int) -> list[Frame]:
    """The film's first frames."""
    with open_source(film) as source:
        return list(islice((item for item in source if isinstance(item, Frame)), count))


def run_network(upscaler: Upscaler | ResizingUpscaler, frames: Sequence[Frame], count: int) -> Run:
    """Enlarge frames in memory, as many under way as for a file; those that fill and empty the line do not count."""
    ahead = upscaler.in_flight
    line = islice(cycle(frames), count + 1 + 2 * ahead)
    stamps = [time.perf_counter() for _ in upscale(line, upscaler)]
    return run_of(stamps[ahead : ahead + count + 1])


def run_pipeline(case: Case, upscaler: Upscaler | ResizingUpscaler, film: Path, count: int) -> Run:
    """Decode and enlarge in the pipeline's threads, from the first frame out to the last."""
    with open_source(film, duration=Fraction(count, RATE)) as source:
        large = replace(source.info, width=case.size.large_width, height=case.size.large_height)
        with closing(enlarged(source, upscaler, source.info, large)) as ready:
            return run_of([time.perf_counter() for item in ready if isinstance(item, Frame)])


def run_whole(case: Case, film: Path, target: Path, count: int) -> tuple[Run, float]:
    """Decode, enlarge, encode by x264 and write, from the first frame written to the end; and how many cores that kept
    busy. What comes before (opening, compiling) does not count.
    """
    stamps: list[float] = []
    spent: list[float] = []

    def stamp(_: object) -> None:
        stamps.append(time.perf_counter())
        spent.append(time.process_time())

    upscale_video(
        film,
        target,
        **case.enlarging,
        preset="veryfast",
        duration=Fraction(count, RATE),
        overwrite=True,
        progress=stamp,
    )
    end = time.perf_counter()
    return run_of(stamps, end), (time.process_time() - spent[0]) / (end - stamps[0])
