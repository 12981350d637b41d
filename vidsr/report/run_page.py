"""The report of a training run: result, curves, samples over time, weights and recipe."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidsr.card import BICUBIC_PREFIX, ModelCard, read_card
from vidsr.errors import ModelError
from vidsr.html_page import Cell, Page
from vidsr.report.history import History
from vidsr.report.store_page import flatten
from vidsr.report.training_curves import draw_losses, draw_metrics, metric_title, sort_metrics
from vidsr.runs import Run

GRIDS = 6  # sample grids shown at most
ROWS = 12  # of the table of validations at most
STAGES = ("pixel", "gan", "int8")
BETTER = ("psnr", "ssim")  # of metrics for which higher is better


def report_run(run: Run) -> str:
    """Return an HTML page about a run; it says what the run does not have yet. Raises ExtraMissing."""
    history, recipe = History.of(run), _recipe(run)
    name = (recipe or {}).get("name") or run.folder.resolve().name
    page = Page(f"Run {name}")
    card = _summary(page, run, history, recipe)
    _result(page, history, card)
    _validations(page, history)
    _samples(page, run)
    _losses(page, history)
    _weights(page, card)
    page.heading("Recipe")
    if recipe is None:
        page.paragraph("The run has no readable recipe.")
    else:
        page.table(["setting", "value"], list(flatten(recipe)))
    return page.to_html()


def _recipe(run: Run) -> dict[str, Any] | None:
    try:
        found = json.loads(run.recipe.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _summary(page: Page, run: Run, history: History, recipe: Mapping[str, Any] | None) -> ModelCard | None:
    """Add a summary of the progress; return the card of the weights, if there is one."""
    steps = {stage: ((recipe or {}).get(stage) or {}).get("steps", 0) for stage in STAGES}
    total = sum(steps.values())
    stages = " and ".join(f"{steps[stage]:,} of stage {stage}" for stage in STAGES if steps[stage])
    summary = f"Step {history.step:,}" + (f" of {total:,} ({stages})." if total else ".")
    if not history.step:
        summary = "No step is logged yet: the run has just begun, or was stopped before its first line."
    elif history.step < total:
        summary += f" It is running or was stopped; 'vidsr train' with --run {run.folder.name} resumes it."
    page.paragraph(summary)
    if not run.weights.exists():
        page.paragraph("The run has no weights yet; the first validation writes them.")
        return None
    try:
        return read_card(run.weights)
    except ModelError as exc:
        page.paragraph(f"The weights cannot be read: {exc}")
        return None


def _result(page: Page, history: History, card: ModelCard | None) -> None:
    """Add the metrics of bicubic, of the weights that were kept, and of the last validation."""
    page.heading("Result")
    kept: Mapping[str, float] = card.metrics if card else {}
    last: Mapping[str, float] = history.validations[-1] if history.validations else {}
    columns = {"weights kept": kept} if kept else {}
    if last and (not kept or any(round(last.get(name, 0), 4) != value for name, value in kept.items())):
        columns[f"at step {last['step']:,}"] = last
    names = sort_metrics({name for one in columns.values() for name in one if BICUBIC_PREFIX + name in one})
    if not names:
        page.paragraph("Nothing was measured yet; the first validation is still to come.")
        return
    rows: list[list[Cell]] = []
    for name in names:
        row: list[Cell] = [metric_title(name), _show(name, (last or kept).get(BICUBIC_PREFIX + name))]
        for one in columns.values():
            row += [_show(name, one.get(name)), _gain(name, one)]
        rows.append(row)
    header = ["", "bicubic", *(title for name in columns for title in (name, "over bicubic"))]
    about = f"The weights kept are from {card.recipe}." if kept and card and card.recipe else ""
    page.table(header, rows, caption=about)


def _show(name: str, value: float | None) -> Cell:
    return None if value is None else f"{value:.2f}" if name.startswith("psnr") else f"{value:.4f}"


def _gain(name: str, measured: Mapping[str, float]) -> Cell:
    """Return the gain over bicubic, for metrics of which higher is better."""
    if not name.startswith(BETTER) or not {name, BICUBIC_PREFIX + name} <= measured.keys():
        return None
    return f"{measured[name] - measured[BICUBIC_PREFIX + name]:+.{2 if name.startswith('psnr') else 4}f}"


def _validations(page: Page, history: History) -> None:
    names = sort_metrics(history.metric_names())
    if not names:
        return
    page.heading("Validations")
    about = f"At {len(history.validations)} validations, on images that are not trained on."
    page.chart(draw_metrics(history), about)
    shown = [history.validations[index] for index in _spread(range(len(history.validations)), ROWS)]
    rows: list[list[Cell]] = [[f"{line['step']:,}", *(_show(name, line.get(name)) for name in names)] for line in shown]
    rest = f"{len(rows)} of {len(history.validations)} validations." if len(rows) < len(history.validations) else ""
    page.table(["step", *map(metric_title, names)], rows, caption=rest)


def _samples(page: Page, run: Run) -> None:
    page.heading("Samples over time")
    steps = run.sampled()
    if not steps:
        page.paragraph("The run has no sample grids; each validation draws one.")
        return
    shown = _spread(steps, GRIDS)
    columns = "low resolution in squares, bicubic, the network, and the ground truth"
    page.paragraph(f"{len(shown)} of {len(steps)} grids: {columns}.")
    for step in shown:
        _sample(page, run, step)


def _spread(steps: Sequence[int], most: int) -> list[int]:
    """Return the first step, the last, and some between, evenly spaced."""
    indexes = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    return [steps[index] for index in indexes]


def _sample(page: Page, run: Run, step: int) -> None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(run.sample(step)) as grid:
            page.image(np.asarray(grid.convert("RGB")), f"Step {step:,}")
    except UnidentifiedImageError:
        page.paragraph(f"{run.sample(step).name} is not an image.")


def _losses(page: Page, history: History) -> None:
    page.heading("Training")
    if not history.loss_names():
        page.paragraph("No loss is logged yet.")
        return
    stages = ", ".join(history.stages)
    page.chart(draw_losses(history), f"Thin: logged steps; bold: means of many steps. Stages: {stages}.")


def _weights(page: Page, card: ModelCard | None) -> None:
    page.heading("Weights")
    if card is None:
        page.paragraph("The run has no weights with a card.")
        return
    rows = [
        ["name", card.name],
        ["trained by", card.recipe or "-"],
        ["scale", f"×{card.scale}"],
        ["channels", "RGB" if card.channels == 3 else "luma"],
        ["uses the QP", "yes" if card.qp else "no"],
        ["parameters", f"{card.parameters:,}"],
        ["multiply-adds an input pixel", f"{card.macs:,}"],
        ["receptive field, input pixels", str(card.receptive_field)],
        ["sides must be multiples of, pixels", str(card.step)],
        ["trained on", card.data],
        ["licence", card.licence],
    ]
    page.table(["", ""], rows)
