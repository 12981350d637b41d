"""`vidsr verify`: compare an output with its input."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from vidsr.cli.console import Verbose, plain
from vidsr.cli.params import bytes_of, option_of, rate_of
from vidsr.errors import NotFaithful
from vidsr.options import ReadOptions

if TYPE_CHECKING:
    from vidsr.verify import Verification


def verify(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="The video or image that was upscaled.")],
    target: Annotated[str, typer.Argument(metavar="OUTPUT", help="The upscaled result.")],
    fps: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Frame rate of image sequences and raw streams: 24 or 30000/1001."),
    ] = None,
    probe: Annotated[str | None, option_of(ReadOptions, "probe", metavar="SIZE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Compare an output with its input: everything but the size of the picture must be the same."""
    from vidsr.verify import verify_video

    for name in (source, target):
        readable_again(name, "verify")
    found = verify_video(source, target, fps=rate_of(fps), probe=bytes_of(probe))
    if as_json:
        print(json.dumps(as_dict(found)))
    else:
        print_table(found, sys.stdout)
    check(found)


def readable_again(name: str, command: str) -> None:
    """Refuse what can be read only once: verifying reads input and output to their ends."""
    from vidsr.io.names import is_address
    from vidsr.io.pipes import is_fifo

    if name == "-" or is_address(name) or is_fifo(Path(name)):
        what = "a pipe" if name == "-" else name
        raise typer.BadParameter(f"{what} cannot be read a second time to be verified; use files", param_hint=command)


def print_table(found: "Verification", file: TextIO, *, quiet: bool = False) -> None:
    """Print a row for each finding; if `quiet`, only for those that differ and were not announced."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    rows = found.differences if quiet else found.findings
    if not rows:
        return
    drawn = Table("", "input", "output", "", box=MARKDOWN)
    for finding in rows:
        drawn.add_row(*map(plain, (finding.name, finding.source, finding.target, finding.state)))
    Console(file=file, width=200, markup=False, highlight=False).print(drawn)


def as_dict(found: "Verification") -> dict[str, Any]:
    """Return the findings as they are printed in JSON."""
    findings = [
        {"name": f.name, "source": f.source, "target": f.target, "state": f.state, "announced": f.announced}
        for f in found.findings
    ]
    return {"source": found.source, "target": found.target, "faithful": found.faithful, "findings": findings}


def check(found: "Verification") -> None:
    """Raise NotFaithful if something differs that was not announced."""
    if not found.faithful:
        names = ", ".join(finding.name for finding in found.differences)
        raise NotFaithful(f"{found.target} is not faithful to {found.source}; unannounced differences: {names}")
