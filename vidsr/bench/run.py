"""Measuring: every case of a size takes turns, so that what else happens on the machine affects all alike."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from vidsr.bench.case_runs import (
    TimedRun,
    first_frame_s,
    first_frames,
    peak_mb,
    run_network,
    run_pipeline,
    run_whole,
    timing_of,
)
from vidsr.bench.cases import Case, cases_of, setups_of
from vidsr.bench.conditions import current_conditions
from vidsr.bench.matmul_peak import matrix_peak
from vidsr.bench.speed_table import CaseResult, SpeedReport
from vidsr.bench.test_clip import LEAST_FRAMES, write_video
from vidsr.engines import Setup
from vidsr.errors import EngineError, WrongOption
from vidsr.frames import Frame
from vidsr.io.atomic import TemporaryFolder
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.upscaler import open_upscaler
from vidsr.video.read.hwdecode import can_open_gpu

FRAMES, RUNS = 48, 3
FRAMES_IN_MEMORY = 8
BLOCKS = 2  # runs of the network alone for each run over the video
BLOCK_S = 0.2  # length of a run of the network alone
LEAST_BLOCK, MOST_BLOCK = 2, 64  # frames of such a run
RUN_S = 2.0  # longest run over the video, unless it has only LEAST_FRAMES frames


def bench(
    models: Sequence[str | Path] = (),
    *,
    sizes: Sequence[str] = (),
    engines: Sequence[str] = ("auto",),
    precisions: Sequence[str] = ("auto",),
    video: Path | None = None,
    frames: int = FRAMES,
    runs: int = RUNS,
    progress: Callable[[int, int], None] | None = None,
) -> SpeedReport:
    """Measure models on this machine, each next to bicubic.

    models, sizes: see `cases_of`. video: the frames to measure on; None generates them. frames: how many of them, four
    or more. runs: over each video, in turns; the network alone runs twice as often. progress: called with the number of
    steps done and their total.
    Raises UnknownModel, NotAModel, WrongOption, EngineError, NotAVideo, DataError.
    """
    if frames < LEAST_FRAMES or runs < 1:
        raise WrongOption(f"expected {LEAST_FRAMES} frames and 1 run, or more; got {frames} and {runs}")
    can_open_gpu("cuda")  # as `upscale` does, before anything else uses the GPU: later FFmpeg would decode on the CPU
    setups, notices = setups_of(engines, precisions)
    by_size = cases_of(models, sizes, setups)
    conditions = current_conditions(setups)
    total = sum(step_count(len(cases), runs) for cases in by_size.values())
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    peaks = {}
    used = {case.setup for cases in by_size.values() for case in cases if case.setup}
    for setup in (each for each in used if each.precision != "int8"):  # whose peak would be that of f32
        try:
            peaks[setup] = matrix_peak(setup)
        except EngineError as exc:
            notices.append(f"the matrix peak of {setup.engine} {setup.precision} is left out: {exc}")
    results: list[CaseResult] = []
    count = 0
    with TemporaryFolder(Path(tempfile.gettempdir())) as folder:
        for size, cases in by_size.items():
            small = folder / f"{size.name}.mkv"
            count = write_video(small, size.width, size.height, frames, video)
            results += measure(cases, small, frames=count, runs=runs, peaks=peaks, tick=tick)
    title = "A generated video" if video is None else video.name
    return SpeedReport(conditions, title, count, runs, tuple(results), tuple(notices))


def step_count(cases: int, runs: int) -> int:
    """Return how often `measure` calls `tick`."""
    return cases * (1 + BLOCKS * runs + 2 * runs)


def measure(
    cases: Sequence[Case],
    video: Path,
    *,
    frames: int,
    runs: int,
    peaks: Mapping[Setup, float],
    tick: Callable[[], None],
) -> list[CaseResult]:
    """Measure the cases of one size, relative to the first.

    video: of their input size, with this many frames; outputs are written next to it. tick: called after each step.
    """
    target = video.with_name("large.mp4")
    commands = []
    for case in cases:
        first = median(first_frame_s(video, case.arguments) for _ in range(runs))
        commands.append((first, peak_mb(video, target, case.arguments)))
        tick()
    with ExitStack() as stack:
        pictures = first_frames(video, FRAMES_IN_MEMORY)
        measured = []
        for case in cases:
            upscaler = open_upscaler(case.upscaling)
            stack.callback(upscaler.close)
            measured.append(_Measured(case, upscaler, pictures))
        _take_turns(measured, video, target, frames=frames, runs=runs, tick=tick)
    bicubic = measured[0]
    return [
        CaseResult(
            case=each.case,
            network=timing_of(each.network, bicubic.network),
            pipeline=timing_of(each.pipeline, bicubic.pipeline),
            whole=timing_of(each.whole, bicubic.whole),
            first_frame_s=first,
            peak_mb=memory,
            cores=median(each.cores),
            matrix_peak=peaks.get(each.case.setup) if each.case.setup else None,
        )
        for each, (first, memory) in zip(measured, commands, strict=True)
    ]


@dataclass(slots=True)
class _Measured:
    """A case and its runs so far."""

    case: Case
    upscaler: FrameUpscaler
    pictures: list[Frame]
    """The frames in memory that the network is given in turn."""
    frame_s: float = 0.0
    """Approximate time of the network per frame, in seconds."""
    network: list[TimedRun] = field(default_factory=list)
    pipeline: list[TimedRun] = field(default_factory=list)
    whole: list[TimedRun] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)

    def run_network(self, count: int) -> TimedRun:
        return run_network(self.upscaler, self.pictures, count)

    def count(self, seconds: float, least: int, most: int) -> int:
        """Return how many frames fit into a time."""
        return max(least, min(most, round(seconds / self.frame_s)))


def _take_turns(
    measured: list[_Measured], video: Path, target: Path, *, frames: int, runs: int, tick: Callable[[], None]
) -> None:
    for each in measured:
        each.run_network(1)  # compiles the network
        each.frame_s = each.run_network(1).ms / 1000
    for _ in range(BLOCKS * runs):
        for each in measured:
            each.network.append(each.run_network(each.count(BLOCK_S, LEAST_BLOCK, MOST_BLOCK)))
            tick()
    for _ in range(runs):
        for each in measured:
            count = each.count(RUN_S, LEAST_FRAMES, frames)
            each.pipeline.append(run_pipeline(each.case, each.upscaler, video, count))
            tick()
    for _ in range(runs):
        for each in measured:
            run, cores = run_whole(each.case, video, target, each.count(RUN_S, LEAST_FRAMES, frames))
            each.whole.append(run)
            each.cores.append(cores)
            tick()
