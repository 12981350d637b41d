"""`vidsr prepare`: make pairs to train on from photos and videos."""

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidsr.cli.console import Bars, Verbose, say

if TYPE_CHECKING:
    from vidsr.data.degradation import Degradation
    from vidsr.data.store import Store


def prepare(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Photos, videos, or folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the store, which is created.")],
    scale: Annotated[int, typer.Option(min=2, max=4, help="How much larger the ground truth is.")] = 4,
    patch_size: Annotated[int, typer.Option(min=8, help="Side of the low-resolution images, in pixels.")] = 32,
    pairs: Annotated[int, typer.Option(min=1, help="About how many pairs; each source gives at least one.")] = 65536,
    frames: Annotated[int, typer.Option(min=1, max=7, help="Consecutive frames in a pair: 1, or 3 to 7.")] = 1,
    color: Annotated[bool, typer.Option("--color", help="Make RGB images, for RGB networks; otherwise luma.")] = False,
    recipe: Annotated[str | None, typer.Option(help="Degrade as this recipe (a name or a TOML file) does.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the degradation: coded=0.8, crf=18,35."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    licence: Annotated[str, typer.Option(help="Licence of sources without a licences.csv beside them.")] = "",
    workers: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="one a core")] = None,
    verbose: Verbose = False,
) -> None:
    """Make a store of pairs of low-resolution and ground truth images; an interrupted run is resumed."""
    from vidsr.data.prepare import prepare as make
    from vidsr.data.store import StoreSettings

    settings = StoreSettings(
        scale=scale,
        pairs=pairs,
        side=patch_size,
        frames=frames,
        channels=3 if color else 1,
        seed=seed,
        degradation=_changed(_degradation(recipe), change or []),
    )
    with Bars(resumes=True) as bars:
        store = make(sources, output, settings, licence=licence, workers=workers, progress=bars.show)
    _summarise(store)
    print(store.folder)


def _degradation(recipe: str | None) -> "Degradation":
    from vidsr.data.degradation import Degradation
    from vidsr.train.recipe_file import load_recipe

    return load_recipe(recipe).degradation if recipe else Degradation()


def _changed(settings: "Degradation", changes: list[str]) -> "Degradation":
    from vidsr.data.degradation import OLD_NAMES

    known = {field.name: getattr(settings, field.name) for field in fields(settings)}
    values: dict[str, Any] = {}
    for change in changes:
        given, _, text = change.partition("=")
        name = OLD_NAMES.get(given, given)
        if name not in known:
            raise typer.BadParameter(f"--set {change}: unknown setting {name!r}; known are {', '.join(known)}")
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError as exc:
            raise typer.BadParameter(f"--set {change}: {name} expects numbers, got {text!r}") from exc
        if len(numbers) != (2 if isinstance(known[name], tuple) else 1):
            expected = "two numbers such as 1,2" if isinstance(known[name], tuple) else "one number"
            raise typer.BadParameter(f"--set {change}: {name} expects {expected}")
        values[name] = numbers if isinstance(known[name], tuple) else numbers[0]
    return replace(settings, **values)


def _summarise(store: "Store") -> None:
    """Print on stderr what the store contains and which sources were left out."""
    splits, sources = store.manifest["splits"], store.manifest["sources"]
    used = sum(1 for source in sources if source["crops"])
    counts = ", ".join(f"{count} for {split}" for split, count in splits.items())
    say(f"{sum(splits.values())} pairs of {used} sources: {counts}")
    for file in store.manifest["skipped"]:
        say(f"left out: {file['file']}: {file['reason']}")
    sys.stderr.flush()
