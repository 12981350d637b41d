"""Atomic writes: output is written under a temporary name and renamed once it is complete."""

import errno
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from vidsr.errors import DiskFull, OutputError

LOCK_NAME = "lock"
_PREFIX, _SUFFIX = ".vidsr-", ".part"

_temporary: set[Path] = set()  # files and folders of this process that are not yet renamed or removed


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves either the old content or the new. Folders on its path are created.

    Raises DiskFull if the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}{_SUFFIX}")
    _temporary.add(partial)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as exc:
        raise DiskFull(f"{path} could not be written ({exc.strerror}); its previous content, if any, is kept") from exc
    finally:
        _remove(partial)


class TemporaryFolder:
    """A hidden folder for output that will be renamed to its final place on the same file system.

    It is locked while its process runs. Creating one removes the folders that killed processes left in `parent`.
    Used as a context manager, it gives its path; otherwise call `remove` once the output is renamed or not wanted.
    """

    path: Path

    def __init__(self, parent: Path) -> None:
        """Create the folder. Raises OSError if the system refuses."""
        _remove_abandoned(parent)
        self._lock: BaseFileLock | None = None
        while True:
            self.path = Path(tempfile.mkdtemp(_SUFFIX, _PREFIX, parent))
            _temporary.add(self.path)
            try:
                self._lock = lock_folder(self.path)
            except OutputError:  # another process is removing the folder, which it saw before it was locked
                _remove(self.path)
                continue
            except OSError:  # the file system supports no locks
                return
            if self.path.is_dir():
                return

    def remove(self) -> None:
        """Remove the folder and everything still in it."""
        if self._lock is not None:
            self._lock.release()
        _remove(self.path)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()


def remove_temporary() -> None:
    """Remove all temporary files and folders of this process, which is about to exit while threads still run."""
    for path in list(_temporary):
        _remove(path)


def lock_folder(folder: Path) -> BaseFileLock:
    """Lock a folder against other runs until the lock is released or the process ends.

    Raises OutputError if another run holds the lock, OSError if the file system supports no locks.
    """
    lock = FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as exc:
        raise OutputError(f"another run is using {folder}; wait until it has ended") from exc
    except NotImplementedError as exc:  # raised by filelock before version 4
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from exc
    return lock


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError, OutputError):
            lock = lock_folder(folder)
            shutil.rmtree(folder, ignore_errors=True)  # while locked: its process may be about to lock and use it
            lock.release()
            if os.name == "nt":  # which does not delete a lock file while it is open
                shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
    _temporary.discard(path)
