"""The extras of vidsr's own package, and which of them are installed."""

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[(?P<extras>[\w,]+)\])?.*?(;\s*extra == [\"'](?P<extra>\w+)[\"'])?$")


@dataclass(frozen=True, slots=True)
class Extra:
    """What `pip install 'vidsr[NAME]'` brings."""

    name: str
    missing: tuple[str, ...]
    """Packages of it that are not installed."""
    command: str


def extras() -> tuple[Extra, ...]:
    """Every extra there is; none where vidsr runs without being installed."""
    try:
        required = distribution("vidsr").requires or []
    except PackageNotFoundError:
        return ()
    wanted: dict[str, list[re.Match[str]]] = {}
    for line in required:
        if (match := _REQUIREMENT.match(line)) and match["extra"]:
            wanted.setdefault(match["extra"], []).append(match)
    return tuple(
        Extra(name, tuple(_missing(name, wanted)), f"pip install 'vidsr[{name}]'") for name in wanted if name != "dev"
    )


def _missing(extra: str, wanted: dict[str, list[re.Match[str]]]) -> list[str]:
    found: list[str] = []
    for match in wanted.get(extra, []):
        if match["name"] == "vidsr":
            for other in match["extras"].split(","):
                found += _missing(other, wanted)
        elif not _installed(match["name"]):
            found.append(match["name"])
    return found


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
