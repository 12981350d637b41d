"""`vidsr evaluate --bandwidth`: should the clip be sent small, or at full size?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vidsr.cli.console import say
from vidsr.cli.console__tables import progress

if TYPE_CHECKING:
    from vidsr.engines import Precision
    from vidsr.evaluate.bandwidth.bandwidth_tables import Table
    from vidsr.evaluate.bandwidth.results import Answer


def run(
    models: list[str],
    clips: list[Path],
    *,
    codec: str,
    preset: str | None,
    frames: int | None,
    html: Path | None,
    as_json: bool,
    engine: str,
    precision: str,
) -> None:
    """Measure and print; frames: None takes the first FRAMES."""
    from vidsr.evaluate.bandwidth.bandwidth_page import need_matplotlib
    from vidsr.evaluate.bandwidth.bandwidth_tables import as_json as to_json
    from vidsr.evaluate.bandwidth.study import FRAMES, evaluate_bandwidth
    from vidsr.evaluate.quality.reports import check_target
    from vidsr.evaluate.quality.vmaf__video import why_not

    if html:
        check_target(html)
        need_matplotlib()
    if reason := why_not():
        say(f"{reason}; PSNR-Y alone is measured")
    options: dict[str, Any] = {"engine": engine, "precision": cast("Precision", precision)}
    with progress("frames") as bar:
        answers = evaluate_bandwidth(
            models, clips, codec=codec, preset=preset, frames=frames or FRAMES, progress=bar, **options
        )
    if as_json:
        print(json.dumps({"bandwidth": [to_json(answer) for answer in answers]}, indent=2))
    else:
        for answer in answers:
            _print(answer)
    if html:
        _write(html, models, answers, options)


def _print(answer: "Answer") -> None:
    from vidsr.evaluate.bandwidth.bandwidth_tables import comparisons_table, points_table
    from vidsr.evaluate.bandwidth.commands import receiver, sender
    from vidsr.evaluate.bandwidth.verdict import verdict

    print(answer.protocol + ".")
    _table(points_table(answer))
    _table(comparisons_table(answer))
    print(verdict(answer))
    print(f"\n  {sender(answer)}")
    if enlarge := receiver(answer):
        print(f"  {enlarge}")


def _table(table: "Table") -> None:
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    header, rows = table
    drawn = Table(box=MARKDOWN)
    for index, title in enumerate(header):
        drawn.add_column(title, justify="left" if index == 0 else "right")
    for row in rows:
        drawn.add_row(*row)
    Console(width=max(Console().width, 160)).print(drawn)  # wide enough that no figure is cut where it is piped


def _write(html: Path, models: list[str], answers: "list[Answer]", options: dict[str, Any]) -> None:
    from vidsr.evaluate.bandwidth.bandwidth_examples import show_parts
    from vidsr.evaluate.bandwidth.bandwidth_page import to_html
    from vidsr.evaluate.bandwidth.encode__ways import open_ways
    from vidsr.runs import write_whole

    with open_ways(models, **options) as ways:
        parts = {answer.film.digest: show_parts(answer, ways) for answer in answers}
    write_whole(html, to_html(answers, parts).encode())
    say(f"wrote {html}")
