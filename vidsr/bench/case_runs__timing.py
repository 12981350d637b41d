"""What is said of many runs: medians, the slow end, and how the runs of one turn compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np


@dataclass(frozen=True, slots=True)
class Run:
    """One run over some frames."""

    ms: float
    """A frame's share of it, from the first frame to the end."""
    gaps: tuple[float, ...]
    """Milliseconds from each frame to the next."""


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
