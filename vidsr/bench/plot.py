"""Quality against time, one point a model."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from vidsr.bench.speed_table import Report, Result
from vidsr.card import BESIDE
from vidsr.errors import OutputError, WrongOption
from vidsr.plotting import require_matplotlib, subplots, use_log_scale

METRICS = ("psnr_Set14", "psnr_Set5")  # of cards: the first that one of them has is drawn


def check_plot(path: Path) -> None:
    """Check that a plot can be written to `path`, before minutes of measuring.

    Raises WrongOption if the name does not end in .png, OutputError if its folder does not exist, and ExtraMissing
    without matplotlib.
    """
    if path.suffix.lower() != ".png":
        raise WrongOption(f"expected a plot's file name to end in .png; got {path}")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"the folder {path.absolute().parent} does not exist; create it first")
    require_matplotlib()


def write_plot(report: Report, path: Path) -> list[str]:
    """Draw it, a panel for each size, and name the models whose cards tell no quality, which are left out."""
    panels = [list(group) for _, group in groupby(report.results, key=lambda each: each.case.size)]
    figure, all_axes = subplots(1, len(panels), width=5 * len(panels), height=4.2)
    missing = []
    for axes, results in zip(all_axes, panels, strict=True):
        missing += _draw(axes, results)
    figure.suptitle(f"{report.machine.cpu}, {report.machine.cores} cores, {report.machine.date.split()[0]}", fontsize=9)
    figure.savefig(path, dpi=140)
    return missing


def _draw(axes: Any, results: Sequence[Result]) -> list[str]:
    """Draw one size; give the names of those left out."""
    known = [each.case.card.metrics for each in results if each.case.card]
    wanted = next((name for name in METRICS if any(name in each for each in known)), METRICS[0])
    bicubic = next((each[BESIDE + wanted] for each in known if BESIDE + wanted in each), None)
    missing = []
    for each in results:
        card = each.case.card
        quality = card.metrics.get(wanted) if card else bicubic if each.case.model == "bicubic" else None
        if quality is None:
            missing.append(each.case.name)
            continue
        axes.plot(each.network.ms, quality, "o", color="#7f7f7f" if each.case.setup is None else "#4477aa")
        label = each.case.name if each.case.setup is None else f"{each.case.name} {each.case.setup.precision}"
        axes.annotate(
            label, (each.network.ms, quality), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9
        )
    axes.set(title=results[0].case.size.name, xlabel="ms a frame, network alone")
    use_log_scale(axes)
    axes.set_ylabel(f"PSNR-Y on {wanted.removeprefix('psnr_')}, dB")
    axes.margins(x=0.3, y=0.15)
    axes.grid(alpha=0.3)
    return missing
