"""`vidsr train`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vidsr.cli.console import Verbose, say
from vidsr.errors import ExtraMissing


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (live-x2, fast-x4, srgan-x4, …) or a TOML file.")],
    data: Annotated[list[Path], typer.Option(help="A store, or photos and videos; may be repeated.")],
    run: Annotated[
        Path | None, typer.Option(help="The run's folder; an existing run is resumed.", show_default="runs/RECIPE")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Images to validate on.", show_default="the store's validation split")
    ] = None,
    stores: Annotated[
        Path | None, typer.Option(help="Where stores of photos and videos are kept.", show_default="beside the run")
    ] = None,
    vgg: Annotated[
        Path | None, typer.Option(help="VGG19's weights, for a perceptual loss.", show_default="torchvision's")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: pixel.steps=1000. May be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N; several with torchrun.")] = "cpu",
    precision: Annotated[
        Literal["auto", "bf16", "f16", "f32"],
        typer.Option(help="Precision of convolutions; auto is bf16 if the device computes it natively, else f32."),
    ] = "auto",
    accumulate: Annotated[int, typer.Option(min=1, help="Split a batch into this many parts, to save memory.")] = 1,
    compile: Annotated[
        Literal["no", "yes", "graphs"], typer.Option(help="Use torch.compile; graphs: with CUDA graphs.")
    ] = "no",
    profile: Annotated[
        bool, typer.Option("--profile", help="Measure the speed of training instead of training.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a network by a recipe on photos and videos, or resume a run."""
    from vidsr.cli.train_display import Display

    # Before PyTorch loads. Its threads would wait in busy loops for one another, several hundred times a step, and take
    # the cores from the thread that draws the next batch, and from whatever else runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from vidsr.train.batches import Inputs
        from vidsr.train.devices import Accelerator, default_precision
        from vidsr.train.loop import train as run_training
        from vidsr.train.recipe_file import load_recipe
        from vidsr.train.throughput import profile as time_training
    except ImportError as exc:
        raise ExtraMissing(f"training needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    parsed = load_recipe(recipe, change or ())
    folder = run or Path("runs") / parsed.name
    inputs = Inputs(data=data, stores=stores or folder.parent / "stores", validation=validation, vgg=vgg)
    is_main = os.environ.get("RANK", "0") == "0"  # of the processes of torchrun only this one prints
    chosen = default_precision(device) if precision == "auto" else precision
    if precision == "auto" and is_main:
        reason = "computes bf16 natively" if chosen == "bf16" else "does not compute bf16 natively"
        say(f"training in {chosen}: {device} {reason}")
    with Display(parsed) as display:
        options: dict[str, Any] = {
            "accelerator": Accelerator(device=device, precision=chosen, accumulate=accumulate, compile=compile),
            "progress": display.show if is_main else None,
        }
        if profile:
            results = time_training(parsed, inputs, **options)
        else:
            done = run_training(parsed, inputs, folder, report=display.step, **options)
    if not is_main:
        return
    if profile:
        for each in results:
            share = each.loop / each.bare
            print(f"{each.stage}: {each.loop:.1f} images/s, {share:.2f} of the networks' {each.bare:.1f}")
    else:
        print(done.weights)
