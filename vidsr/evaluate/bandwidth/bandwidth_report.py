"""Results of a bandwidth study as tables, JSON or an HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vidsr.evaluate.bandwidth.bandwidth_examples import ExampleCrop
from vidsr.evaluate.bandwidth.commands import receiver, sender
from vidsr.evaluate.bandwidth.rd_curves import METRIC_TITLES
from vidsr.evaluate.bandwidth.results import QUALITIES, BandwidthResult, CurveComparison
from vidsr.evaluate.bandwidth.verdict import verdict
from vidsr.evaluate.quality.contact_sheet import SIGNATURE
from vidsr.html_page import Page
from vidsr.plotting import subplots, use_log_scale

COLORS = ("#1f77b4", "#7f7f7f", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf")

Table = tuple[list[str], list[list[str]]]
"""Column titles and cells."""


def points_table(result: BandwidthResult) -> Table:
    """Return every encode with its CRF, bit rate and quality."""
    metrics = result.metrics
    header = ["encoded as", "CRF", "kbit/s", *(METRIC_TITLES[metric] for metric in metrics)]
    rows = [
        [curve.name, f"{point.crf:g}", f"{point.kbit:.0f}", *(f"{getattr(point, metric):.2f}" for metric in metrics)]
        for curve in result.curves
        for point in curve.points
    ]
    return header, rows


def comparisons_table(result: BandwidthResult) -> Table:
    """Return every downscaled curve compared with full size, by every metric."""
    levels = QUALITIES if "vmaf_neg" in result.metrics else ()
    header = ["encoded as", "metric", "BD-rate to native", f"to {result.curves[1].name}", "better at kbit/s"]
    header += [f"saved at NEG {level}" for level in levels]
    rows = []
    for one in result.comparisons:
        cells = [one.curve, METRIC_TITLES[one.metric]]
        cells += [_rate(one.against_native, one.native_reason), _rate(one.against_lanczos, one.lanczos_reason)]
        cells.append(_crossing(one))
        rows.append([*cells, *(_saved(one.saved.get(level)) for level in levels)])
    return header, rows


def as_json(result: BandwidthResult) -> dict[str, Any]:
    """Return what `--json` prints: numbers not rounded, with the verdict and the commands."""
    found = asdict(result)
    found["video"] |= {"path": str(result.video.path), "rate": float(result.video.rate)}
    return found | {"verdict": verdict(result), "sender": sender(result), "receiver": receiver(result)}


def to_html(results: Sequence[BandwidthResult], examples: Mapping[str, Sequence[ExampleCrop]]) -> str:
    """Return the results as one HTML file. examples: crops to show, by the digest of the clip.

    Raises ExtraMissing if matplotlib is not installed.
    """
    page = Page(SIGNATURE + " --bandwidth")
    for result in results:
        name, receive = result.video.path.name, receiver(result)
        page.heading(name)
        page.paragraph(verdict(result))
        page.paragraph(result.protocol + ".")
        commands = [["sender", sender(result)], *([["receiver", receive]] if receive else [])]
        page.table(["where", "command"], commands)
        page.chart(chart(result), f"{name}: quality by bit rate; higher and farther left is better")
        page.table(*comparisons_table(result), caption="BD-rate: change of bits at equal quality; negative saves")
        for crop in examples.get(result.video.digest, ()):
            page.paragraph(f"At about equal bit rates, {crop.place}")
            page.images(crop.images)
        page.table(*points_table(result))
    return page.to_html()


def chart(result: BandwidthResult) -> Any:
    """Return the curves as a matplotlib Figure with one panel for each metric. Raises ExtraMissing."""
    metrics = result.metrics
    figure, panels = subplots(1, len(metrics), width=4.6 * len(metrics), height=4.2)
    for panel, metric in zip(panels, metrics, strict=True):
        for number, curve in enumerate(result.curves):
            style = "--" if curve.method == "lanczos" else "-"
            rates, quality = curve.values(metric)
            panel.plot(rates, quality, style, marker="o", color=COLORS[number % len(COLORS)], label=curve.name)
        panel.set(title=METRIC_TITLES[metric], xlabel="kbit/s")
        use_log_scale(panel)
        panel.grid(alpha=0.3)
    panels[-1].legend(loc="lower right")
    return figure


def _rate(percent: float | None, reason: str) -> str:
    return f"{percent:+.1f} %" if percent is not None else "-" if reason == "itself" else reason


def _crossing(one: CurveComparison) -> str:
    crossing = one.crossover
    if crossing.since is not None:
        return f"{crossing.since:.0f} to {crossing.kbit:.0f}"
    if crossing.kbit is not None:
        return f"{crossing.kind} {crossing.kbit:.0f}"
    if crossing.measured is None:
        return "no bit rates in common"
    return f"{crossing.kind} ({crossing.measured[0]:.0f} to {crossing.measured[1]:.0f})"


def _saved(percent: float | None) -> str:
    return "-" if percent is None else f"{round(percent)} %"
