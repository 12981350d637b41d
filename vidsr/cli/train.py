"""`vidsr train`: a network learns."""

from pathlib import Path
from typing import Annotated

import typer

from vidsr.cli.progress import Verbose
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
    from vidsr.cli.training import Display

    try:
        from vidsr.train.loop import train as run_training
        from vidsr.train.parse import load_recipe
    except ImportError as exc:
        raise ExtraMissing(f"training needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    parsed = load_recipe(recipe)
    with Display(parsed) as display:
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
