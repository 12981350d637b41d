"""Streams and frames in flight for this machine, chosen by the whole way from file to file."""

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
    """Measure and keep how OpenVINO's frames share this machine's threads; give the choice, and all ms a frame.

    Decoder and encoder run beside, as they will later; candidates take turns. progress: as of `bench`.
    Raises UnknownModel, NotAModel, WrongOption, EngineError, and OutputError where it cannot be kept.
    """
    ((measured, (_, case)),) = cases_of([model], [size], [settle(engine="openvino")]).items()
    tries = [replace(each, most_pixels=measured.width * measured.height) for each in candidates(cores())]
    times: dict[Tuning, list[float]] = {each: [] for each in tries}
    with TemporaryFolder(Path(tempfile.gettempdir())) as folder:
        video = folder / "small.mkv"
        shown = write_video(video, measured.width, measured.height, frames)
        for turn in range(runs):
            for place, candidate in enumerate(tries):
                with trial(candidate):
                    times[candidate].append(run_whole(case, video, folder / "large.mkv", shown)[0].ms)
                if progress:
                    progress(turn * len(tries) + place + 1, runs * len(tries))
    medians = {each: median(its) for each, its in times.items()}
    chosen = quickest(medians)
    try:
        keep_tuning(chosen)
    except OSError as exc:
        how = f"{chosen.streams} streams and {chosen.in_flight} frames in flight"
        raise OutputError(f"{how} are chosen, and cannot be kept: {exc}; see to XDG_CACHE_HOME, and run again") from exc
    return chosen, medians


def candidates(most: int) -> Iterator[Tuning]:
    """The usual way first, then more frames side by side, and one more waiting."""
    yield Tuning()
    yield Tuning(1, 3)
    streams = 2
    while streams <= min(most, 8):
        yield Tuning(streams, streams + 1)
        streams *= 2
