"""Options that take several values in a row, as a shell's `--videos *.mp4` gives them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand


def _is_clip(word: str) -> bool:
    """Else it is a model, which may stand behind the options too."""
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
        """Repeat each option before every further value of its own."""
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
