"""What must be the same to continue a job: input, model, settings, versions."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidsr.errors import OutputError

Plan = dict[str, dict[str, str]]
"""Sections ("input", "model", "settings", "versions") of names and values, as in plan.json."""

_SAMPLE = 1 << 20  # bytes read at the beginning, in the middle and at the end of the input


def identity_of(path: Path) -> dict[str, str]:
    """Identify a file without reading all of it: its size, its time, and the hash of three parts."""
    facts = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in (0, facts.st_size // 2, max(facts.st_size - _SAMPLE, 0)):
            file.seek(start)
            digest.update(file.read(_SAMPLE))
    return {"size": f"{facts.st_size} bytes", "modified": f"{facts.st_mtime_ns} ns", "content": digest.hexdigest()}


def as_text(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as they are compared and shown, without those that are None."""
    return {
        name: json.dumps(value, default=str, sort_keys=True).strip('"')
        for name, value in values.items()
        if value is not None
    }


def compare(begun: Plan, wanted: Plan, folder: Path) -> None:
    """Raise OutputError if the job in a folder was begun for something else, with what differs and what to do."""
    for section, values in wanted.items():
        before = begun.get(section, {})
        for name in sorted({*values, *before}):
            was, now = before.get(name), values.get(name)
            if was != now:
                raise OutputError(f"{folder} was begun {_difference(section, name, was, now, folder)}")


def _difference(section: str, name: str, was: str | None, now: str | None, folder: Path) -> str:
    anew = f"delete {folder} to start again"
    if section == "input":
        what = "other content" if name == "content" else f"a {name} of {was} instead of {now}"
        return f"with an input of {what}; {anew}"
    if section == "model" and name == "content":
        return f"with another file of this model; {anew}"
    back = "go back to that version" if section == "versions" else "ask for the same"
    return f"with {_named(name, was)}, and this run has {_named(name, now)}; {back}, or {anew}"


def _named(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else f"{name} {value}"
