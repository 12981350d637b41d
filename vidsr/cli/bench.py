"""`vidsr bench`: how fast the models are on this machine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidsr.cli.console import Verbose, print_markdown, progress, say

if TYPE_CHECKING:
    from vidsr.bench.speed_table import SpeedReport


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Names or paths.", show_default="live and fast models of the size"),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="FROM-TO", help="270p-1080p; repeat for several.", show_default="to fit the models"),
    ] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Engine; repeat for several.", show_default="auto")] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="Precision; repeat for several.", show_default="auto")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="Measure on its first frames.", show_default="a generated video")
    ] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the video.", show_default="48")] = None,
    runs: Annotated[int | None, typer.Option(help="Runs over each video, in turns.", show_default="3")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw quality against speed; with --front also FILE.svg.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Only find and keep the best number of frames in parallel.")
    ] = False,
    front: Annotated[
        bool, typer.Option("--front", help="Only compare quality with the network's time, in every precision.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Measure speed on this machine, relative to bicubic: of the network, the pipeline and the whole command."""
    if tune:
        return _tune(models or [], size or [])
    if front:
        return _front(models or [], size or [], as_json=as_json, plot=plot)
    from vidsr.bench.plot import check_plot, write_plot
    from vidsr.bench.run import bench as measure
    from vidsr.bench.speed_table import as_json as to_json

    if plot:
        check_plot(plot)
    given: dict[str, Any] = {
        "sizes": size, "engines": engine, "precisions": precision, "video": video, "frames": frames, "runs": runs
    }  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    with progress("measuring") as bar:
        report = measure(models or [], **options, progress=bar)
    if as_json:
        print(json.dumps(to_json(report), indent=2))
    else:
        _print(report)
    if plot:
        for name in write_plot(report, plot):
            say(f"{name} is not in the plot: its card has no quality metric")
        say(f"wrote {plot}")


def _tune(models: list[str], sizes: list[str]) -> None:
    from vidsr.bench.tune import tune
    from vidsr.errors import WrongOption

    if len(models) > 1 or len(sizes) > 1:
        raise WrongOption("--tune measures one model at one size, and the result holds for all; give one")
    model, size = (models or ["live-x4"])[0], (sizes or ["270p-1080p"])[0]
    with progress("measuring") as bar:
        chosen, times = tune(model, size=size, progress=bar)
    rows = [
        [str(each.streams), str(each.in_flight), f"{ms:.2f}", "kept" if each == chosen else ""]
        for each, ms in times.items()
    ]
    print_markdown(["streams", "frames in flight", "ms per frame", ""], rows, text_columns=3)


def _front(models: list[str], sizes: list[str], *, as_json: bool, plot: Path | None) -> None:
    from vidsr.bench.front import COLUMNS, SIZE, front_rows, measure_front, write_front
    from vidsr.bench.plot import check_plot
    from vidsr.errors import WrongOption

    if len(sizes) > 1:
        raise WrongOption("--front measures at one size; give one")
    if plot:
        check_plot(plot, (".png", ".svg"))
    with progress("measuring") as bar:
        front = measure_front(models, size=(sizes or [SIZE])[0], progress=bar)
    if as_json:
        print(json.dumps(front.to_json(), indent=2))
    else:
        print(f"{front.size} on {front.conditions}")
        print_markdown(COLUMNS, front_rows(front), text_columns=2)
        if front.choice:
            print(f"taken without --model at {front.rate:g} frames a second: {front.choice.model} ({front.choice})")
    if plot:
        for name in write_front(front, plot):
            say(f"{name} is not in the plot: its card has no quality metric")
        say(f"wrote {plot}")


def _print(report: "SpeedReport") -> None:
    from vidsr.bench.speed_table import COST, LEGEND, SPEED, cost_rows, sentences, speed_rows

    for sentence in sentences(report):
        print(sentence)
    print_markdown(SPEED, speed_rows(report), text_columns=3)
    print_markdown(COST, cost_rows(report), text_columns=3)
    for sentence in LEGEND:
        print(sentence)
