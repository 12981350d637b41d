"""Temporary files and folders, which outputs are until they are whole."""

import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_begun: set[Path] = set()  # by this process, and neither ended nor discarded


def begin_part(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Make a temporary file or folder beside a path; give it, and the descriptor it is open by.

    make: `new_file` or `new_folder`. It is locked until the descriptor is closed, so that others can tell it from what
    a killed run has left; such remains are removed from the folder first. Raises OSError as the system does.
    """
    _clear_up(path.parent)
    while True:
        part = path.with_name(f".vidsr-{secrets.token_hex(6)}.part")
        fd = make(part)
        if fcntl is not None:
            with suppress(OSError):  # of file systems that know no locks
                fcntl.flock(fd, fcntl.LOCK_EX)
        if part.exists():
            _begun.add(part)
            return part, fd
        os.close(fd)  # another run cleared it up before it was locked


def new_file(path: Path) -> int:
    """Create a file, and open it for reading and writing."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)


def new_folder(path: Path) -> int:
    """Create a folder, and open it."""
    path.mkdir()
    return os.open(os.devnull if fcntl is None else path, os.O_RDONLY)  # Windows opens no folder


def end_part(part: Path) -> None:
    """Note that a part has got its final name."""
    _begun.discard(part)


def discard_part(part: Path) -> None:
    """Remove a part."""
    _remove(part)
    _begun.discard(part)


def discard_parts() -> None:
    """Remove every part there still is: for a process that must end while a thread is busy."""
    for part in list(_begun):
        discard_part(part)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _clear_up(folder: Path) -> None:
    # Removes what runs that were killed have left: parts that nobody holds a lock on.
    if fcntl is None:
        return
    for part in folder.glob(".vidsr-*.part"):
        with suppress(OSError):
            fd = os.open(part, os.O_RDONLY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(part)
            finally:
                os.close(fd)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
