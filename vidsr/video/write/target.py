"""Where output goes: a file that appears under its name only when whole, a pipe, an address or a file object."""

import errno
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import av

from vidsr.context import Stop
from vidsr.errors import DiskFull, OutputError, SameFile, TargetExists
from vidsr.io.atomic import TemporaryFolder, sync_folder
from vidsr.io.names import is_address, title_of
from vidsr.io.pipes import PipeEnd, SeekableWriter, Writer, is_fifo, open_fifo_end, stdout

_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


class Target:
    """A destination that is opened once, then either committed or discarded."""

    title: str
    piped = False
    """Whether the bytes leave at once and cannot be taken back or rewound."""
    file: Any
    """What PyAV writes to: a file object, or an address."""

    def commit(self) -> None:
        """Make what was written final."""

    def discard(self) -> None:
        """Leave nothing behind, where that can be."""

    def explain(self, exc: BaseException) -> BaseException:
        """What to raise for a failure of FFmpeg's or the system's: the reason as a sentence of ours."""
        cause = getattr(self.file, "failure", None) or exc
        if isinstance(cause, OutputError) or not isinstance(cause, OSError | av.error.FFmpegError):
            return cause
        if isinstance(cause, MemoryError):
            return cause
        if isinstance(cause, BrokenPipeError) and self.piped:
            return cause
        if isinstance(cause, OSError):
            if cause.errno in _FULL:
                return DiskFull(f"{self.title}: no room is left on its disk; free some, or choose another folder")
            if cause.errno == errno.EFBIG:
                hint = "choose a folder on another disk, or raise the limit (ulimit -f)"
                return OutputError(f"{self.title}: its disk, or a limit of the shell's, takes no larger file; {hint}")
            return OutputError(f"{self.title} cannot be written: {os.strerror(cause.errno) if cause.errno else cause}")
        return OutputError(f"{self.title} cannot be written: {cause}")


class FileTarget(Target):
    """A file written under a temporary name beside it, synced and renamed at the end."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.title = title_of(path)
        self._overwrite = overwrite
        try:
            self._path = path.resolve() if path.is_symlink() else path  # a link keeps pointing where it points
            _check(self._path, overwrite=overwrite)
            self._temporary = TemporaryFolder(self._path.parent)
            self._part = self._temporary.path / self._path.name
            self._raw = self._part.open("x+b", buffering=0)
        except OutputError:
            raise
        except OSError as exc:
            raise cannot_begin(path, exc) from exc
        self.file = SeekableWriter(self._raw)

    def commit(self) -> None:
        """Sync and rename. Raises DiskFull or OutputError, and then leaves no file."""
        try:
            self._raw.flush()
            os.fsync(self._raw.fileno())
            if os.name == "nt":
                self._raw.close()  # Windows moves no open file
            move_into_place(self._part, self._path, overwrite=self._overwrite)
            self._raw.close()
            self._temporary.remove()
        except OutputError:  # something else has got the name
            self.discard()
            raise
        except OSError as exc:
            self.discard()
            raise self.explain(exc) from exc

    def discard(self) -> None:
        """Remove the temporary file."""
        self._raw.close()
        self._temporary.remove()


class StreamTarget(Target):
    """A pipe, a FIFO or a device: bytes leave as they come."""

    piped = True

    def __init__(self, end: PipeEnd, title: str) -> None:
        self._end, self.title = end, title
        self.file = Writer(end)

    def commit(self) -> None:
        """Close a FIFO; stdout stays open for its owner."""
        self._end.close()

    discard = commit


class AddressTarget(Target):
    """A network address, which FFmpeg writes to."""

    def __init__(self, address: str) -> None:
        self.title = self.file = address


class ObjectTarget(Target):
    """A binary file object of the caller's, who closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self.title = title_of(file)
        seekable = getattr(file, "seekable", lambda: hasattr(file, "seek"))()
        self.piped = not seekable
        self.file = SeekableWriter(file) if seekable else Writer(file)


def open_target(name: str | Path | BinaryIO, *, source: object, overwrite: bool, stop: Stop | None) -> Target:
    """Open where output goes, before anything is decoded.

    source: the input's name, which the target must not be another name of; None where there is none.
    Raises SameFile, TargetExists or OutputError.
    """
    if name == "-":
        return StreamTarget(stdout(stop), "stdout")
    if is_address(name):
        return AddressTarget(str(name))
    if not isinstance(name, str | Path):
        return ObjectTarget(name)
    path = Path(name)
    if _same(path, source):
        raise SameFile(f"{title_of(path)} is the input itself; name another output")
    if is_fifo(path):
        return StreamTarget(open_fifo_end(path, stop), title_of(path))
    return FileTarget(path, overwrite=overwrite)


def cannot_begin(path: Path, exc: OSError) -> OutputError:
    """Why nothing can be written beside a path that does not exist yet."""
    folder = title_of(path.parent)
    if isinstance(exc, FileNotFoundError):
        return OutputError(f"{folder} is no folder; create it first, or name another")
    if isinstance(exc, NotADirectoryError):
        return OutputError(f"{folder} is a file, not a folder; name another folder for {path.name}")
    if isinstance(exc, PermissionError) or exc.errno == errno.EROFS:
        return OutputError(f"nothing may be written in {folder}; name a folder that can be written to")
    if exc.errno in _FULL:
        return DiskFull(f"{folder}: no room is left on its disk; free some, or choose another folder")
    return OutputError(f"{title_of(path)} cannot be created: {exc.strerror}; name another file")


def move_into_place(file: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished, synced file its final name in the same file system; what it replaces lends it its permissions.

    Raises TargetExists or OutputError, and OSError as the system does.
    """
    _check(path, overwrite=overwrite)
    if path.exists():
        file.chmod(stat.S_IMODE(path.stat().st_mode))
    file.replace(path)
    sync_folder(path.parent)


def _check(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{title_of(path)} is a folder; name a file in it")
    if os.path.lexists(path) and not overwrite:
        raise TargetExists(f"{title_of(path)} is there already; pass --overwrite to replace it")


def _same(path: Path, source: object) -> bool:
    try:
        if source == "-":
            given = os.fstat(0)
        elif isinstance(source, str | Path) and not is_address(source):
            given = Path(source).stat()
        elif hasattr(source, "fileno"):
            given = os.fstat(source.fileno())
        else:
            return False
        return os.path.samestat(given, path.stat()) and stat.S_ISREG(given.st_mode)
    except (OSError, ValueError):  # one of them is not there, or a file object without a descriptor
        return False
