"""Names of inputs and outputs: paths, network addresses, `-`."""

import os
import re
from pathlib import Path

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def is_address(name: object) -> bool:
    """Return whether a name is a network address (scheme://…) rather than a path."""
    return isinstance(name, str) and SCHEME.match(name) is not None and not name.startswith("file://")


def is_folder(name: str | Path) -> bool:
    """Return whether a folder has this name; False for names that no file can have."""
    return os.path.isdir(name)  # noqa: PTH112 - Path.is_dir raises for a name that is too long


def is_file(name: str | Path) -> bool:
    """Return whether a file has this name; False for names that no file can have."""
    return os.path.isfile(name)  # noqa: PTH113


def title_of(name: object, *, pipe: str = "stdin") -> str:
    """Return the name of an input or output for messages. pipe: the name for `-`."""
    if name == "-":
        return pipe
    if isinstance(name, str | Path):
        text = os.fsencode(name).decode(errors="replace")
        return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)  # a message is one line
    return str(getattr(name, "name", "the file object"))
