"""Rate-distortion curves, and what two of them give: BD-rate, crossover, bits saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import ExtraMissing

Metric = Literal["psnr", "vmaf", "vmaf_neg"]
METRIC_TITLES: dict[Metric, str] = {"psnr": "PSNR-Y", "vmaf": "VMAF", "vmaf_neg": "VMAF-NEG"}

MIN_OVERLAP = 0.2
"""Smallest overlap of two quality ranges, relative to the smaller one, over which a mean is taken."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """One encode of a clip and the quality of what is shown in the end, as means over the frames."""

    crf: float
    kbit: float
    """Bit rate in kbit/s, without the container."""
    psnr: float
    """PSNR-Y in dB."""
    vmaf: float | None
    """None without libvmaf."""
    vmaf_neg: float | None


@dataclass(frozen=True, slots=True)
class RdCurve:
    """A delivery method at several bit rates."""

    name: str
    scale: int
    """Factor of downscaling before encoding; 1 is full size."""
    method: str | None
    """What upscales it again, as --model takes it; None at full size."""
    points: tuple[Point, ...]

    def values(self, metric: Metric) -> tuple[Floats, Floats]:
        """Return bit rates in kbit/s and quality, by increasing bit rate."""
        points = sorted(self.points, key=lambda point: point.kbit)
        rates = np.array([point.kbit for point in points])
        return rates, np.array([getattr(point, metric) for point in points], np.float64)


@dataclass(frozen=True, slots=True)
class Crossover:
    """The bit rates at which the downscaled clip has higher quality than the clip at full size."""

    kind: Literal["below", "above", "always", "never", "apart"]
    """Below or above `kbit`; apart: the curves have no bit rates in common."""
    kbit: float | None
    """kbit/s; None unless below or above."""
    quality: float | None
    """Where the curves cross."""
    measured: tuple[float, float] | None
    """Lowest and highest bit rate, in kbit/s, that both curves were measured at."""
    since: float | None = None
    """With below: the bit rate under which it loses again; None if it does not."""


def require_bjontegaard() -> Any:
    """Return the package bjontegaard. Raises ExtraMissing if it is not installed."""
    try:
        import bjontegaard
    except ImportError as exc:
        raise ExtraMissing("BD-rates need bjontegaard; install it with: pip install 'vidsr[evaluate]'") from exc
    return bjontegaard


def bd_rate(anchor: RdCurve, test: RdCurve, metric: Metric) -> tuple[float | None, str]:
    """Return the average change of the bit rate from `anchor` to `test` at equal quality, in percent.

    Bjøntegaard's mean over the quality that both reach, with Akima interpolation (package bjontegaard). Returns None
    and the reason if their overlap is too small or a curve does not rise. Raises ExtraMissing without the package.
    """
    (rates, quality), (test_rates, test_quality) = anchor.values(metric), test.values(metric)
    if len(rates) < 4 or len(test_rates) < 4:
        return None, "fewer than four points"
    if np.any(np.diff(quality) <= 0) or np.any(np.diff(test_quality) <= 0):
        return None, "quality does not rise with the bit rate"
    overlap = min(quality[-1], test_quality[-1]) - max(quality[0], test_quality[0])
    if overlap < MIN_OVERLAP * min(np.ptp(quality), np.ptp(test_quality)):
        return None, "no overlap"
    # min_overlap=0, because its warning is relative to the larger range, which a downscaled clip never covers
    percent = require_bjontegaard().bd_rate(
        rates, quality, test_rates, test_quality, method="akima", require_matching_points=False, min_overlap=0
    )
    return float(percent), ""


def crossover(native: RdCurve, small: RdCurve, metric: Metric) -> Crossover:
    """Return the bit rates at which `small` has higher quality, among those that both were measured at.

    Curves are linear in the logarithm of the bit rate between their points.
    """
    (rates, quality), (small_rates, small_quality) = native.values(metric), small.values(metric)
    low, high = float(max(rates[0], small_rates[0])), float(min(rates[-1], small_rates[-1]))
    if low >= high:
        return Crossover("apart", None, None, None)
    both = np.union1d(rates, small_rates)
    logs = np.log(both[(both >= low) & (both <= high)])  # both curves are linear between these
    native_quality = np.interp(logs, np.log(rates), quality)
    gain = np.interp(logs, np.log(small_rates), small_quality) - native_quality
    if np.all(gain > 0) or np.all(gain <= 0):
        return Crossover("always" if gain[0] > 0 else "never", None, None, (low, high))
    falls, rises = np.flatnonzero((gain[:-1] > 0) & (gain[1:] <= 0)), np.flatnonzero((gain[:-1] <= 0) & (gain[1:] > 0))
    last = int(falls[-1]) if len(falls) else int(rises[-1])

    def zero_after(index: int) -> float:
        return float(logs[index] + gain[index] / (gain[index] - gain[index + 1]) * (logs[index + 1] - logs[index]))

    earlier = rises[rises < last]
    since = float(np.exp(zero_after(int(earlier[-1])))) if len(earlier) else None
    where = zero_after(last)
    crossing = float(np.interp(where, logs, native_quality))
    return Crossover("below" if len(falls) else "above", float(np.exp(where)), crossing, (low, high), since)


def rate_at(curve: RdCurve, metric: Metric, quality: float) -> float | None:
    """Return the bit rate in kbit/s at which a curve reaches a quality, or None if it does not."""
    rates, reached = curve.values(metric)
    for i in range(len(rates) - 1):
        if min(reached[i : i + 2]) <= quality <= max(reached[i : i + 2]):
            part = (quality - reached[i]) / (reached[i + 1] - reached[i]) if reached[i + 1] != reached[i] else 0.0
            return float(rates[i] * (rates[i + 1] / rates[i]) ** part)
    return None


def bits_saved(native: RdCurve, small: RdCurve, metric: Metric, quality: float) -> float | None:
    """Return the percentage of `native`'s bits that `small` saves at a quality, or None if one does not reach it."""
    native_rate, small_rate = rate_at(native, metric, quality), rate_at(small, metric, quality)
    return None if native_rate is None or small_rate is None else 100 * (1 - small_rate / native_rate)


def metrics_of(curves: Sequence[RdCurve]) -> list[Metric]:
    """Return the metrics that all points have; the last one, which is closest to perception, decides."""
    return [metric for metric in METRIC_TITLES if all(getattr(p, metric) is not None for c in curves for p in c.points)]
