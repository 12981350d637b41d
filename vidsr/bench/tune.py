"""Measuring how many streams and frames in flight are fastest on this machine, from file to file."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from vidsr.bench.case_runs import run_whole
from vidsr.bench.cases import cases_of
from vidsr.bench.test_clip import write_video
from vidsr.engines import settle
from vidsr.engines.tuning import Tuning, keep_tuning, quickest, trial
from vidsr.errors import OutputError
from vidsr.io.atomic import TemporaryFolder
from vidsr.system import cores

FRAMES, RUNS = 72, 3


def tune(
    model: str | Path,
    *,
    size: str,
    frames: int = FRAMES,
    runs: int = RUNS,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Tuning, dict[Tuning, float]]:
    """Measure how OpenVINO should share this machine's threads among frames, and keep the result.

    Candidates take turns, with decoder and encoder running as in use. progress: called with the runs done and in all.
    Returns the choice, and the milliseconds per frame of each candidate.
    Raises UnknownModel, NotAModel, WrongOption, EngineError, and OutputError if the choice cannot be kept.
    """
    ((measured, (_, case)),) = cases_of([model], [size], [settle(engine="openvino")]).items()
    tries = [replace(each, most_pixels=measured.width * measured.height) for each in candidates(cores())]
    times: dict[Tuning, list[float]] = {each: [] for each in tries}
    with TemporaryFolder(Path(tempfile.gettempdir())) as folder:
        video = folder / "small.mkv"
        count = write_video(video, measured.width, measured.height, frames)
        for turn in range(runs):
            for index, candidate in enumerate(tries):
                with trial(candidate):
                    times[candidate].append(run_whole(case, video, folder / "large.mkv", count)[0].ms)
                if progress:
                    progress(turn * len(tries) + index + 1, runs * len(tries))
    medians = {each: median(runs_ms) for each, runs_ms in times.items()}
    chosen = quickest(medians)
    try:
        keep_tuning(chosen)
    except OSError as exc:
        choice = f"{chosen.streams} streams and {chosen.in_flight} frames in flight"
        raise OutputError(f"{choice} are fastest, but cannot be kept: {exc}; check XDG_CACHE_HOME") from exc
    return chosen, medians


def candidates(most: int) -> Iterator[Tuning]:
    """Return the default first, then one more frame waiting, then more frames in parallel. most: the cores."""
    yield Tuning()
    yield Tuning(1, 3)
    streams = 2
    while streams <= min(most, 8):
        yield Tuning(streams, streams + 1)
        streams *= 2
