"""Where things are kept that may be deleted: they would only be made again."""

import os
import sys
from pathlib import Path


def cache_folder(name: str) -> Path:
    """A folder of that name under XDG_CACHE_HOME, or the platform's folder for what may be deleted."""
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local"))
    elif sys.platform == "darwin":
        caches = Path("~/Library/Caches")
    else:
        caches = Path("~/.cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or caches).expanduser() / "vidsr" / name
