"""`vidsr models`: what is on the shelf."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from vidsr.card import ModelCard


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """List the models that ship with vidsr."""
    from vidsr.zoo import shelf

    cards = [(path, card) for path, card in shelf()]
    if as_json:
        print(json.dumps([{**asdict(card), "path": str(path)} for path, card in cards], indent=2))
        return
    _print_table([card for _, card in cards])


def _print_table(cards: list[ModelCard]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, caption="bicubic, lanczos and nearest are models too; they need no file.")
    table.add_column("model", no_wrap=True)
    table.add_column("scale", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("GMAC / MP", justify="right")
    table.add_column("quality")
    table.add_column("licence")
    for card in cards:
        quality = ", ".join(f"{name} {value:g}" for name, value in card.metrics.items())
        cost = f"{card.macs / 1000:.1f}"  # multiply-adds a pixel -> 1e9 a million input pixels
        table.add_row(card.name, f"x{card.scale}", f"{card.parameters:,}", cost, quality, card.licence)
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160).print(table)
