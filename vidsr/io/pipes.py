"""Pipes that can be interrupted: stdin, stdout and FIFOs as Python files with a stop switch.

FFmpeg's own `pipe:` cannot be woken from a blocked read or write, and PyAV loses data after a short write; these files
wait in `select` beside a wake pipe, and write all they are given.
"""

import errno
import os
import select
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from vidsr.context import Stop, Stopped

_SELECTABLE = os.name != "nt"  # Windows selects sockets only: there a blocked pipe ends with its process


class PipeReader:
    """The reading end of a pipe, as PyAV wants it. Raises Stopped out of a read once `stop` is set."""

    def __init__(self, fd: int, stop: Stop | None = None, *, owned: bool = False) -> None:
        self._fd, self._stop, self._owned = fd, stop, owned

    def read(self, size: int) -> bytes:
        """What has arrived, at least one byte and at most `size`; b"" at the end."""
        _wait(self._fd, self._stop, writing=False)
        return os.read(self._fd, size)

    def close(self) -> None:
        """Close a pipe that was opened here; leave stdin to its owner."""
        if self._owned:
            os.close(self._fd)
            self._owned = False


class Writable(Protocol):
    """What a sink needs of a file given to it."""

    def write(self, data: bytes, /) -> int | None:
        """Take some of the bytes, and say how many."""


class Writer:
    """A file that takes all it is given, keeps its first failure, and cannot be rewound."""

    def __init__(self, file: Writable, *, largest: int = 1 << 20) -> None:
        self._file, self._largest = file, largest
        self.failure: Exception | None = None
        self._abandoned = False

    def abandon(self) -> None:
        """Take no more: what FFmpeg still writes when it is closed goes nowhere."""
        self._abandoned = True

    def write(self, data: bytes) -> int:
        """Write everything; PyAV would lose the rest of a short write."""
        if self._abandoned:
            return len(data)
        try:
            rest = memoryview(data)
            while rest:
                written = self._file.write(bytes(rest[: self._largest]))
                rest = rest[len(rest[: self._largest]) if written is None else written :]
        except Exception as exc:
            # PyAV may wrap or drop what a callback raises, so the sink asks here for the reason.
            self.failure = self.failure or exc
            raise
        return len(data)


class SeekableWriter(Writer):
    """A Writer over a file that can be rewound."""

    _file: Any

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Where the next byte goes."""
        return int(self._file.tell())


class PipeEnd:
    """The writing end of a pipe; raises Stopped out of a write once `stop` is set, BrokenPipeError without a reader."""

    def __init__(self, fd: int, stop: Stop | None = None, *, owned: bool = False) -> None:
        self._fd, self._stop, self._owned = fd, stop, owned
        # A pipe that select calls writable takes PIPE_BUF bytes without blocking, and no promise is made for more.
        self._most = 1 << 20 if stat.S_ISREG(os.fstat(fd).st_mode) else getattr(select, "PIPE_BUF", 512)

    def write(self, data: bytes) -> int:
        """Write what fits, at least one byte."""
        _wait(self._fd, self._stop, writing=True)
        return os.write(self._fd, data[: self._most])

    def close(self) -> None:
        """Close a pipe that was opened here; leave stdout to its owner."""
        if self._owned:
            os.close(self._fd)
            self._owned = False


def is_fifo(path: Path) -> bool:
    """Whether the name is that of a pipe, a terminal or a socket rather than of a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def stdin(stop: Stop | None = None) -> PipeReader | BinaryIO:
    """Standard input; a file that was redirected into it comes as a file, which can be rewound."""
    if stat.S_ISREG(os.fstat(0).st_mode):
        return os.fdopen(os.dup(0), "rb")
    return PipeReader(0, stop)


def stdout(stop: Stop | None = None) -> PipeEnd:
    """Standard output."""
    return PipeEnd(1, stop)


def open_fifo(path: Path, stop: Stop | None = None) -> PipeReader:
    """Open a FIFO for reading without waiting for its writer; the first read waits instead, and can be stopped."""
    return PipeReader(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), stop, owned=True)


def open_fifo_end(path: Path, stop: Stop | None = None) -> PipeEnd:
    """Open a FIFO for writing, waiting for its reader until `stop` is set."""
    while True:
        try:
            return PipeEnd(os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)), stop, owned=True)
        except OSError as exc:
            if exc.errno != errno.ENXIO:
                raise
        if stop is not None:
            stop.wait(0.05)
            stop.check()
        else:
            threading.Event().wait(0.05)


def _wait(fd: int, stop: Stop | None, *, writing: bool) -> None:
    if stop is not None:
        stop.check()
    if not _SELECTABLE:
        return
    wakers = [] if stop is None else [stop.fileno()]
    # "Exceptional" is left out: a hung-up reader makes the descriptor writable, and os.write then says EPIPE.
    readers, writers = ([], [fd]) if writing else ([fd], [])
    ready, _, _ = select.select([*readers, *wakers], writers, [])
    if stop is not None and stop.fileno() in ready:
        raise Stopped
