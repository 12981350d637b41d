"""Parse options of the command line: sizes, times, rates. Each raises typer.BadParameter for anything else."""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import typer
from typer.core import TyperCommand

from vidsr.options import help_of, shows_default


def option_of(options: type, name: str, *flags: str, panel: str | None = None, **more: Any) -> Any:
    """Return the typer option of a field of `vidsr.options`, with its help and its default."""
    return typer.Option(
        *flags, help=help_of(options, name), show_default=shows_default(options, name), rich_help_panel=panel, **more
    )


LARGEST = 65535  # pixels on a side: more than any codec takes


def size_of(text: str) -> tuple[int, int]:
    """`1920x1080`."""
    match = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if not match or not all(1 <= int(side) <= LARGEST for side in match.groups()):
        raise typer.BadParameter(f"expected a size such as 1920x1080; got {text!r}", param_hint="--size")
    return int(match[1]), int(match[2])


def seconds_of(text: str | None, option: str) -> Fraction | None:
    """`90`, `1:30` and `0:01:30.0` are the same time."""
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise typer.BadParameter(f"expected a time such as 90, 1:30 or 0:01:30.5; got {text!r}", param_hint=option)
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = seconds * 60 + Fraction(part.rstrip("."))
    return seconds


def rate_of(text: str | None) -> Fraction | None:
    """`24`, `23.976` or `30000/1001` frames a second."""
    if text is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)?|\d+/0*[1-9]\d*", text) or not Fraction(text):
        raise typer.BadParameter(f"expected a rate such as 24, 23.976 or 30000/1001; got {text!r}", param_hint="--fps")
    return Fraction(text)


def tile_of(text: str | None) -> int | Literal["auto"] | None:
    """`256`, or `auto`."""
    if text is None or text == "auto":
        return "auto" if text else None
    if not re.fullmatch(r"[1-9]\d{0,4}", text):
        raise typer.BadParameter(f"expected a tile size such as 256, or auto; got {text!r}", param_hint="--tile")
    return int(text)


def compute_of(text: str) -> Literal["full", "adaptive"] | float:
    """`full`, `adaptive`, or a share from 0 to 1."""
    if text in ("full", "adaptive"):
        return cast(Literal["full", "adaptive"], text)
    if not re.fullmatch(r"0?\.\d+|[01](\.0*)?", text):
        raise typer.BadParameter(
            f"expected full, adaptive, or a share such as 0.3; got {text!r}", param_hint="--compute"
        )
    return float(text)


def bytes_of(text: str | None) -> int | None:
    """`5000000`, `5000k` and `5M` are the same number of bytes."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,11})([kMG]?)", text)
    if not match:
        raise typer.BadParameter(f"expected a size such as 50M or 500k; got {text!r}", param_hint="--probe")
    return int(match[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[match[2]]


def pairs_of(options: list[str]) -> dict[str, str]:
    """`key=value`, several of them."""
    pairs = dict(option.partition("=")[::2] for option in options)
    if "" in pairs or not all(pairs.values()):
        raise typer.BadParameter("expected key=value, such as tune=animation", param_hint="--encoder-option")
    return pairs


def _is_clip(word: str) -> bool:
    """Return whether a word is a clip rather than a model, which may follow the options too."""
    from vidsr.data.sources import VIDEOS

    file = Path(word)
    return file.suffix.lower() in VIDEOS or (file.is_file() and file.suffix != ".onnx")


LISTS: Mapping[str, Callable[[str], bool]] = {
    "--images": lambda word: Path(word).is_dir(),
    "--videos": _is_clip,
    "--bandwidth": _is_clip,
    "--compress": lambda word: word.replace(".", "", 1).isdigit(),
    "--metrics": lambda word: True,  # so that one that there is not is refused as a figure, not as a model
}
"""By option, whether a word behind its first value is one more."""


class WithLists(TyperCommand):
    """A command whose list options need not be repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat each option before every further value it has."""
        return super().parse_args(ctx, spread(args))


def spread(words: Sequence[str], lists: Mapping[str, Callable[[str], bool]] = LISTS) -> list[str]:
    """`--compress 18 23 live-x2` becomes `--compress 18 --compress 23 live-x2`."""
    out: list[str] = []
    option, values = "", 0
    for word in words:
        if word.startswith("-"):
            name, _, value = word.partition("=")
            option, values = (name if name in lists else ""), int(bool(value))
        elif option and values:
            if lists[option](word):
                out.append(option)
            else:
                option = ""
        values += not word.startswith("-")
        out.append(word)
    return out
