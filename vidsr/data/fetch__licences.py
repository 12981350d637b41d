"""licences.csv: whose the pictures of a folder are, and on what terms."""

import csv
import io
from pathlib import Path

from vidsr.errors import DataError
from vidsr.runs import write_whole

COLUMNS = ["file", "width", "height", "licence", "author", "source"]


class Licences:
    """The list of one folder; every line is on disk before `note` returns. Other columns and lines are kept.

    Raises DataError where something else lies at `path`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns, self._rows = list(COLUMNS), dict[str, dict[str, str]]()
        if path.exists():
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                if "file" not in (reader.fieldnames or COLUMNS):
                    raise DataError(f"{path} has no column named file; add one, or move it away")
                self._columns += [name for name in reader.fieldnames or () if name not in COLUMNS]
                self._rows = {row["file"]: row for row in reader}

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def note(self, name: str, size: tuple[int, int], licence: str, author: str, source: str) -> None:
        """Write one line: of a file, its width and height in pixels, and where it comes from. Raises DiskFull."""
        values = [name, *map(str, size), licence, author, source]
        self._rows[name] = dict(zip(COLUMNS, values, strict=True))
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows.values())
        write_whole(self._path, text.getvalue().encode())
