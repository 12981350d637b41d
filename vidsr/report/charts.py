"""Charts of reports, as matplotlib figures: their common style, and distributions."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.plotting import subplots

COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Paul Tol's bright, distinct for everyone
BINS = 24
WIDTH, HEIGHT = 12, 3.1  # inches: the width of a figure, which is the width of the page, and the height of a row

Values = NDArray[Any]


def chart_grid(rows: int, columns: int) -> tuple[Any, Sequence[Any]]:
    """Return a figure of charts in rows and columns, and the axes of each. Raises ExtraMissing."""
    figure, axes = subplots(rows, columns, width=WIDTH, height=rows * HEIGHT)
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", alpha=0.25)
        one.set_axisbelow(True)
        one.tick_params(labelsize=9)
    return figure, axes


def draw_outlines(
    axes: Any, title: str, unit: str, values: Mapping[str, Values], *, limits: tuple[float, float]
) -> None:
    """Draw a distribution for each name, in percent of its values, so that small and large sets compare."""
    edges = np.linspace(*limits, BINS + 1)
    for (name, some), color in zip(values.items(), cycle(COLORS), strict=False):
        counts = np.histogram(np.clip(some, *limits), edges)[0]
        shares = counts / max(1, counts.sum()) * 100
        first = name == next(iter(values))  # filled, as the background of the others
        axes.stairs(shares, edges, color=color, label=name, linewidth=1.8, fill=first, alpha=0.45 if first else 1)
    label(axes, title, unit, "% of pairs", legend=len(values) > 1)


def draw_stacked(axes: Any, title: str, unit: str, ylabel: str, values: Mapping[str, Values], edges: Values) -> None:
    """Draw one histogram with the bars of each name on top of each other."""
    base = np.zeros(len(edges) - 1)
    for (name, some), color in zip(values.items(), cycle(COLORS), strict=False):
        top = base + np.histogram(some, edges)[0]
        axes.stairs(top, edges, baseline=base, fill=True, color=color, label=name)
        base = top
    label(axes, title, unit, ylabel, legend=len(values) > 1)


def draw_bars(axes: Any, title: str, unit: str, values: Mapping[str, float]) -> None:
    """Draw a horizontal bar for each name, the first on top."""
    axes.barh(list(values), list(values.values()), color=COLORS[0], height=0.7)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.grid(axis="x", alpha=0.25)
    label(axes, title, unit, "", legend=False)


def label(axes: Any, title: str, xlabel: str, ylabel: str, *, legend: bool) -> None:
    """Set the title, the labels of both axes, and the legend."""
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_ylabel(ylabel, fontsize=9)
    if legend:
        axes.legend(frameon=False, fontsize=9)
