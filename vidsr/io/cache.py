"""Where things are kept that may be deleted: they would only be made again."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def cache_folder(name: str) -> Path:
    """A folder of that name under XDG_CACHE_HOME, or the platform's folder for what may be deleted."""
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local"))
    elif sys.platform == "darwin":
        caches = Path("~/Library/Caches")
    else:
        caches = Path("~/.cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or caches).expanduser() / "vidsr" / name


def kept(room: str, name: str) -> Any:
    """What `keep` wrote there; None where nothing was, or it cannot be read."""
    try:
        return json.loads((cache_folder(room) / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError) as exc:  # the last without a home, or where it is nested without end
        log.debug("nothing is kept: %s", exc)
        return None


def keep(room: str, name: str, values: Any) -> Path:
    """Write down what JSON can hold, wholly or not at all, and say where. Raises OSError."""
    try:
        path = cache_folder(room) / f"{name}.json"
    except RuntimeError as exc:
        raise OSError(f"no folder to keep it in is known: {exc}") from exc
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_text(json.dumps(values, indent=2), encoding="utf-8")
    whole.replace(path)
    return path
