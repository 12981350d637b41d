"""The bandwidth answer as one HTML page: the verdict, its chart, the figures, and what equal bits look like."""

from collections.abc import Mapping, Sequence
from typing import Any

from vidsr.errors import ExtraMissing
from vidsr.evaluate.bandwidth.bandwidth_examples import Part
from vidsr.evaluate.bandwidth.bandwidth_tables import comparisons_table, points_table
from vidsr.evaluate.bandwidth.commands import receiver, sender
from vidsr.evaluate.bandwidth.rd_curves import METRICS
from vidsr.evaluate.bandwidth.results import Answer
from vidsr.evaluate.bandwidth.verdict import verdict
from vidsr.evaluate.quality.contact_sheet import MARK
from vidsr.html_page import Page

COLOURS = ("#1f77b4", "#7f7f7f", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf")


def to_html(answers: Sequence[Answer], parts: Mapping[str, Sequence[Part]]) -> str:
    """Give the answers as one HTML file. parts: pictures to show by the digest of the film.

    Raises ExtraMissing where matplotlib is not installed.
    """
    page = Page(MARK + " --bandwidth")
    for answer in answers:
        page.heading(answer.video.path.name)
        page.paragraph(verdict(answer))
        page.paragraph(answer.protocol + ".")
        page.table(["who", "command"], _commands(answer))
        page.chart(chart(answer), f"{answer.video.path.name}: bits against quality; higher and farther left is better")
        page.table(*comparisons_table(answer), caption="BD-rate: bits for the same quality; negative saves")
        for part in parts.get(answer.video.digest, ()):
            page.paragraph(f"At about equal bits, {part.place}")
            page.images(part.pictures)
        page.table(*points_table(answer))
    return page.to_html()


def chart(answer: Answer) -> Any:
    """Draw the curves as a matplotlib Figure, a panel a measure. Raises ExtraMissing where it is not installed."""
    matplotlib = need_matplotlib()
    metrics = answer.metrics
    figure = matplotlib.figure.Figure(figsize=(4.6 * len(metrics), 4.2), layout="constrained")
    for panel, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        for number, curve in enumerate(answer.curves):
            style = "--" if curve.method == "lanczos" else "-"
            rates, quality = curve.values(metric)
            panel.semilogx(rates, quality, style, marker="o", color=COLOURS[number % len(COLOURS)], label=curve.name)
        panel.set(title=METRICS[metric], xlabel="kbit/s")
        panel.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:g}"))
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panel.legend(loc="lower right")
    return figure


def need_matplotlib() -> Any:
    """Give the package of that name. Raises ExtraMissing where it is not installed."""
    try:
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError as exc:
        raise ExtraMissing("charts need matplotlib; pip install 'vidsr[evaluate]' installs it") from exc
    return matplotlib


def _commands(answer: Answer) -> list[list[str]]:
    enlarge = receiver(answer)
    return [["sender", sender(answer)], *([["receiver", enlarge]] if enlarge else [])]
