"""`vidsr train`: a network learns."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from vidsr.cli.console import Verbose
from vidsr.errors import ExtraMissing


class Precision(StrEnum):
    """What the convolutions compute in."""

    BF16 = "bf16"
    FP16 = "fp16"
    F32 = "f32"


class Compile(StrEnum):
    """What torch.compile does."""

    NO = "no"
    YES = "yes"
    GRAPHS = "graphs"


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (live-x2, fast-x4, srgan-x4, …) or a TOML file.")],
    data: Annotated[list[Path], typer.Option(help="A store; or photos and films, may be repeated.")],
    run: Annotated[Path | None, typer.Option(help="The run's folder; goes on where it stopped. [runs/RECIPE]")] = None,
    validation: Annotated[Path | None, typer.Option(help="Pictures to validate on; else the store's own.")] = None,
    stores: Annotated[
        Path | None, typer.Option(help="Where stores of photos and films are kept. [beside the run]")
    ] = None,
    vgg: Annotated[Path | None, typer.Option(help="VGG19's weights, for a perceptual loss. [torchvision's]")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: pixel.steps=1000. May be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, … Several by torchrun: see the README.")] = "cpu",
    precision: Annotated[Precision, typer.Option(help="Of the convolutions.")] = Precision.BF16,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Compute a batch in so many parts, where memory is short.")
    ] = 1,
    compile: Annotated[Compile, typer.Option(help="By torch.compile; graphs: as CUDA graphs too.")] = Compile.NO,
    profile: Annotated[
        bool, typer.Option("--profile", help="Train nothing; say how much of the time is the networks'.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a network by a recipe on photos and films, or go on with a run that was stopped."""
    from vidsr.cli.train_display import Display

    try:
        from vidsr.train.devices import Machine
        from vidsr.train.loop import train as run_training
        from vidsr.train.recipe_file import load_recipe
        from vidsr.train.throughput import profile as time_training
    except ImportError as exc:
        raise ExtraMissing(f"training needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    parsed = load_recipe(recipe, change or ())
    folder = run or Path("runs") / parsed.name
    machine = Machine(device=device, precision=precision.value, accumulate=accumulate, compile=compile.value)
    first = os.environ.get("RANK", "0") == "0"  # of those that torchrun starts, one speaks
    with Display(parsed) as display:
        options: dict[str, Any] = {
            "stores": stores or folder.parent / "stores",
            "vgg": vgg,
            "machine": machine,
            "progress": display.show if first else None,
        }
        if profile:
            speeds = time_training(parsed, data, **options)
        else:
            done = run_training(parsed, data, folder, validation=validation, report=display.step, **options)
    if not first:
        return
    if profile:
        for speed in speeds:
            share = speed.loop / speed.bare
            print(f"{speed.stage}: {speed.loop:.1f} images/s, {share:.2f} of the networks' own {speed.bare:.1f}")
    else:
        print(done.weights)
