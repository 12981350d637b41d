"""Send it small, or at full size? What the curves say, in words."""

import math

from vidsr.evaluate.bandwidth.encode import LANCZOS, SIZES
from vidsr.evaluate.bandwidth.rd_curves import METRICS, Crossover, Curve, crossover
from vidsr.evaluate.bandwidth.results import Answer, Comparison

POOR = {"psnr": 28.0, "vmaf": 60.0, "vmaf_neg": 60.0}
"""A quality that nobody would choose; where small wins only at worse, full size is the answer."""


def verdict(answer: Answer) -> str:
    """Say in a few sentences how to send the clip: where small wins, by how much, and what each measure says."""
    metric = answer.metrics[-1]
    best = winner(answer)
    if best is None:
        return _full_size(answer)
    curve, crossing = answer.curve(best.curve), best.crossover
    how = f"send it at {_size(curve)} and enlarge it with {curve.method}"
    if crossing.kind == "always":
        low, high = crossing.measured or (0.0, 0.0)
        first = (
            f"{how[0].upper()}{how[1:]}: at every bit rate measured for both ({low:.0f} to {high:.0f} kbit/s) it looks "
            f"better by {METRICS[metric]} than the film itself. Beyond {METRICS[metric]} {_top(curve, answer):.1f}, "
            f"which {_size(curve)} did not reach, send it at full size."
        )
    else:
        full = "above" if crossing.kind == "below" else "below"
        where = crossing.kind.capitalize() if crossing.since is None else f"From {crossing.since:.0f} to"
        first = (
            f"{where} {crossing.kbit:.0f} kbit/s {how}: there it looks better by "
            f"{METRICS[metric]} than the film itself; {full} that, where {METRICS[metric]} is {crossing.quality:.1f}, "
            "send it at full size."
        )
    return " ".join([first, *_amounts(answer, best), *_other_measure(answer, best), *_smaller(answer, best)])


def winner(answer: Answer) -> Comparison | None:
    """The small film that wins up to the highest bit rate by what decides; None: none wins at a quality above POOR.

    Of those that win as far, the one that takes fewest bits. Means over different ranges cannot be compared: that of
    the smallest film is of the worst qualities.
    """
    best = _longest(answer)
    return best if best and _best_won(answer, best) > POOR[best.metric] else None


def _longest(answer: Answer) -> Comparison | None:
    metric = answer.metrics[-1]
    its = [one for one in answer.comparisons if one.metric == metric and one.crossover.kind not in ("never", "apart")]
    return max(its, key=lambda one: (_wins_to(one.crossover), -_cost(one)), default=None)


def _best_won(answer: Answer, one: Comparison) -> float:
    """The best quality at which what wins somewhere is known to win."""
    if one.crossover.kind == "below" and one.crossover.quality is not None:
        return one.crossover.quality
    return _top(answer.curve(one.curve), answer)


def _full_size(answer: Answer) -> str:
    name, rates = METRICS[answer.metrics[-1]], _rates(answer.curves[0])
    if best := _longest(answer):
        return (
            f"Send it at full size: a smaller film looks better by {name} only up to "
            f"{_wins_to(best.crossover):.0f} kbit/s, where that is {_best_won(answer, best):.1f}."
        )
    if all(one.crossover.kind == "apart" for one in answer.comparisons if one.metric == answer.metrics[-1]):
        return (
            f"Send it at full size: no smaller film was measured at a bit rate of the film's own ({rates}), so that "
            "none is known to look better."
        )
    return (
        f"Send it at full size: at no bit rate measured ({rates}) does a smaller film look better by {name} than the "
        "film itself."
    )


def _amounts(answer: Answer, best: Comparison) -> list[str]:
    name, said = METRICS[best.metric], []
    if best.against_native is None:
        said.append(f"How many bits that saves on average cannot be said: {best.native_reason}.")
    else:
        change = _percent(best.against_native)
        said.append(f"For the same {name} it takes, against the film itself, {change} on average over what both reach.")
    if best.against_lanczos is not None and answer.curve(best.curve).scale == answer.curves[1].scale:
        said.append(f"Against Lanczos at the receiver that is {_percent(best.against_lanczos)}.")
    models = [one for one in _rivals(answer, best) if answer.curve(one.curve).method != LANCZOS]
    if answer.curve(best.curve).method == LANCZOS and models and min(map(_cost, models)) >= _cost(best):
        said.append("No model here takes fewer.")
    return said


def _rivals(answer: Answer, best: Comparison) -> list[Comparison]:
    """What else was made of the same encodes, in the same measure."""
    scale = answer.curve(best.curve).scale
    its = [one for one in answer.comparisons if one.metric == best.metric and one is not best]
    return [one for one in its if answer.curve(one.curve).scale == scale]


def _smaller(answer: Answer, best: Comparison) -> list[str]:
    """Below what bit rates still smaller films look better."""
    told = answer.curve(best.curve)
    ways = {}
    for curve in answer.curves:
        crossing = crossover(told, curve, best.metric)
        if curve.scale > told.scale and crossing.kind in ("below", "always"):
            ways[curve] = _wins_to(crossing)
    said = []
    for scale in sorted({curve.scale for curve in ways}):
        curve, rate = max(((c, rate) for c, rate in ways.items() if c.scale == scale), key=lambda way: way[1])
        said.append(f"Up to {rate:.0f} kbit/s {_size(curve)} and {curve.method} look better still.")
    return said


def _wins_to(crossing: Crossover) -> float:
    """The highest rate, kbit/s, at which what wins somewhere is known to win."""
    if crossing.kind == "below" and crossing.kbit is not None:
        return crossing.kbit
    return crossing.measured[1] if crossing.measured else 0.0


def _cost(one: Comparison) -> float:
    return math.inf if one.against_native is None else one.against_native


def _size(curve: Curve) -> str:
    return f"{SIZES.get(curve.scale, f'1/{curve.scale}')} size"


def _other_measure(answer: Answer, best: Comparison) -> list[str]:
    if best.metric == "psnr":
        return []
    other = answer.comparison(best.curve, "psnr")
    crossing = other.crossover
    says = {
        "always": "it wins at every bit rate too",
        "below": f"it wins below {crossing.kbit or 0:.0f} kbit/s",
        "above": f"it wins above {crossing.kbit or 0:.0f} kbit/s",
        "never": "the film at full size wins at every bit rate",
        "apart": "nothing can be said",
    }
    mean = "" if other.against_native is None else f", and on average it takes {_percent(other.against_native)}"
    return [f"By PSNR-Y {says[crossing.kind]}{mean}."]


def _percent(change: float) -> str:
    return f"{abs(change):.0f} % {'fewer' if change < 0 else 'more'} bits" if abs(change) >= 0.5 else "as many bits"


def _rates(curve: Curve) -> str:
    rates, _ = curve.values("psnr")
    return f"{rates[0]:.0f} to {rates[-1]:.0f} kbit/s"


def _top(curve: Curve, answer: Answer) -> float:
    return float(curve.values(answer.metrics[-1])[1].max())
