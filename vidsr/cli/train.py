"""`vidsr train`: a network learns."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vidsr.cli.progress import Bars, Verbose
from vidsr.errors import ExtraMissing


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (live-x2, fast-x4, srgan-x4, …) or a TOML file.")],
    data: Annotated[list[Path], typer.Option(help="A store; or photos and films, may be repeated.")],
    run: Annotated[Path | None, typer.Option(help="The run's folder; goes on where it stopped. [runs/RECIPE]")] = None,
    validation: Annotated[Path | None, typer.Option(help="Pictures to validate on; else the store's own.")] = None,
    stores: Annotated[
        Path | None, typer.Option(help="Where stores of photos and films are kept. [beside the run]")
    ] = None,
    vgg: Annotated[Path | None, typer.Option(help="VGG19's weights, for a perceptual loss. [torchvision's]")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    verbose: Verbose = False,
) -> None:
    """Train a network by a recipe on photos and films, or go on with a run that was stopped."""
    try:
        from vidsr.train.loop import train as run_training
        from vidsr.train.parse import load_recipe
    except ImportError as exc:
        raise ExtraMissing(f"training needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    parsed = load_recipe(recipe)
    with _Display(parsed.pixel.steps + parsed.gan.steps) as display:
        done = run_training(
            parsed,
            data,
            run or Path("runs") / parsed.name,
            validation=validation,
            stores=stores,
            vgg=vgg,
            device=device,
            progress=display.show,
            report=display.step,
        )
    print(done.weights)


class _Display(Bars):
    """Bars, and the validations as lines; the log's lines where stderr is no terminal."""

    def __init__(self, steps: int) -> None:
        super().__init__(resumes=True)
        self._steps = steps

    def step(self, line: dict[str, Any]) -> None:
        """Show one line of the log: losses move the bar, validations are printed."""
        label = f"{line['stage']}, loss {line['loss']:.5f}" if "loss" in line else ""
        self.show("training", line["step"], self._steps, label)
        if not line.keys() & {"loss", "judge"}:
            self.console.print(_table(line), soft_wrap=True)
        elif not self.console.is_terminal and line["step"] % 1000 == 0:
            print(json.dumps(line), file=sys.stderr)


def _table(line: dict[str, Any]) -> str:
    parts = [
        f"{kind}: {line[f'psnr_{kind}']:.2f} dB, SSIM {line[f'ssim_{kind}']:.4f}"
        f" (bicubic {line[f'bicubic_psnr_{kind}']:.2f}, {line[f'bicubic_ssim_{kind}']:.4f})"
        for kind in ("clean", "coded")
        if f"psnr_{kind}" in line
    ]
    return f"step {line['step']}: PSNR-Y " + "; ".join(parts)
