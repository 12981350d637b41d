"""Curves of bits against quality, and what is read from two of them: BD-rate, crossover, bits saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import ExtraMissing

Metric = Literal["psnr", "vmaf", "vmaf_neg"]
METRICS: dict[Metric, str] = {"psnr": "PSNR-Y", "vmaf": "VMAF", "vmaf_neg": "VMAF-NEG"}
"""What quality is measured in, and how it is written."""

LEAST_SHARED = 0.2
"""Of the smaller range of quality; where two curves share less, a mean over it says nothing of either."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """One encode of a film, as it was seen in the end."""

    crf: float
    kbit: float
    """Kilobits a second that travelled, container not counted."""
    psnr: float
    """dB on luma, mean over the frames."""
    vmaf: float | None
    """Mean over the frames; None where libvmaf is missing."""
    vmaf_neg: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """One way to send a film, at several qualities."""

    name: str
    scale: int
    """How many times smaller on each side the film travels; 1 is its own size."""
    method: str | None
    """What enlarges it again, as --model takes it; None at its own size."""
    points: tuple[Point, ...]

    def values(self, metric: Metric) -> tuple[Floats, Floats]:
        """(kbit/s, quality), both by rising rate."""
        points = sorted(self.points, key=lambda point: point.kbit)
        rates = np.array([point.kbit for point in points])
        return rates, np.array([getattr(point, metric) for point in points], np.float64)


@dataclass(frozen=True, slots=True)
class Crossover:
    """At which bit rates a small film looks better than the film at its own size at the same rate."""

    kind: Literal["below", "above", "always", "never", "apart"]
    """`below` or `above` the rate; `apart`: the two share no rates."""
    kbit: float | None
    """Kilobits a second; None but for below and above."""
    quality: float | None
    """Where the curves meet."""
    measured: tuple[float, float] | None
    """The rates that both curves were measured at, from and to."""
    since: float | None = None
    """Of `below`: the rate, kilobits a second, down to which it wins; None where that is all the way."""


def bjontegaard() -> Any:
    """Give the package of that name. Raises ExtraMissing where it is not installed."""
    try:
        import bjontegaard
    except ImportError as exc:
        message = "BD-rates need the package bjontegaard; pip install 'vidsr[evaluate]' installs it"
        raise ExtraMissing(message) from exc
    return bjontegaard


def bd_rate(anchor: Curve, test: Curve, metric: Metric) -> tuple[float | None, str]:
    """How many percent more bits `test` takes than `anchor` for the same quality, on average; fewer are negative.

    Bjøntegaard's mean over the range of quality that both reach, with Akima interpolation (package `bjontegaard`).
    Returns None with the reason in words where that range is too small or a curve does not rise.
    Raises ExtraMissing where the package is not installed.
    """
    (rates, quality), (test_rates, test_quality) = anchor.values(metric), test.values(metric)
    if len(rates) < 4 or len(test_rates) < 4:
        return None, "fewer than four points"
    if np.any(np.diff(quality) <= 0) or np.any(np.diff(test_quality) <= 0):
        return None, "quality does not rise with the bit rate"
    shared = min(quality[-1], test_quality[-1]) - max(quality[0], test_quality[0])
    if shared < LEAST_SHARED * min(np.ptp(quality), np.ptp(test_quality)):
        return None, "no overlap"
    # min_overlap=0: its warning counts of the larger range, which a small film never fills
    percent = bjontegaard().bd_rate(
        rates, quality, test_rates, test_quality, method="akima", require_matching_points=False, min_overlap=0
    )
    return float(percent), ""


def crossover(native: Curve, small: Curve, metric: Metric) -> Crossover:
    """Say at which bit rates the small film wins, over those that both were measured at; linear in the log rate."""
    (rates, quality), (small_rates, small_quality) = native.values(metric), small.values(metric)
    low, high = float(max(rates[0], small_rates[0])), float(min(rates[-1], small_rates[-1]))
    if low >= high:
        return Crossover("apart", None, None, None)
    both = np.union1d(rates, small_rates)
    logs = np.log(both[(both >= low) & (both <= high)])  # both are straight from one of these to the next
    own = np.interp(logs, np.log(rates), quality)
    gain = np.interp(logs, np.log(small_rates), small_quality) - own
    if np.all(gain > 0) or np.all(gain <= 0):
        return Crossover("always" if gain[0] > 0 else "never", None, None, (low, high))
    falls, rises = np.flatnonzero((gain[:-1] > 0) & (gain[1:] <= 0)), np.flatnonzero((gain[:-1] <= 0) & (gain[1:] > 0))
    last = int(falls[-1]) if len(falls) else int(rises[-1])

    def meets(at: int) -> float:
        return float(logs[at] + gain[at] / (gain[at] - gain[at + 1]) * (logs[at + 1] - logs[at]))

    before = rises[rises < last]
    since = float(np.exp(meets(int(before[-1])))) if len(before) else None
    where = meets(last)
    met = float(np.interp(where, logs, own))
    return Crossover("below" if len(falls) else "above", float(np.exp(where)), met, (low, high), since)


def rate_at(curve: Curve, metric: Metric, quality: float) -> float | None:
    """The kilobits a second at which a curve reaches a quality, linear in the log rate; None where it does not."""
    rates, reached = curve.values(metric)
    for i in range(len(rates) - 1):
        if min(reached[i : i + 2]) <= quality <= max(reached[i : i + 2]):
            part = (quality - reached[i]) / (reached[i + 1] - reached[i]) if reached[i + 1] != reached[i] else 0.0
            return float(rates[i] * (rates[i + 1] / rates[i]) ** part)
    return None


def bits_saved(native: Curve, small: Curve, metric: Metric, quality: float) -> float | None:
    """Percent of the native film's bits that the small one saves at a quality; None where one does not reach it."""
    own, its = rate_at(native, metric, quality), rate_at(small, metric, quality)
    return None if own is None or its is None else 100 * (1 - its / own)


def metrics_of(curves: Sequence[Curve]) -> list[Metric]:
    """What these curves were measured in; the last one decides, as the nearest to the eye."""
    return [metric for metric in METRICS if all(getattr(p, metric) is not None for c in curves for p in c.points)]
