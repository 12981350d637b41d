"""What options of the command are written as: sizes, times, rates. Each raises typer.BadParameter for anything else."""

import re
from fractions import Fraction
from typing import Literal

import typer

LARGEST = 65535  # pixels on a side: more than any codec takes


def size_of(text: str) -> tuple[int, int]:
    """`1920x1080`."""
    match = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if not match or not all(1 <= int(side) <= LARGEST for side in match.groups()):
        raise typer.BadParameter(f"{text!r} is no size such as 1920x1080", param_hint="--size")
    return int(match[1]), int(match[2])


def seconds_of(text: str | None, option: str) -> Fraction | None:
    """`90`, `1:30` and `0:01:30.0` are the same time."""
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise typer.BadParameter(f"{text!r} is no time such as 90, 1:30 or 0:01:30.5", param_hint=option)
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = seconds * 60 + Fraction(part.rstrip("."))
    return seconds


def rate_of(text: str | None) -> Fraction | None:
    """`24`, `23.976` or `30000/1001` frames a second."""
    if text is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)?|\d+/0*[1-9]\d*", text) or not Fraction(text):
        raise typer.BadParameter(f"{text!r} is no rate such as 24, 23.976 or 30000/1001", param_hint="--fps")
    return Fraction(text)


def tile_of(text: str | None) -> int | Literal["auto"] | None:
    """`256`, or `auto`."""
    if text is None or text == "auto":
        return "auto" if text else None
    if not re.fullmatch(r"[1-9]\d{0,4}", text):
        raise typer.BadParameter(f"{text!r} is no tile such as 256, nor auto", param_hint="--tile")
    return int(text)


def pairs_of(options: list[str]) -> dict[str, str]:
    """`key=value`, several of them."""
    pairs = dict(option.partition("=")[::2] for option in options)
    if "" in pairs or not all(pairs.values()):
        raise typer.BadParameter("give key=value, such as tune=film", param_hint="--encoder-option")
    return pairs
