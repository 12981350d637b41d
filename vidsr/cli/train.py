"""`vidsr train`: a network learns."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vidsr.cli.progress import Verbose
from vidsr.errors import ExtraMissing


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (live-x2, live-x3, live-x4) or a TOML file.")],
    data: Annotated[list[Path], typer.Option(help="A folder or file of photos and films; may be repeated.")],
    run: Annotated[Path | None, typer.Option(help="The run's folder; goes on where it stopped. [runs/RECIPE]")] = None,
    validation: Annotated[Path | None, typer.Option(help="Pictures to validate on; else held-back patches.")] = None,
    stores: Annotated[Path | None, typer.Option(help="Where patch stores are kept. [beside the run]")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    verbose: Verbose = False,
) -> None:
    """Train a network by a recipe on photos and films, or go on with a run that was stopped."""
    try:
        from vidsr.train.config import load_recipe
        from vidsr.train.loop import train as run_training
    except ImportError as exc:
        raise ExtraMissing(f"training needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    parsed = load_recipe(recipe)
    with _display(parsed.pixel.steps) as display:
        done = run_training(
            parsed,
            data,
            run or Path("runs") / parsed.name,
            validation=validation,
            stores=stores,
            device=device,
            progress=display.prepare,
            report=display.step,
        )
    print(done.weights)


class _display:  # noqa: N801  (used as a function)
    """A bar on a terminal; the log's lines where stderr is none."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._steps, self._console = steps, Console(stderr=True)
        self._bars = Progress(*columns, console=self._console, disable=not sys.stderr.isatty())
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_display":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show how far a preparation is."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done)

    def step(self, line: dict[str, Any]) -> None:
        """Show one line of the log: losses move the bar, validations are printed."""
        self.prepare("training", line["step"], self._steps)
        if "loss" in line:
            self._bars.update(self._tasks["training"], description=f"training, loss {line['loss']:.5f}")
        else:
            self._console.print(_table(line))
        if not sys.stderr.isatty() and "loss" in line and line["step"] % 1000 == 0:
            print(json.dumps(line), file=sys.stderr)


def _table(line: dict[str, Any]) -> str:
    parts = [
        f"{kind}: {line[f'psnr_{kind}']:.2f} dB, SSIM {line[f'ssim_{kind}']:.4f}"
        f" (bicubic {line[f'bicubic_psnr_{kind}']:.2f}, {line[f'bicubic_ssim_{kind}']:.4f})"
        for kind in ("clean", "coded")
        if f"psnr_{kind}" in line
    ]
    return f"step {line['step']}: PSNR-Y " + "; ".join(parts)
