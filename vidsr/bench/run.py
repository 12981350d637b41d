"""The measurement from end to end."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from vidsr.bench.case_runs import Run, first_frames, run_network, run_pipeline, run_whole, timing_of
from vidsr.bench.cases import Case, cases_of, setups_of
from vidsr.bench.conditions import this_machine
from vidsr.bench.matmul_peak import matrix_peak
from vidsr.bench.process import first_frame_s, peak_mb
from vidsr.bench.speed_table import Report, Result
from vidsr.bench.test_clip import write_video
from vidsr.engines import Setup
from vidsr.errors import EngineError, WrongOption
from vidsr.frames import Frame
from vidsr.io.atomic import TemporaryFolder
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.video.read.hwdecode import opens

FRAMES, LEAST_FRAMES, RUNS = 48, 4, 3


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
) -> Report:
    """Measure models on this machine, each beside bicubic.

    models: names or paths; none: the shelf's live-… and fast-… of the size's factor. sizes: as 270p-1080p; none: those
    that the models are made for. film: what is shown; None: one that is drawn. frames: of the film, four or more.
    runs: of each film, in turns; the network alone runs twice as often. progress: called with the steps done and in
    all. Raises UnknownModel, NotAModel, WrongOption, EngineError, NotAVideo, DataError.
    """
    if frames < LEAST_FRAMES or runs < 1:
        raise WrongOption(f"{frames} frames and {runs} runs are too few; give {LEAST_FRAMES} and 1, or more")
    opens("cuda")  # as `upscale` does, before anything else uses the GPU: later FFmpeg would decode on the CPU
    setups, notices = setups_of(engines, precisions)
    by_size = cases_of(models, sizes, setups)
    machine = this_machine(setups)
    total = sum(steps(len(cases), runs) for cases in by_size.values())
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    peaks = {}
    for setup in {case.setup for cases in by_size.values() for case in cases if case.setup}:
        try:
            peaks[setup] = matrix_peak(setup)
        except EngineError as exc:
            notices.append(f"the matrix peak of {setup.engine} {setup.precision} is left out: {exc}")
    results: list[Result] = []
    shown = 0
    with TemporaryFolder(Path(tempfile.gettempdir())) as folder:
        for size, cases in by_size.items():
            small = folder / f"{size.name}.mkv"
            shown = write_video(small, size.width, size.height, frames, video)
            results += measure(cases, small, frames=shown, runs=runs, peaks=peaks, tick=tick)
    title = "A film drawn for this" if video is None else video.name
    return Report(machine, title, shown, runs, tuple(results), tuple(notices))


PICTURES = 8
BLOCKS = 2  # of the network alone, for each run of the film
BLOCK_S = 0.2  # that a block lasts about
RUN_S = 2.0  # that a run of the film lasts at most, unless it has no more than LEAST frames
LEAST_BLOCK, LEAST = 2, 4  # frames of each


@dataclass(slots=True)
class Method:
    """A case and what it has run so far."""

    case: Case
    upscaler: FrameUpscaler
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
    video: Path,
    *,
    frames: int,
    runs: int,
    peaks: Mapping[Setup, float],
    tick: Callable[[], None],
) -> list[Result]:
    """Measure the cases of one size; the first is what the others are held against.

    film: of their input size, with so many frames; large pictures are written beside it. tick: called after each step.
    """
    target = video.with_name("large.mp4")
    commands = []
    for case in cases:
        first = median(first_frame_s(video, case.options) for _ in range(runs))
        commands.append((first, peak_mb(video, target, case.options)))
        tick()
    with ExitStack() as stack:
        methods = []
        pictures = first_frames(video, PICTURES)
        for case in cases:
            upscaler = load_upscaler(**case.enlarging)
            stack.callback(upscaler.close)
            methods.append(Method(case, upscaler, pictures))
        _take_turns(methods, video, target, frames=frames, runs=runs, tick=tick)
    beside = methods[0]
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
        for each, (first, held) in zip(methods, commands, strict=True)
    ]


def _take_turns(
    methods: list[Method], video: Path, target: Path, *, frames: int, runs: int, tick: Callable[[], None]
) -> None:
    for each in methods:
        run_network(each.upscaler, each.pictures, 1)  # compiled, and warm
        each.frame_s = run_network(each.upscaler, each.pictures, 1).ms / 1000
    for _ in range(BLOCKS * runs):
        for each in methods:
            each.network.append(run_network(each.upscaler, each.pictures, each.count(BLOCK_S, LEAST_BLOCK, 64)))
            tick()
    for _ in range(runs):
        for each in methods:
            each.pipeline.append(run_pipeline(each.case, each.upscaler, video, each.count(RUN_S, LEAST, frames)))
            tick()
    for _ in range(runs):
        for each in methods:
            run, cores = run_whole(each.case, video, target, each.count(RUN_S, LEAST, frames))
            each.whole.append(run)
            each.cores.append(cores)
            tick()
