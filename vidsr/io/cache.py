"""Cached measurements: files that may be deleted at any time, because they would only be made again."""

import json
import logging
from pathlib import Path
from typing import Any

import platformdirs

from vidsr.errors import DiskFull
from vidsr.io.atomic import write_atomically

log = logging.getLogger(__name__)


def cache_folder(name: str) -> Path:
    """Return the folder `name` in vidsr's cache: $XDG_CACHE_HOME/vidsr, or vidsr in the platform's cache folder.

    Raises DiskFull if the user's home is unknown.
    """
    try:
        caches = platformdirs.user_cache_path("vidsr", appauthor=False, opinion=False)
    except RuntimeError:
        caches = Path()
    if not caches.is_absolute():
        raise DiskFull("no cache folder is known, because the user's home is not; set XDG_CACHE_HOME to a folder")
    return caches / name


def read_cache(folder: str, name: str) -> Any:
    """Return what `write_cache` stored, or None if there is nothing or it cannot be read."""
    try:
        return json.loads((cache_folder(folder) / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:  # the last for JSON that is nested too deeply
        log.debug("nothing is cached: %s", exc)
        return None


def write_cache(folder: str, name: str, values: Any) -> Path:
    """Store values that JSON can hold and return the file. Raises DiskFull if it cannot be written."""
    path = cache_folder(folder) / f"{name}.json"
    write_atomically(path, json.dumps(values, indent=2).encode())
    return path
