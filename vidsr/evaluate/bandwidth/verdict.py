"""The verdict in words: at full size, or downscaled and upscaled again."""

import math

from vidsr.evaluate.bandwidth.encode import LANCZOS, SIZES
from vidsr.evaluate.bandwidth.rd_curves import METRIC_TITLES, Crossover, RdCurve, crossover
from vidsr.evaluate.bandwidth.results import BandwidthResult, CurveComparison

UNACCEPTABLE = {"psnr": 28.0, "vmaf": 60.0, "vmaf_neg": 60.0}
"""Quality that nobody would choose. If downscaling wins only below it, the verdict is full size."""


def verdict(result: BandwidthResult) -> str:
    """Return in a few sentences how to encode the clip: at which size, what that saves, and what PSNR-Y says."""
    best = winner(result)
    if best is None:
        return _full_size(result)
    metric = METRIC_TITLES[result.metrics[-1]]
    curve, crossing = result.curve(best.curve), best.crossover
    how = f"encode it at {_size(curve)} and upscale it with {curve.method}"
    if crossing.kind == "always":
        low, high = crossing.measured or (0.0, 0.0)
        first = (
            f"{how[0].upper()}{how[1:]}: at every bit rate measured for both ({low:.0f} to {high:.0f} kbit/s) {metric} "
            f"is higher than at full size. Above {metric} {_highest(curve, result):.1f}, which {_size(curve)} did not "
            "reach, encode it at full size."
        )
    else:
        full = "above" if crossing.kind == "below" else "below"
        where = crossing.kind.capitalize() if crossing.since is None else f"From {crossing.since:.0f} to"
        first = (
            f"{where} {crossing.kbit:.0f} kbit/s {how}: there {metric} is higher than at full size; {full} that, where "
            f"{metric} is {crossing.quality:.1f}, encode it at full size."
        )
    return " ".join([first, *_savings(result, best), *_by_psnr(result, best), *_smaller_sizes(result, best)])


def winner(result: BandwidthResult) -> CurveComparison | None:
    """Return the curve that wins up to the highest bit rate; None if none wins at a quality above UNACCEPTABLE.

    Of curves that win up to the same rate, it is the one with the lowest BD-rate. BD-rates alone do not decide, because
    they are means over different ranges of quality: the smallest size covers the lowest.
    """
    best = _wins_longest(result)
    return best if best and _best_quality(result, best) > UNACCEPTABLE[best.metric] else None


def _wins_longest(result: BandwidthResult) -> CurveComparison | None:
    metric = result.metrics[-1]
    winning = [
        one for one in result.comparisons if one.metric == metric and one.crossover.kind not in ("never", "apart")
    ]
    return max(winning, key=lambda one: (_wins_to(one.crossover), -_cost(one)), default=None)


def _best_quality(result: BandwidthResult, one: CurveComparison) -> float:
    """Return the highest quality at which a curve is known to win."""
    if one.crossover.kind == "below" and one.crossover.quality is not None:
        return one.crossover.quality
    return _highest(result.curve(one.curve), result)


def _full_size(result: BandwidthResult) -> str:
    metric, title = result.metrics[-1], METRIC_TITLES[result.metrics[-1]]
    rates, _ = result.curves[0].values("psnr")
    measured = f"{rates[0]:.0f} to {rates[-1]:.0f} kbit/s"
    if best := _wins_longest(result):
        return (
            f"Encode it at full size: at a lower resolution {title} is higher only up to "
            f"{_wins_to(best.crossover):.0f} kbit/s, where it is {_best_quality(result, best):.1f}."
        )
    if all(one.crossover.kind == "apart" for one in result.comparisons if one.metric == metric):
        return (
            f"Encode it at full size: no lower resolution was measured at the bit rates of full size ({measured}), so "
            "none is known to be better."
        )
    return f"Encode it at full size: at no bit rate measured ({measured}) is {title} higher at a lower resolution."


def _savings(result: BandwidthResult, best: CurveComparison) -> list[str]:
    curve, found = result.curve(best.curve), []
    if best.against_native is None:
        found.append(f"The average saving cannot be computed: {best.native_reason}.")
    else:
        change = _percent(best.against_native)
        found.append(
            f"For the same {METRIC_TITLES[best.metric]} it needs {change} than full size, averaged over the quality "
            "that both reach."
        )
    if best.against_lanczos is not None and curve.scale == result.curves[1].scale:
        found.append(f"Compared with upscaling by Lanczos it needs {_percent(best.against_lanczos)}.")
    models = [one for one in _same_scale(result, best) if result.curve(one.curve).method != LANCZOS]
    if curve.method == LANCZOS and models and min(map(_cost, models)) >= _cost(best):
        found.append("No model measured needs fewer.")
    return found


def _same_scale(result: BandwidthResult, best: CurveComparison) -> list[CurveComparison]:
    """Return the other comparisons of the same encodes, by the same metric."""
    scale = result.curve(best.curve).scale
    others = [one for one in result.comparisons if one.metric == best.metric and one is not best]
    return [one for one in others if result.curve(one.curve).scale == scale]


def _smaller_sizes(result: BandwidthResult, best: CurveComparison) -> list[str]:
    """Return up to which bit rates still lower resolutions are better than the winner."""
    chosen = result.curve(best.curve)
    rates = {}
    for curve in result.curves:
        crossing = crossover(chosen, curve, best.metric)
        if curve.scale > chosen.scale and crossing.kind in ("below", "always"):
            rates[curve] = _wins_to(crossing)
    found = []
    for scale in sorted({curve.scale for curve in rates}):
        curve = max((curve for curve in rates if curve.scale == scale), key=rates.__getitem__)
        found.append(f"Up to {rates[curve]:.0f} kbit/s {_size(curve)} and {curve.method} are better still.")
    return found


def _by_psnr(result: BandwidthResult, best: CurveComparison) -> list[str]:
    if best.metric == "psnr":
        return []
    other = result.comparison(best.curve, "psnr")
    crossing = other.crossover
    outcome = {
        "always": "it wins at every bit rate too",
        "below": f"it wins below {crossing.kbit or 0:.0f} kbit/s",
        "above": f"it wins above {crossing.kbit or 0:.0f} kbit/s",
        "never": "full size wins at every bit rate",
        "apart": "the two cannot be compared",
    }
    mean = "" if other.against_native is None else f", and on average it needs {_percent(other.against_native)}"
    return [f"By PSNR-Y {outcome[crossing.kind]}{mean}."]


def _wins_to(crossing: Crossover) -> float:
    """Return the highest bit rate, in kbit/s, at which a curve that wins somewhere is known to win."""
    if crossing.kind == "below" and crossing.kbit is not None:
        return crossing.kbit
    return crossing.measured[1] if crossing.measured else 0.0


def _cost(one: CurveComparison) -> float:
    return math.inf if one.against_native is None else one.against_native


def _size(curve: RdCurve) -> str:
    return f"{SIZES.get(curve.scale, f'1/{curve.scale}')} size"


def _highest(curve: RdCurve, result: BandwidthResult) -> float:
    return float(curve.values(result.metrics[-1])[1].max())


def _percent(change: float) -> str:
    return f"{abs(change):.0f} % {'fewer' if change < 0 else 'more'} bits" if abs(change) >= 0.5 else "as many bits"
