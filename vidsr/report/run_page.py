"""The report of a training run: its curves, its samples over time, its recipe, and what came of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidsr.card import BESIDE, ModelCard, read_card
from vidsr.errors import ModelError
from vidsr.html_page import Cell, Page
from vidsr.report.history import History, Line
from vidsr.report.store_page import flat
from vidsr.report.training_curves import in_order, losses, named, validations
from vidsr.runs import Run

GRIDS = 6  # sample grids shown at most
ROWS = 12  # validations in figures at most
STAGES = ("pixel", "gan")
BETTER = ("psnr", "ssim")  # the higher the better


def report_run(run: Run) -> str:
    """Describe a run in one HTML page; of what the run does not hold yet, the page says so. Raises ExtraMissing."""
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
        page.paragraph("The run holds no recipe that can be read.")
    else:
        page.table(["setting", "value"], list(flat(recipe)))
    return page.to_html()


def _recipe(run: Run) -> dict[str, Any] | None:
    try:
        found = json.loads(run.recipe.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _summary(page: Page, run: Run, history: History, recipe: Mapping[str, Any] | None) -> ModelCard | None:
    """Say how far the run has come; give the card of its weights, if they have one."""
    steps = {stage: ((recipe or {}).get(stage) or {}).get("steps", 0) for stage in STAGES}
    total = sum(steps.values())
    stages = " and ".join(f"{steps[stage]:,} of stage {stage}" for stage in STAGES if steps[stage])
    said = f"Step {history.step:,}" + (f" of {total:,} ({stages})." if total else ".")
    if not history.step:
        said = "No step is logged yet: the run has just begun, or was stopped before its first line."
    elif history.step < total:
        said += f" It still runs or was stopped; 'vidsr train' with --run {run.folder.name} goes on with it."
    page.paragraph(said)
    if not run.weights.exists():
        page.paragraph("There are no weights yet: they come with the first validation.")
        return None
    try:
        return read_card(run.weights)
    except ModelError as exc:
        page.paragraph(f"The weights cannot be read: {exc}")
        return None


def _result(page: Page, history: History, card: ModelCard | None) -> None:
    """Ours beside bicubic: the weights that were kept, and the last validation."""
    page.heading("Result")
    kept: Mapping[str, float] = card.metrics if card else {}
    last: Mapping[str, float] = history.validations[-1] if history.validations else {}
    columns = {"weights kept": kept} if kept else {}
    if last and (not kept or any(round(last.get(name, 0), 4) != value for name, value in kept.items())):
        columns[f"at step {last['step']:,}"] = last
    names = in_order({name for one in columns.values() for name in one if BESIDE + name in one})
    if not names:
        page.paragraph("Nothing was measured yet: the first validation is still to come.")
        return
    rows: list[list[Cell]] = []
    for name in names:
        row: list[Cell] = [named(name), _figure(name, (last or kept).get(BESIDE + name))]
        for one in columns.values():
            row += [_figure(name, one.get(name)), _gain(name, one)]
        rows.append(row)
    header = ["", "bicubic", *(title for name in columns for title in (name, "over bicubic"))]
    about = f"The weights kept are those of {card.recipe}." if kept and card and card.recipe else ""
    page.table(header, rows, caption=about)


def _figure(name: str, value: float | None) -> Cell:
    return None if value is None else f"{value:.2f}" if name.startswith("psnr") else f"{value:.4f}"


def _gain(name: str, measured: Mapping[str, float]) -> Cell:
    """How much more than bicubic's, where more is better."""
    if not name.startswith(BETTER) or not {name, BESIDE + name} <= measured.keys():
        return None
    return f"{measured[name] - measured[BESIDE + name]:+.{2 if name.startswith('psnr') else 4}f}"


def _validations(page: Page, history: History) -> None:
    names = in_order(history.measured())
    if not names:
        return
    page.heading("Validations")
    page.chart(
        validations(history), f"At {len(history.validations)} validations, on pictures that are not learnt from."
    )
    shown = _spread(range(len(history.validations)), ROWS)
    rows = [_measured(names, history.validations[place]) for place in shown]
    rest = f"{len(rows)} of {len(history.validations)} validations." if len(rows) < len(history.validations) else ""
    page.table(["step", *map(named, names)], rows, caption=rest)


def _measured(names: Sequence[str], line: Line) -> list[Cell]:
    return [f"{line['step']:,}", *(_figure(name, line.get(name)) for name in names)]


def _samples(page: Page, run: Run) -> None:
    page.heading("Samples over time")
    steps = run.sampled()
    if not steps:
        page.paragraph("The run holds no sample grids; one is drawn at every validation.")
        return
    shown = _spread(steps, GRIDS)
    page.paragraph(f"{len(shown)} of {len(steps)} grids: the small picture in squares, bicubic, ours, and the truth.")
    for step in shown:
        _sample(page, run, step)


def _spread(steps: Sequence[int], most: int) -> list[int]:
    """The first, the last, and some between."""
    places = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    return [steps[place] for place in places]


def _sample(page: Page, run: Run, step: int) -> None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(run.sample(step)) as grid:
            page.image(np.asarray(grid.convert("RGB")), f"Step {step:,}")
    except UnidentifiedImageError:
        page.paragraph(f"{run.sample(step).name} is no picture.")


def _losses(page: Page, history: History) -> None:
    page.heading("Training")
    if not history.logged():
        page.paragraph("No loss is logged yet.")
        return
    stages = ", ".join(history.stages)
    page.chart(losses(history), f"Faint the steps logged, bold the means of many of them. Stages: {stages}.")


def _weights(page: Page, card: ModelCard | None) -> None:
    page.heading("Weights")
    if card is None:
        page.paragraph("None with a card.")
        return
    rows = [
        ["name", card.name],
        ["trained by", card.recipe or "-"],
        ["scale", f"×{card.scale}"],
        ["channels", "RGB" if card.channels == 3 else "luma"],
        ["takes the quantiser", "yes" if card.qp else "no"],
        ["parameters", f"{card.parameters:,}"],
        ["multiply-adds for an input pixel", f"{card.macs:,}"],
        ["reach, input pixels", str(card.receptive_field)],
        ["sides are multiples of, pixels", str(card.step)],
        ["trained on", card.data],
        ["licence", card.licence],
    ]
    page.table(["", ""], rows)
