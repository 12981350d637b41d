"""Points that were measured before, in the user's cache folder: minutes of encoding that need not be done again."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile

from vidsr.errors import DiskFull
from vidsr.evaluate.bandwidth.rd_curves import Point
from vidsr.io import cache as folders
from vidsr.runs import write_whole


def cache_folder() -> Path:
    """Where measured points are kept."""
    return folders.cache_folder("bandwidth")


class Kept:
    """Points by everything that they depend on."""

    def __init__(self, folder: Path) -> None:
        """Raises DiskFull where nothing can be written in the folder."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as exc:
            raise DiskFull(
                f"{folder}, where measured points are kept, cannot be written in ({exc.strerror}); set XDG_CACHE_HOME "
                "to a folder that can"
            ) from exc
        self._folder = folder

    def get(self, key: Mapping[str, object]) -> Point | None:
        """The point of that key; None where it was not measured yet, or its file cannot be read."""
        try:
            return Point(**json.loads(self._file(key).read_text())["point"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: Mapping[str, object], point: Point) -> None:
        """Keep a point. Raises DiskFull."""
        content = {"key": key, "point": asdict(point)}
        write_whole(self._file(key), json.dumps(content, indent=1).encode())

    def _file(self, key: Mapping[str, object]) -> Path:
        return self._folder / f"{sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]}.json"
