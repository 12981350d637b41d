"""`vidsr report`: describe a store or a training run in an HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from vidsr.cli.console import Verbose
from vidsr.errors import DataError


def report(
    path: Annotated[Path, typer.Argument(metavar="STORE|RUN", help="Folder made by `vidsr prepare` or `vidsr train`.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="HTML file to write.")],
    verbose: Verbose = False,
) -> None:
    """Describe a store or a training run in one HTML file with images, curves and tables."""
    from vidsr.io.atomic import write_atomically

    if output.suffix.lower() not in {".html", ".htm"}:
        raise typer.BadParameter(f"expected an HTML file such as {output.with_suffix('.html')}, got {output}")
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
        f"{path} is neither a store, which has a manifest.json, nor a run, which has a recipe.json; "
        f"'vidsr prepare IMAGES... -o {path}' makes a store, 'vidsr train RECIPE --run {path}' a run"
    )
