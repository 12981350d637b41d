"""Nested settings as the rows of a table."""

from collections.abc import Iterator, Mapping
from typing import Any


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Give a row of name and value for each setting, tables within tables as `table.name`; `a to b` for two numbers."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield [prefix + name, _show(value)]


def _show(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value) or "-"
    pair = len(value) == 2 and all(isinstance(one, int | float) for one in value)
    return (" to " if pair else ", ").join(map(str, value))
