"""A bandwidth answer as tables and as JSON: the same for the terminal and for the page."""

from dataclasses import asdict
from typing import Any

from vidsr.evaluate.bandwidth.commands import receiver, sender
from vidsr.evaluate.bandwidth.rd_curves import METRICS
from vidsr.evaluate.bandwidth.results import QUALITIES, Answer, Comparison
from vidsr.evaluate.bandwidth.verdict import verdict

Table = tuple[list[str], list[list[str]]]
"""Titles and cells."""


def points_table(answer: Answer) -> Table:
    """Every encode: its CRF, its bits and what it looked like."""
    metrics = answer.metrics
    header = ["sent as", "CRF", "kbit/s", *(METRICS[metric] for metric in metrics)]
    rows = [
        [curve.name, f"{point.crf:g}", f"{point.kbit:.0f}", *(f"{getattr(point, metric):.2f}" for metric in metrics)]
        for curve in answer.curves
        for point in curve.points
    ]
    return header, rows


def comparisons_table(answer: Answer) -> Table:
    """Every small curve against the film at its own size, in every measure."""
    levels = QUALITIES if "vmaf_neg" in answer.metrics else ()
    header = ["sent as", "measure", "BD-rate to native", f"to {answer.curves[1].name}", "small wins at kbit/s"]
    header += [f"saved at NEG {level}" for level in levels]
    rows = []
    for one in answer.comparisons:
        cells = [one.curve, METRICS[one.metric]]
        cells += [_rate(one.against_native, one.native_reason), _rate(one.against_lanczos, one.lanczos_reason)]
        cells.append(_crossing(one))
        rows.append([*cells, *(_saved(one.saved.get(level)) for level in levels)])
    return header, rows


def as_json(answer: Answer) -> dict[str, Any]:
    """What `--json` prints: numbers unrounded, the verdict and the commands that go with it."""
    found = asdict(answer)
    found["film"] |= {"path": str(answer.video.path), "rate": float(answer.video.rate)}
    return found | {"verdict": verdict(answer), "sender": sender(answer), "receiver": receiver(answer)}


def _rate(percent: float | None, reason: str) -> str:
    return f"{percent:+.1f} %" if percent is not None else "-" if reason == "itself" else reason


def _crossing(one: Comparison) -> str:
    crossing = one.crossover
    if crossing.since is not None:
        return f"{crossing.since:.0f} to {crossing.kbit:.0f}"
    if crossing.kbit is not None:
        return f"{crossing.kind} {crossing.kbit:.0f}"
    if crossing.measured is None:
        return "no rate in common"
    return f"{crossing.kind} ({crossing.measured[0]:.0f} to {crossing.measured[1]:.0f})"


def _saved(percent: float | None) -> str:
    return "-" if percent is None else f"{round(percent)} %"
