"""How an evaluation is told: tables on stdout, files where they were asked for, and how far it is on stderr."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vidsr.cli.console import say

if TYPE_CHECKING:
    from vidsr.evaluate.quality.reports import Report


def once() -> Callable[[str], None]:
    """Say each sentence on stderr, but only the first time."""
    said: set[str] = set()

    def notice(sentence: str) -> None:
        if sentence not in said:
            said.add(sentence)
            say(sentence)

    return notice


def print_report(report: "Report") -> None:
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    from vidsr.evaluate.quality.metric_table import legend
    from vidsr.evaluate.quality.reports import sentences, table

    print(report.protocol + ".")
    header, rows = table(report)
    drawn = Table(box=MARKDOWN)
    for index, title in enumerate(header):
        drawn.add_column(title, justify="left" if index < 3 else "right")
    for row in rows:
        drawn.add_row(*row)
    Console(width=max(Console().width, 250)).print(drawn)  # wide enough that no figure is cut where it is piped
    for title, meaning in legend(report.figures).items():
        print(f"{title}: {meaning}.")
    for sentence in sentences(report):
        print(sentence)


def write_files(reports: "Sequence[Report]", html: Path | None, sheet: Path | None) -> None:
    from vidsr.evaluate.quality.contact_sheet import draw_sheet
    from vidsr.evaluate.quality.reports import to_html
    from vidsr.runs import write_whole

    if html:
        write_whole(html, to_html(reports).encode())
        say(f"wrote {html}")
    if sheet:
        write_whole(sheet, draw_sheet([one for report in reports for one in report.comparisons]))
        say(f"wrote {sheet}")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
