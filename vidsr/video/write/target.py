"""Where output goes: a file that appears under its name once it is complete, a pipe, an address or a file object."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import av

from vidsr.context import Stop
from vidsr.errors import DiskFull, OutputError, SameFile, TargetExists
from vidsr.io.atomic import TemporaryFolder, sync_folder
from vidsr.io.names import is_address, title_of
from vidsr.io.pipes import PipeWriter, SeekableWriter, Writer, is_fifo, open_fifo_writer, stdout

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Target:
    """A destination that is opened once, and then either committed or discarded."""

    title: str
    """How messages name it."""
    piped = False
    """Whether bytes are sent at once, so that the output can neither seek nor be discarded."""
    patchable = False
    """Whether a complete output can be changed before it is committed."""
    file: Any
    """What PyAV writes to: a file object, or an address."""

    def patch(self, change: Callable[[BinaryIO], None]) -> None:
        """Change the complete output, which must be patchable. change: gets it as a file to read and write."""

    def commit(self) -> None:
        """Make what was written final."""

    def discard(self) -> None:
        """Leave nothing behind, where that is possible."""

    def explain(self, exc: BaseException) -> BaseException:
        """Return what to raise for a failure of FFmpeg or the system: the reason as one of vidsr's errors."""
        cause = getattr(self.file, "failure", None) or exc
        if isinstance(cause, OutputError | MemoryError) or not isinstance(cause, OSError | av.error.FFmpegError):
            return cause
        if isinstance(cause, BrokenPipeError) and self.piped:
            return cause
        if isinstance(cause, OSError):
            if cause.errno in _FULL:
                return DiskFull(f"{self.title}: its disk is full; free some space, or choose another folder")
            if cause.errno == errno.EFBIG:
                hint = "choose a folder on another disk, or raise the limit (ulimit -f)"
                return OutputError(f"{self.title} exceeds the file size limit of its disk or of the shell; {hint}")
            return OutputError(f"{self.title} cannot be written: {os.strerror(cause.errno) if cause.errno else cause}")
        return OutputError(f"{self.title} cannot be written: {cause}")


class FileTarget(Target):
    """A file that is written in a temporary folder beside it, then synced and renamed."""

    patchable = True

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Create the temporary file. Raises TargetExists or OutputError."""
        self.title = title_of(path)
        self._overwrite = overwrite
        try:
            self._path = path.resolve() if path.is_symlink() else path  # the link itself is kept
            _check(self._path, overwrite=overwrite)
            self._temporary = TemporaryFolder(self._path.parent)
        except OutputError:
            raise
        except OSError as exc:
            raise cannot_create(path, exc) from exc
        self._part = self._temporary.path / self._path.name
        try:
            self._raw = self._part.open("x+b", buffering=0)
        except OSError as exc:
            self._temporary.remove()
            raise cannot_create(path, exc) from exc
        self.file = SeekableWriter(self._raw)

    def patch(self, change: Callable[[BinaryIO], None]) -> None:
        """Change the temporary file."""
        with self._part.open("r+b") as file:
            change(file)

    def commit(self) -> None:
        """Sync and rename the file. Raises DiskFull or OutputError, and then leaves no file."""
        try:
            self._raw.flush()
            os.fsync(self._raw.fileno())
            if os.name == "nt":
                self._raw.close()  # Windows cannot rename an open file
            move_into_place(self._part, self._path, overwrite=self._overwrite)
            self._raw.close()
            self._temporary.remove()
        except OutputError:  # something else has taken the name
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
    """A pipe, a FIFO or a device."""

    piped = True

    def __init__(self, end: PipeWriter, title: str) -> None:
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
    """A binary file object; whoever passed it closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self.title = title_of(file)
        seekable = getattr(file, "seekable", lambda: hasattr(file, "seek"))()
        self.piped = not seekable
        self.file = SeekableWriter(file) if seekable else Writer(file)
        self.patchable = seekable and getattr(file, "readable", lambda: False)()
        self._object = file

    def patch(self, change: Callable[[BinaryIO], None]) -> None:
        """Change the file object."""
        change(self._object)


def open_target(name: str | Path | BinaryIO, *, source: object, overwrite: bool, stop: Stop | None) -> Target:
    """Open the destination of an output.

    source: the name of the input, which the target must not be; or None.
    Raises SameFile, TargetExists or OutputError.
    """
    if name == "-":
        return StreamTarget(stdout(stop), "stdout")
    if is_address(name):
        return AddressTarget(str(name))
    if not isinstance(name, str | Path):
        return ObjectTarget(name)
    path = Path(name)
    if _is_same_file(path, source):
        raise SameFile(f"{title_of(path)} is the input itself; name another output")
    if is_fifo(path):
        return StreamTarget(open_fifo_writer(path, stop), title_of(path))
    return FileTarget(path, overwrite=overwrite)


def cannot_create(path: Path, exc: OSError) -> OutputError:
    """Return why a new file or folder cannot be created."""
    folder = title_of(path.parent)
    if isinstance(exc, FileNotFoundError):
        return OutputError(f"the folder {folder} does not exist; create it first, or name another")
    if isinstance(exc, NotADirectoryError):
        return OutputError(f"{folder} is a file, not a folder; name another folder for {path.name}")
    if isinstance(exc, PermissionError) or exc.errno == errno.EROFS:
        return OutputError(f"the folder {folder} is not writable; name another")
    if exc.errno in _FULL:
        return DiskFull(f"{folder}: its disk is full; free some space, or choose another folder")
    return OutputError(f"{title_of(path)} cannot be created: {exc.strerror}; name another file")


def move_into_place(file: Path, path: Path, *, overwrite: bool) -> None:
    """Rename a complete, synced file on the same file system; it takes the permissions of a file that it replaces.

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
        raise TargetExists(f"{title_of(path)} exists already; pass --overwrite to replace it")


def _is_same_file(path: Path, source: object) -> bool:
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
    except (OSError, ValueError):  # one of them does not exist, or the file object has no descriptor
        return False
