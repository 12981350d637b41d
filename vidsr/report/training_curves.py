"""Curves of losses and metrics of a training run, as matplotlib figures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from vidsr.card import BICUBIC_PREFIX
from vidsr.report.charts import COLORS, chart_grid, label
from vidsr.report.history import Curve, History

POINTS = 400  # of a curve; more are not visible
PARTS = 40  # of a stage at most, whose means make the bold line
LEAST = 10  # logged steps in a part whose mean is worth drawing
WIDE_RANGE = 30  # ratio of largest to smallest value from which on an axis is logarithmic
GRAY = "#808080"
# Metrics in the order of tables.
NAMES = {"psnr": "PSNR-Y", "ssim": "SSIM-Y", "sharpness": "Gradient sharpness", "flicker": "Flicker"}
UNITS = {"psnr": "dB", "sharpness": "1 is the truth's", "flicker": "1 is the truth's"}
TITLES = {"rate": "Learning rate", "discriminator_rate": "Learning rate of the discriminator"}


def metric_title(metric: str) -> str:
    """Return the title of a metric: `PSNR-Y, clean` for `psnr_clean`."""
    name, _, kind = metric.partition("_")
    return ", ".join(filter(None, (NAMES.get(name, name), kind.replace("_", " "))))


def sort_metrics(metrics: Iterable[str]) -> list[str]:
    """Sort metrics: PSNR before SSIM before all others, clean before coded."""
    known = list(NAMES)
    names = {metric: metric.partition("_")[0] for metric in metrics}
    order = {metric: known.index(name) if name in known else len(known) for metric, name in names.items()}
    return sorted(names, key=lambda metric: (order[metric], metric))


def draw_losses(history: History) -> Any:
    """Draw losses and learning rates: a colour a stage, thin lines for single steps, bold ones for their means."""
    return _figure(history, history.loss_names(), _draw_loss)


def draw_metrics(history: History) -> Any:
    """Draw the metrics of the network and of bicubic."""
    return _figure(history, history.metric_names(), _draw_metric)


def _figure(history: History, names: Sequence[str], draw: Callable[[Any, History, str], None]) -> Any:
    columns = min(len(names), 2 if len(names) <= 4 else 3)
    figure, axes = chart_grid(-(-len(names) // columns), columns)
    for one, name in zip(axes, names, strict=False):
        draw(one, history, name)
        one.locator_params(axis="x", nbins=5)
        one.xaxis.set_major_formatter("{x:,.0f}")
    for one in axes[len(names) :]:
        one.set_axis_off()
    return figure


def _draw_loss(axes: Any, history: History, name: str) -> None:
    curves = history.loss(name)
    colors = dict(zip(history.stages, cycle(COLORS), strict=False))
    is_rate = name.endswith("rate")
    for stage, curve in curves.items():
        single, mean = _means(curve, POINTS), _means(curve, max(1, min(PARTS, len(curve.steps) // LEAST)))
        noisy = not is_rate and len(mean.steps) > 1
        if noisy:
            _line(axes, single, color=colors[stage], alpha=0.3, linewidth=0.8)
        _line(axes, mean if noisy else single, color=colors[stage], name=stage)
    if not is_rate:
        _set_scale(axes, [curve.values for curve in curves.values()])
    if len(curves) > 1:
        _mark_stages(axes, history.stages)
    title = TITLES.get(name, name.replace("_", " ").capitalize())
    label(axes, title, "step", "", legend=len(history.stages) > 1 and bool(curves))


def _draw_metric(axes: Any, history: History, name: str) -> None:
    kind = name.partition("_")[0]
    ours, bicubic = history.metric(name), history.metric(BICUBIC_PREFIX + name)
    _line(axes, ours, color=COLORS[0], name="ours", marker="o", markersize=3.5)
    if len(bicubic.steps):
        _line(axes, bicubic, color=GRAY, name="bicubic", linestyle="--", marker="o" if len(bicubic.steps) == 1 else "")
    if UNITS.get(kind, "").startswith("1 "):
        axes.axhline(1, color=COLORS[2], linewidth=1, linestyle=":", label="truth")
    axes.ticklabel_format(axis="y", useOffset=False)
    if len(history.stages) > 1:
        _mark_stages(axes, history.stages)
    label(axes, metric_title(name), "step", UNITS.get(kind, ""), legend=True)


def _line(axes: Any, curve: Curve, *, color: str, name: str | None = None, **style: Any) -> None:
    marker = {"marker": "o"} if len(curve.steps) == 1 else {}  # a line of one point is not visible
    axes.plot(curve.steps, curve.values, color=color, label=name, **{"linewidth": 1.8, **marker, **style})


def _means(curve: Curve, parts: int) -> Curve:
    """Return the means of equal parts of a curve, or the curve if it has fewer points."""
    if len(curve.steps) <= parts:
        return curve
    steps, values = (np.array_split(every, parts) for every in (curve.steps, curve.values))
    middles = np.array([round(part.mean()) for part in steps], np.int64)
    return Curve(middles, np.array([part.mean() for part in values]))


def _set_scale(axes: Any, values: Sequence[Any]) -> None:
    """Make the axis logarithmic if a linear one would show only the largest values."""
    every = np.concatenate([*values, np.ones(0)])
    if every.size and every.min() > 0 and every.max() / every.min() > WIDE_RANGE:
        axes.set_yscale("log")


def _mark_stages(axes: Any, stages: Mapping[str, int]) -> None:
    """Draw a line where each stage but the first began, with the names of the stages before and after it."""
    axes.margins(y=0.14)  # space above the curves for the names
    transform = axes.get_xaxis_transform()  # steps horizontally, shares of the height vertically
    for before, (stage, step) in zip(stages, list(stages.items())[1:], strict=False):
        axes.axvline(step, color=GRAY, linewidth=1)
        axes.text(step, 0.99, f"{before} ", transform=transform, fontsize=9, color=GRAY, va="top", ha="right")
        axes.text(step, 0.99, f" {stage}", transform=transform, fontsize=9, color=GRAY, va="top")
