"""`vidsr report`: a store as a page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from vidsr.cli.progress import Verbose
from vidsr.errors import DataError


def report(
    path: Annotated[Path, typer.Argument(metavar="STORE", help="A folder that `vidsr prepare` made.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")],
    verbose: Verbose = False,
) -> None:
    """Show what is in a store: one HTML file with its pictures, figures, sources and licences."""
    from vidsr.data.store import is_store, read_store
    from vidsr.report.store import report_store
    from vidsr.runs import write_whole

    if output.suffix.lower() not in {".html", ".htm"}:
        raise typer.BadParameter(f"a report is a web page: call it {output.with_suffix('.html')}, not {output}")
    if not is_store(path):
        raise DataError(
            f"{path} is no store, for it holds no manifest.json; 'vidsr prepare PICTURES... -o {path}' makes one"
        )
    write_whole(output, report_store(read_store(path)).encode())
    print(output)
