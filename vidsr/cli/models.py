"""`vidsr models`: the models that ship with vidsr."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from vidsr.card import BICUBIC_PREFIX, ModelCard


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """List the models that ship with vidsr."""
    from vidsr.zoo import shelf

    found = shelf()
    if as_json:
        print(json.dumps([{**asdict(card), "path": str(path)} for path, card in found], indent=2))
    else:
        _print_table([card for _, card in found])


def _print_table(cards: list[ModelCard]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    table.add_column("scale", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("GMAC / MP", justify="right")
    table.add_column("PSNR-Y, over bicubic")
    table.add_column("licence")
    for card in cards:
        cost = f"{card.macs / 1000:.1f}"  # multiply-adds per pixel -> 1e9 per million input pixels
        quality = "\n".join(_quality(card.metrics))
        table.add_row(card.name, f"x{card.scale}", f"{card.parameters:,}", cost, quality, card.licence)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160)
    console.print(table)
    console.print("bicubic, lanczos and nearest are also models, without a file.")


def _quality(metrics: dict[str, float]) -> Iterator[str]:
    """Return lines such as `33.68 dB clean (+2.49)`, from metrics named psnr_clean and bicubic_psnr_clean."""
    for name, value in metrics.items():
        kind = name.removeprefix("psnr_")
        if kind != name:
            gain = value - metrics.get(BICUBIC_PREFIX + name, float("nan"))
            yield f"{value:.2f} dB {kind}" + (f" ({gain:+.2f})" if gain == gain else "")
