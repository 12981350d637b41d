"""The measurement from end to end."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidsr.bench.cases import cases_of, setups_of
from vidsr.bench.conditions import this_machine
from vidsr.bench.matmul_peak import matrix_peak
from vidsr.bench.run__measure import measure, steps
from vidsr.bench.speed_table__report import Report, Result
from vidsr.bench.test_clip import write_film
from vidsr.errors import EngineError, WrongOption
from vidsr.io.atomic import begin_part, discard_part, new_folder
from vidsr.video.read.hwdecode import opens

FRAMES, LEAST_FRAMES, RUNS = 48, 4, 3


def bench(
    models: Sequence[str | Path] = (),
    *,
    sizes: Sequence[str] = (),
    engines: Sequence[str] = ("auto",),
    precisions: Sequence[str] = ("auto",),
    film: Path | None = None,
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
    with temporary_folder() as folder:
        for size, cases in by_size.items():
            small = folder / f"{size.name}.mkv"
            shown = write_film(small, size.width, size.height, frames, film)
            results += measure(cases, small, frames=shown, runs=runs, peaks=peaks, tick=tick)
    title = "A film drawn for this" if film is None else film.name
    return Report(machine, title, shown, runs, tuple(results), tuple(notices))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A temporary folder, which goes when a signal ends the command, too."""
    part, descriptor = begin_part(Path(tempfile.gettempdir()) / "bench", new_folder)
    try:
        yield part
    finally:
        os.close(descriptor)
        discard_part(part)
