"""The charts of a report, as matplotlib figures: what all share, and distributions."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.plotting import subplots

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Paul Tol's bright: for all eyes
BINS = 24
WIDTH, HEIGHT = 12, 3.1  # inches of a figure, as wide as the page, and of one row of it

Values = NDArray[Any]


def panels(rows: int, columns: int) -> tuple[Any, Sequence[Any]]:
    """A figure of charts in rows and columns, and the axes of each. Raises ExtraMissing."""
    figure, axes = subplots(rows, columns, width=WIDTH, height=rows * HEIGHT)
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", alpha=0.25)
        one.set_axisbelow(True)
        one.tick_params(labelsize=9)
    return figure, axes


def outlines(axes: Any, title: str, unit: str, values: Mapping[str, Values], *, limits: tuple[float, float]) -> None:
    """Draw a distribution for each name, in percent of its own, so that few can be held against many."""
    edges = np.linspace(*limits, BINS + 1)
    for (name, some), colour in zip(values.items(), cycle(COLOURS), strict=False):
        counts = np.histogram(np.clip(some, *limits), edges)[0]
        shares = counts / max(1, counts.sum()) * 100
        first = name == next(iter(values))  # the largest, as ground for the others
        axes.stairs(shares, edges, color=colour, label=name, linewidth=1.8, fill=first, alpha=0.45 if first else 1)
    label(axes, title, unit, "% of pairs", legend=len(values) > 1)


def stacked(axes: Any, title: str, unit: str, ylabel: str, values: Mapping[str, Values], edges: Values) -> None:
    """Draw one histogram whose bars are split by name."""
    base = np.zeros(len(edges) - 1)
    for (name, some), colour in zip(values.items(), cycle(COLOURS), strict=False):
        top = base + np.histogram(some, edges)[0]
        axes.stairs(top, edges, baseline=base, fill=True, color=colour, label=name)
        base = top
    label(axes, title, unit, ylabel, legend=len(values) > 1)


def bars(axes: Any, title: str, unit: str, values: Mapping[str, float]) -> None:
    """Draw a bar for each name, the first on top."""
    axes.barh(list(values), list(values.values()), color=COLOURS[0], height=0.7)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.grid(axis="x", alpha=0.25)
    label(axes, title, unit, "", legend=False)


def label(axes: Any, title: str, xlabel: str, ylabel: str, *, legend: bool) -> None:
    """Write the title, the axes' names, and, where there are several things, which is which."""
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_ylabel(ylabel, fontsize=9)
    if legend:
        axes.legend(frameon=False, fontsize=9)
