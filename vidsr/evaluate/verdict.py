"""Send it small, or at full size? What the curves say, in words, and the commands that go with it."""

import math
import shlex
from pathlib import Path

from vidsr.evaluate.answers import Answer, Comparison
from vidsr.evaluate.curves import METRICS, Crossover, Curve, Point, crossover
from vidsr.evaluate.ways import LANCZOS, SIZES

GOOD = {"psnr": 38.0, "vmaf": 87.0, "vmaf_neg": 85.0}
"""The quality that the commands aim at: fit to be watched, and within reach of small films."""


def verdict(answer: Answer) -> str:
    """Say in a few sentences how to send the clip: where small wins, by how much, and what each measure says."""
    metric = answer.metrics[-1]
    best = winner(answer)
    if best is None:
        if all(one.crossover.kind == "apart" for one in answer.comparisons if one.metric == metric):
            return (
                "Send it at full size: no smaller film was measured at a bit rate of the film's own "
                f"({_rates(answer.curves[0])}), so that none is known to look better."
            )
        return (
            f"Send it at full size: at no bit rate measured ({_rates(answer.curves[0])}) does a smaller film look "
            f"better by {METRICS[metric]} than the film itself."
        )
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
        first = (
            f"{crossing.kind.capitalize()} {crossing.kbit:.0f} kbit/s {how}: there it looks better by "
            f"{METRICS[metric]} than the film itself; {full} that, where {METRICS[metric]} is {crossing.quality:.1f}, "
            "send it at full size."
        )
    return " ".join([first, *_amounts(answer, best), *_other_measure(answer, best), *_smaller(answer, best)])


def winner(answer: Answer) -> Comparison | None:
    """The small film that wins up to the highest bit rate by what decides; None: none wins at any.

    Of those that win as far, the one that takes fewest bits. Means over different ranges cannot be compared: that of
    the smallest film is of the worst qualities.
    """
    metric = answer.metrics[-1]
    its = [one for one in answer.comparisons if one.metric == metric and one.crossover.kind not in ("never", "apart")]
    return max(its, key=lambda one: (_wins_to(one.crossover), -_cost(one)), default=None)


def sender(answer: Answer) -> str:
    """The ffmpeg command that sends the clip as the verdict says, at a quality fit to be watched."""
    best = winner(answer)
    curve = answer.curves[0] if best is None else answer.curve(best.curve)
    return command(answer, curve, aimed_at(answer, curve).crf)


def receiver(answer: Answer) -> str | None:
    """The command that enlarges what `sender` made; None where it was sent at full size."""
    best = winner(answer)
    if best is None:
        return None
    curve = answer.curve(best.curve)
    factor = ["--scale", str(curve.scale)] if curve.method in ("bicubic", LANCZOS, "nearest") else []
    target = _plain(f"{answer.film.path.stem}-again.mkv")
    return shlex.join(["vidsr", "upscale", sent_name(answer, curve), target, "--model", str(curve.method), *factor])


def aimed_at(answer: Answer, curve: Curve) -> Point:
    """The point of a curve nearest to GOOD, of those where a small film wins."""
    metric = answer.metrics[-1]
    points = list(curve.points)
    if curve.scale > 1:
        crossing = answer.comparison(curve.name, metric).crossover
        if crossing.kbit is not None:
            won = [p for p in points if (p.kbit < crossing.kbit) == (crossing.kind == "below")]
            points = won or points
    return min(points, key=lambda point: abs(getattr(point, metric) - GOOD[metric]))


def command(answer: Answer, curve: Curve, crf: float) -> str:
    """The ffmpeg command line that makes one encode of a curve, sound copied.

    It tells the encoder the film's own frame rate, not `passes.RATE`: x264 then gives a film of 30 frames a second
    about a tenth fewer bits than were measured at that CRF (measured), and one of 24 a few more.
    """
    filters = []
    if answer.film.whole != (answer.film.width, answer.film.height):
        filters.append(f"crop={answer.film.width}:{answer.film.height}:0:0")
    if curve.scale > 1:
        size = f"{answer.film.width // curve.scale}:{answer.film.height // curve.scale}"
        filters.append(f"scale={size}:flags=lanczos+accurate_rnd+full_chroma_int")
    options = {"crf": f"{crf:g}", **answer.encoder.options}
    flags = [part for key, value in options.items() for part in ("-b:v" if key == "b" else f"-{key}", value)]
    line = ["ffmpeg", "-i", _plain(str(answer.film.path)), *(["-vf", ",".join(filters)] if filters else [])]
    return shlex.join([*line, "-c:v", answer.encoder.codec, *flags, "-c:a", "copy", sent_name(answer, curve)])


def sent_name(answer: Answer, curve: Curve) -> str:
    """What the file that travels is called in the commands."""
    return _plain(f"{answer.film.path.stem}-{SIZES.get(curve.scale, f'1-{curve.scale}')}.mkv")


def _plain(file: str) -> str:
    """A file's name that no command takes for an option, nor ffmpeg for a protocol."""
    misread = file.startswith("-") or (":" in file.split("/")[0] and not Path(file).is_absolute())
    return f"./{file}" if misread else file


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
