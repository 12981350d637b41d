"""The folder of a job that resumes: its plan, a lock, the segments that are whole, and a line for each of them."""

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
    """Notes which segments are whole. A context manager: when it is left, the folder stays where anything is done.

    What is noted is on disk: a segment is synced and renamed before its line is written and synced.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Lock the folder, make it where it is missing, and see what is done.

        Raises OutputError where another run has it, or where it was begun for something else.
        """
        self.folder = folder
        self.done: dict[int, Segment] = {}
        """The segments that are whole, by index."""
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
        """Where the joined film is, once it is; without a suffix, so that nobody takes it for the result."""
        return self.folder / _WHOLE

    def file(self, index: int) -> Path:
        """Where a segment lies."""
        return self.folder / f"segment-{index:06}.packets"

    def part(self, index: int) -> Path:
        """Where a segment is written."""
        return self.folder / f"segment-{index:06}{_PART}"

    def missing(self) -> Iterator[int]:
        """The segments still to be made, in order, without end: that of the film is where frames end."""
        return filterfalse(frozenset(self.done).__contains__, count())

    def segments(self) -> Iterator[tuple[Segment, Path]]:
        """What is done, and where it lies, in order."""
        return ((segment, self.file(index)) for index, segment in sorted(self.done.items()))

    def add(self, segment: Segment) -> None:
        """Note a segment whose part is synced."""
        self.part(segment.index).replace(self.file(segment.index))
        sync_folder(self.folder)
        self._append(asdict(segment))
        self.done[segment.index] = segment

    def clear(self) -> None:
        """Remove the segments, once the film is joined."""
        for index in self.done:
            self.file(index).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, once the film stands under its name."""
        _remove(self.folder)

    def close(self) -> None:
        """Let the next run have the folder."""
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
                raise OutputError(f"{file} cannot be read; delete {self.folder} to begin anew") from exc
            compare(begun, plan, self.folder)
            return
        for stale in (self.whole, self.folder / _LINES, *self.folder.glob(_SEGMENTS)):  # nobody knows of what
            stale.unlink(missing_ok=True)
        write_atomically(file, json.dumps(plan, indent=1).encode())
        sync_folder(self.folder)

    def _read(self) -> None:
        # A line that was torn, or whose segment is not what it says, was never written.
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


def clear_up(folder: Path) -> None:
    """Remove what a run left that was killed after its film stood under its name; nothing where there is more."""
    if not folder.is_dir() or {each.name for each in folder.iterdir()} - {_PLAN, _LINES, _LOCK}:
        return
    with suppress(OSError, OutputError):  # another run has just begun, or nothing may be removed here
        lock = lock_folder(folder)
        _remove(folder)
        lock.release()


def _remove(folder: Path) -> None:
    for name in (_LINES, _PLAN, _LOCK):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # someone put a file of theirs there
        folder.rmdir()


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
