"""`vidsr report`: a store or a training run as a page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from vidsr.cli.console import Verbose
from vidsr.errors import DataError


def report(
    path: Annotated[
        Path, typer.Argument(metavar="STORE|RUN", help="A folder that `vidsr prepare` or `vidsr train` made.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")],
    verbose: Verbose = False,
) -> None:
    """Show what is in a store, or what a training run has come to: one HTML file with pictures, curves and tables."""
    from vidsr.io.atomic import write_atomically

    if output.suffix.lower() not in {".html", ".htm"}:
        raise typer.BadParameter(f"a report is a web page: call it {output.with_suffix('.html')}, not {output}")
    write_atomically(output, _page(path).encode())
    print(output)


def _page(path: Path) -> str:
    from vidsr.data.store import is_store, read_store
    from vidsr.report.run_page import report_run
    from vidsr.report.store_page import report_store
    from vidsr.runs import Run, is_run

    if is_store(path):
        return report_store(read_store(path))
    if is_run(path):
        return report_run(Run(path))
    raise DataError(
        f"{path} is no store, for it holds no manifest.json, and no run, for it holds no recipe.json; "
        f"'vidsr prepare PICTURES... -o {path}' makes a store, 'vidsr train RECIPE --run {path}' a run"
    )
