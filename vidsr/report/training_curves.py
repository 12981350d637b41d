"""The curves of a training, as matplotlib figures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from vidsr.card import BESIDE
from vidsr.report.charts import COLOURS, label, panels
from vidsr.report.history import Curve, History

POINTS = 400  # of a curve; more cannot be told apart
PARTS = 40  # of a stage at most, whose means make the bold line
LEAST = 10  # logged steps that a mean is worth drawing of
WIDE_RANGE = 30  # of largest to smallest, from which on an axis is logarithmic
GREY = "#808080"
# measures in the order of tables
NAMES = {"psnr": "PSNR-Y", "ssim": "SSIM-Y", "sharpness": "Gradient sharpness", "flicker": "Flicker"}
UNITS = {"psnr": "dB", "sharpness": "1 is the truth's", "flicker": "1 is the truth's"}
LOGGED = {"rate": "Learning rate", "judge": "Discriminator", "judge_rate": "Learning rate of the discriminator"}


def named(measure: str) -> str:
    """`psnr_clean` -> `PSNR-Y, clean`."""
    name, _, kind = measure.partition("_")
    return ", ".join(filter(None, (NAMES.get(name, name), kind.replace("_", " "))))


def in_order(measures: Iterable[str]) -> list[str]:
    """PSNR before SSIM before what else there is, clean before coded."""
    known = list(NAMES)
    kinds = {measure: measure.partition("_")[0] for measure in measures}
    place = {measure: known.index(kind) if kind in known else len(known) for measure, kind in kinds.items()}
    return sorted(kinds, key=lambda measure: (place[measure], measure))


def losses(history: History) -> Any:
    """Draw what was logged of the training: each stage in its colour, the single steps faint, their means bold."""
    return _figure(history, history.logged(), _loss)


def validations(history: History) -> Any:
    """Draw what was measured of the network, bicubic's beside it."""
    return _figure(history, history.measured(), _validation)


def _figure(history: History, names: Sequence[str], draw: Callable[[Any, History, str], None]) -> Any:
    columns = min(len(names), 2 if len(names) <= 4 else 3)
    figure, axes = panels(-(-len(names) // columns), columns)
    for one, name in zip(axes, names, strict=False):
        draw(one, history, name)
        one.locator_params(axis="x", nbins=5)
        one.xaxis.set_major_formatter("{x:,.0f}")
    for one in axes[len(names) :]:
        one.set_axis_off()
    return figure


def _loss(axes: Any, history: History, name: str) -> None:
    curves = history.loss(name)
    colours = dict(zip(history.stages, cycle(COLOURS), strict=False))
    is_rate = name.endswith("rate")
    for stage, curve in curves.items():
        single, mean = _means(curve, POINTS), _means(curve, max(1, min(PARTS, len(curve.steps) // LEAST)))
        noisy = not is_rate and len(mean.steps) > 1
        if noisy:
            _line(axes, single, colour=colours[stage], alpha=0.3, linewidth=0.8)
        _line(axes, mean if noisy else single, colour=colours[stage], name=stage)
    if not is_rate:
        _widen(axes, [curve.values for curve in curves.values()])
    if len(curves) > 1:
        _borders(axes, history.stages)
    title = LOGGED.get(name, name.replace("_", " ").capitalize())
    label(axes, title, "step", "", legend=len(history.stages) > 1 and bool(curves))


def _validation(axes: Any, history: History, name: str) -> None:
    measure = name.partition("_")[0]
    ours, beside = history.validation(name), history.validation(BESIDE + name)
    _line(axes, ours, colour=COLOURS[0], name="ours", marker="o", markersize=3.5)
    if len(beside.steps):
        _line(axes, beside, colour=GREY, name="bicubic", linestyle="--", marker="o" if len(beside.steps) == 1 else "")
    if UNITS.get(measure, "").startswith("1 "):
        axes.axhline(1, color=COLOURS[2], linewidth=1, linestyle=":", label="truth")
    axes.ticklabel_format(axis="y", useOffset=False)
    if len(history.stages) > 1:
        _borders(axes, history.stages)
    label(axes, named(name), "step", UNITS.get(measure, ""), legend=True)


def _line(axes: Any, curve: Curve, *, colour: str, name: str | None = None, **style: Any) -> None:
    marker = {"marker": "o"} if len(curve.steps) == 1 else {}  # a line of one point is not seen
    axes.plot(curve.steps, curve.values, color=colour, label=name, **{"linewidth": 1.8, **marker, **style})


def _means(curve: Curve, parts: int) -> Curve:
    """The curve as it is where it is short, else the means of equal parts."""
    if len(curve.steps) <= parts:
        return curve
    steps, values = (np.array_split(every, parts) for every in (curve.steps, curve.values))
    middles = np.array([round(part.mean()) for part in steps], np.int64)
    return Curve(middles, np.array([part.mean() for part in values]))


def _widen(axes: Any, values: Sequence[Any]) -> None:
    """Make the axis logarithmic where a linear one would show the largest values alone."""
    every = np.concatenate([*values, np.ones(0)])
    if every.size and every.min() > 0 and every.max() / every.min() > WIDE_RANGE:
        axes.set_yscale("log")


def _borders(axes: Any, stages: Mapping[str, int]) -> None:
    """Mark where each stage but the first began, with the names of what was before and what came."""
    axes.margins(y=0.14)  # room for the names above the curves
    place = axes.get_xaxis_transform()  # steps across, shares of the height upwards
    for before, (stage, step) in zip(stages, list(stages.items())[1:], strict=False):
        axes.axvline(step, color=GREY, linewidth=1)
        axes.text(step, 0.99, f"{before} ", transform=place, fontsize=9, color=GREY, va="top", ha="right")
        axes.text(step, 0.99, f" {stage}", transform=place, fontsize=9, color=GREY, va="top")
