"""The folder of a job that can be resumed: its plan, a lock, finished segments, and a line for each of them."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import count, filterfalse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vidsr.errors import OutputError
from vidsr.io.atomic import lock_folder, sync_folder, write_atomically
from vidsr.pipeline.resume.identity import Plan, compare
from vidsr.video.write.segment_file import Segment, digest_of

_PLAN, _LINES, _LOCK, _WHOLE, _PART = "plan.json", "journal.jsonl", "lock", "whole", ".part"
_SEGMENTS = "segment-*.packets"


class Journal:
    """Records which segments are finished; a context manager. The folder stays if anything is finished.

    What is recorded is on disk: a segment is synced and renamed before its line is written and synced.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Lock the folder, create it if it is missing, and read what is finished.

        Raises OutputError if another run uses it, or if it was begun for something else.
        """
        self.folder = folder
        self.done: dict[int, Segment] = {}
        """The finished segments, by index."""
        folder.mkdir(exist_ok=True)
        self._lock = lock_folder(folder)
        try:
            self._begin(plan)
            self._sweep()
            self._read()
        except BaseException:
            self.close()
            raise

    @property
    def whole(self) -> Path:
        """Path of the joined video; without a suffix, so that nobody takes it for the result."""
        return self.folder / _WHOLE

    def file(self, index: int) -> Path:
        """Return the path of a finished segment."""
        return self.folder / f"segment-{index:06}.packets"

    def part(self, index: int) -> Path:
        """Return the path a segment is written to."""
        return self.folder / f"segment-{index:06}{_PART}"

    def missing(self) -> Iterator[int]:
        """Yield the indexes still to be made, without end: the video ends where its frames do."""
        return filterfalse(frozenset(self.done).__contains__, count())

    def segments(self) -> Iterator[tuple[Segment, Path]]:
        """Return the finished segments and their files, in order."""
        return ((segment, self.file(index)) for index, segment in sorted(self.done.items()))

    def add(self, segment: Segment) -> None:
        """Record a segment whose temporary file is synced."""
        self.part(segment.index).replace(self.file(segment.index))
        sync_folder(self.folder)
        self._append(asdict(segment))
        self.done[segment.index] = segment

    def clear(self) -> None:
        """Remove the segments, once the video is joined."""
        for index in self.done:
            self.file(index).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, once the video is in its place."""
        _remove(self.folder)

    def close(self) -> None:
        """Release the folder for the next run."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._begun():
            self._sweep()
            self.remove()
        self.close()

    def _begun(self) -> bool:
        return self.whole.exists() or any(self.folder.glob(_SEGMENTS))

    def _sweep(self) -> None:
        for part in self.folder.glob(f"*{_PART}"):
            if part.is_dir():  # the temporary folder of the joined video
                shutil.rmtree(part)
            else:
                part.unlink()

    def _begin(self, plan: Plan) -> None:
        file = self.folder / _PLAN
        if file.exists() and self._begun():
            try:
                begun = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as exc:
                raise OutputError(f"{file} cannot be read; delete {self.folder} to start again") from exc
            compare(begun, plan, self.folder)
            return
        for stale in (self.whole, self.folder / _LINES, *self.folder.glob(_SEGMENTS)):  # of an unknown job
            stale.unlink(missing_ok=True)
        write_atomically(file, json.dumps(plan, indent=1).encode())
        sync_folder(self.folder)

    def _read(self) -> None:
        # Ignore a line that was cut off, or whose segment is not what it says.
        lines = self.folder / _LINES
        for text in lines.read_text(encoding="utf-8", errors="replace").splitlines() if lines.exists() else ():
            with suppress(ValueError, TypeError):
                segment = Segment(**json.loads(text))
                self.done[segment.index] = segment
        if not self.whole.exists():  # else they may be gone already
            self.done = {index: segment for index, segment in self.done.items() if self._holds(segment)}

    def _holds(self, segment: Segment) -> bool:
        file = self.file(segment.index)
        return file.is_file() and file.stat().st_size == segment.bytes and digest_of(file) == segment.sha256

    def _append(self, line: dict[str, Any]) -> None:
        with (self.folder / _LINES).open("ab+") as out:
            if out.tell() and not _ends_a_line(out):
                out.write(b"\n")
            out.write(json.dumps(line).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())


def begun_model(folder: Path) -> str:
    """Return the digests of the networks that a job was begun with; empty if the folder or its plan cannot be read."""
    try:
        return str(json.loads((folder / _PLAN).read_text(encoding="utf-8"))["model"]["content"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def clear_up(folder: Path) -> None:
    """Remove what a run left that was killed after its video was in place; nothing if there are other files."""
    if not folder.is_dir() or {each.name for each in folder.iterdir()} - {_PLAN, _LINES, _LOCK}:
        return
    with suppress(OSError, OutputError):  # another run has just begun, or nothing may be removed here
        lock = lock_folder(folder)
        _remove(folder)
        lock.release()


def _remove(folder: Path) -> None:
    for name in (_LINES, _PLAN, _LOCK):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # someone else put a file there
        folder.rmdir()


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
