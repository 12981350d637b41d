"""A chart of quality against speed, one point per model."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from vidsr.bench.speed_table import CaseResult, SpeedReport
from vidsr.card import BICUBIC_PREFIX
from vidsr.errors import OutputError, WrongOption
from vidsr.plotting import require_matplotlib, subplots, use_log_scale

METRICS = ("psnr_Set14", "psnr_Set5")
"""Metrics of cards. The first that any of the models has is drawn."""


def check_plot(path: Path, suffixes: Sequence[str] = (".png",)) -> None:
    """Check that a plot can be written to `path`, before minutes of measuring.

    Raises WrongOption if the name ends in none of the suffixes, OutputError if its folder does not exist, and
    ExtraMissing without matplotlib.
    """
    if path.suffix.lower() not in suffixes:
        raise WrongOption(f"expected a plot's file name to end in {' or '.join(suffixes)}; got {path}")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"the folder {path.absolute().parent} does not exist; create it first")
    require_matplotlib()


def write_plot(report: SpeedReport, path: Path) -> list[str]:
    """Draw a panel for each size. Return the models that are left out, because their cards have no metric."""
    panels = [list(group) for _, group in groupby(report.results, key=lambda each: each.case.size)]
    figure, all_axes = subplots(1, len(panels), width=5 * len(panels), height=4.2)
    missing = []
    for axes, results in zip(all_axes, panels, strict=True):
        missing += _draw(axes, results)
    conditions = report.conditions
    figure.suptitle(f"{conditions.cpu}, {conditions.cores} cores, {conditions.date.split()[0]}", fontsize=9)
    figure.savefig(path, dpi=140)
    return missing


def _draw(axes: Any, results: Sequence[CaseResult]) -> list[str]:
    known = [each.case.card.metrics for each in results if each.case.card]
    metric = next((name for name in METRICS if any(name in each for each in known)), METRICS[0])
    bicubic = next((each[BICUBIC_PREFIX + metric] for each in known if BICUBIC_PREFIX + metric in each), None)
    missing = []
    for each in results:
        card, setup = each.case.card, each.case.setup
        quality = card.metrics.get(metric) if card else bicubic if each.case.model == "bicubic" else None
        if quality is None:
            missing.append(each.case.name)
            continue
        point = (each.network.ms, quality)
        axes.plot(*point, "o", color="#4477aa" if setup else "#7f7f7f")
        label = f"{each.case.name} {setup.precision}" if setup else each.case.name
        axes.annotate(label, point, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9)
    axes.set(title=results[0].case.size.name, xlabel="ms per frame, network alone")
    use_log_scale(axes)
    axes.set_ylabel(f"PSNR-Y on {metric.removeprefix('psnr_')}, dB")
    axes.margins(x=0.3, y=0.15)
    axes.grid(alpha=0.3)
    return missing
