"""The cases of one size, measured in turns, so that what the machine does meanwhile falls on all alike."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from vidsr.bench.case_runs import first_frames, run_network, run_pipeline, run_whole
from vidsr.bench.case_runs__timing import Run, timing_of
from vidsr.bench.cases import Case
from vidsr.bench.process import first_frame_s, peak_mb
from vidsr.bench.speed_table__report import Result
from vidsr.engines import Setup
from vidsr.frames import Frame
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler, open_upscaler

PICTURES = 8
BLOCKS = 2  # of the network alone, for each run of the film
BLOCK_S = 0.2  # that a block lasts about
RUN_S = 2.0  # that a run of the film lasts at most, unless it has no more than LEAST frames
LEAST_BLOCK, LEAST = 2, 4  # frames of each


@dataclass(slots=True)
class Entrant:
    """A case and what it has run so far."""

    case: Case
    upscaler: Upscaler | ResizingUpscaler
    pictures: list[Frame]
    """That the network is given, one after the other."""
    frame_s: float = 0.0
    """Seconds that the network takes for a frame, roughly."""
    network: list[Run] = field(default_factory=list)
    pipeline: list[Run] = field(default_factory=list)
    whole: list[Run] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)

    def count(self, seconds: float, least: int, most: int) -> int:
        """How many frames fit into a time."""
        return max(least, min(most, round(seconds / self.frame_s)))


def steps(cases: int, runs: int) -> int:
    """How often `measure` ticks."""
    return cases * (1 + BLOCKS * runs + 2 * runs)


def measure(
    cases: Sequence[Case],
    film: Path,
    *,
    frames: int,
    runs: int,
    peaks: Mapping[Setup, float],
    tick: Callable[[], None],
) -> list[Result]:
    """Measure the cases of one size; the first is what the others are held against.

    film: of their input size, with so many frames; large pictures are written beside it. tick: called after each step.
    """
    target = film.with_name("large.mp4")
    commands = []
    for case in cases:
        first = median(first_frame_s(film, case.options) for _ in range(runs))
        commands.append((first, peak_mb(film, target, case.options)))
        tick()
    with ExitStack() as stack:
        entrants = []
        pictures = first_frames(film, PICTURES)
        for case in cases:
            upscaler = open_upscaler(**case.enlarging)
            stack.callback(upscaler.close)
            entrants.append(Entrant(case, upscaler, pictures))
        _take_turns(entrants, film, target, frames=frames, runs=runs, tick=tick)
    beside = entrants[0]
    return [
        Result(
            case=each.case,
            network=timing_of(each.network, beside.network),
            pipeline=timing_of(each.pipeline, beside.pipeline),
            whole=timing_of(each.whole, beside.whole),
            first_frame_s=first,
            peak_mb=held,
            cores=median(each.cores),
            matrix_peak=peaks.get(each.case.setup) if each.case.setup else None,
        )
        for each, (first, held) in zip(entrants, commands, strict=True)
    ]


def _take_turns(
    entrants: list[Entrant], film: Path, target: Path, *, frames: int, runs: int, tick: Callable[[], None]
) -> None:
    for each in entrants:
        run_network(each.upscaler, each.pictures, 1)  # compiled, and warm
        each.frame_s = run_network(each.upscaler, each.pictures, 1).ms / 1000
    for _ in range(BLOCKS * runs):
        for each in entrants:
            each.network.append(run_network(each.upscaler, each.pictures, each.count(BLOCK_S, LEAST_BLOCK, 64)))
            tick()
    for _ in range(runs):
        for each in entrants:
            each.pipeline.append(run_pipeline(each.case, each.upscaler, film, each.count(RUN_S, LEAST, frames)))
            tick()
    for _ in range(runs):
        for each in entrants:
            run, cores = run_whole(each.case, film, target, each.count(RUN_S, LEAST, frames))
            each.whole.append(run)
            each.cores.append(cores)
            tick()
