"""Pipes that can be interrupted: stdin, stdout and FIFOs as Python files with a stop switch.

FFmpeg's `pipe:` cannot be interrupted in a blocked read or write, and PyAV loses data after a short write. These files
wait with `select` for the pipe and the stop switch, and write everything.
"""

import errno
import os
import select
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from vidsr.context import Stop, Stopped

_SELECTABLE = os.name != "nt"  # Windows selects sockets only: there, a blocked pipe cannot be interrupted


class PipeReader:
    """The read end of a pipe, for PyAV. A read raises Stopped when `stop` is set."""

    def __init__(self, fd: int, stop: Stop | None = None, *, owned: bool = False) -> None:
        self._fd, self._stop, self._owned = fd, stop, owned
        self._peeked = b""
        self._kept: bytearray | None = None
        self._stopped = False

    def read(self, size: int) -> bytes:
        """Return what is available, 1 to `size` bytes; b"" at the end. Raises Stopped once, then it is at the end."""
        if self._peeked:
            ready, self._peeked = self._peeked[:size], self._peeked[size:]
        elif self._stopped:  # FFmpeg's demuxers read on after an error, and PyAV would print a second exception
            ready = b""
        else:
            try:
                _wait(self._fd, self._stop, writing=False)
            except Stopped:
                self._stopped = True
                raise
            ready = os.read(self._fd, size)
        if self._kept is not None:
            self._kept += ready
        return ready

    def keep(self) -> None:
        """Keep what is read from now on, for `rewind`, until `forget`."""
        self._kept = bytearray()

    def rewind(self) -> None:
        """Read what was kept again, and keep it again."""
        if self._kept:
            self._peeked, self._kept = bytes(self._kept) + self._peeked, bytearray()

    def forget(self) -> None:
        """Keep nothing any more."""
        self._kept = None

    def peek(self, size: int) -> bytes:
        """Wait for the next `size` bytes, or for the end, and return them; they will still be read."""
        while len(self._peeked) < size:
            _wait(self._fd, self._stop, writing=False)
            more = os.read(self._fd, size - len(self._peeked))
            self._peeked += more
            if not more:
                break
        return self._peeked

    def read_all(self) -> bytes:
        """Return everything until the end."""
        return b"".join(iter(lambda: self.read(1 << 20), b""))

    def close(self) -> None:
        """Close the pipe if it was opened here; may be called again."""
        if self._owned:
            os.close(self._fd)
            self._owned = False


class Writable(Protocol):
    """A file object that a sink can write to."""

    def write(self, data: bytes, /) -> int | None:
        """Write some of the bytes and return how many; None for all."""


class Writer:
    """A file for PyAV that writes everything and remembers its first failure. Not seekable."""

    def __init__(self, file: Writable, *, largest: int = 1 << 20) -> None:
        self._file, self._largest = file, largest
        self.failure: Exception | None = None
        self._abandoned = False

    def abandon(self) -> None:
        """Discard everything from now on, such as what FFmpeg writes when it is closed."""
        self._abandoned = True

    def write(self, data: bytes) -> int:
        """Write all bytes: PyAV would lose the rest of a short write."""
        if self._abandoned:
            return len(data)
        try:
            rest = memoryview(data)
            while rest:
                written = self._file.write(bytes(rest[: self._largest]))
                rest = rest[len(rest[: self._largest]) if written is None else written :]
        except Exception as exc:
            # PyAV may wrap or drop exceptions of callbacks; the sink finds the reason here.
            self.failure = self.failure or exc
            raise
        return len(data)


class SeekableWriter(Writer):
    """A Writer for a seekable file."""

    _file: Any

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Return the position."""
        return int(self._file.tell())


class HeaderWriter(Writer):
    """A Writer that replaces some bytes of what is written first."""

    def __init__(self, file: Writable, old: bytes, new: bytes) -> None:
        super().__init__(file)
        self._change: tuple[bytes, bytes] | None = (old, new)

    def write(self, data: bytes) -> int:
        """Write all bytes; return how many were given."""
        if self._change is None:
            return super().write(data)
        old, new = self._change
        self._change = None
        super().write(data.replace(old, new, 1))
        return len(data)


class PipeWriter:
    """The write end of a pipe. A write raises Stopped when `stop` is set, BrokenPipeError without a reader."""

    def __init__(self, fd: int, stop: Stop | None = None, *, owned: bool = False) -> None:
        self._fd, self._stop, self._owned = fd, stop, owned
        # A pipe that is ready for `select` takes PIPE_BUF bytes without blocking; more may block.
        self._most = 1 << 20 if stat.S_ISREG(os.fstat(fd).st_mode) else getattr(select, "PIPE_BUF", 512)

    def write(self, data: bytes) -> int:
        """Write at least one byte, and return how many."""
        _wait(self._fd, self._stop, writing=True)
        return os.write(self._fd, data[: self._most])

    def close(self) -> None:
        """Close the pipe if it was opened here; may be called again."""
        if self._owned:
            os.close(self._fd)
            self._owned = False


def is_fifo(path: Path) -> bool:
    """Return whether a path is a pipe, a terminal or a socket."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def stdin(stop: Stop | None = None) -> PipeReader | BinaryIO:
    """Return standard input: a seekable file if one was redirected into it, else a pipe."""
    if stat.S_ISREG(os.fstat(0).st_mode):
        return os.fdopen(os.dup(0), "rb")
    return PipeReader(0, stop)


def stdout(stop: Stop | None = None) -> PipeWriter:
    """Return standard output."""
    return PipeWriter(1, stop)


def open_fifo(path: Path, stop: Stop | None = None) -> PipeReader:
    """Open a FIFO for reading without waiting for a writer; the first read waits, and can be interrupted."""
    return PipeReader(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), stop, owned=True)


def open_fifo_writer(path: Path, stop: Stop | None = None) -> PipeWriter:
    """Open a FIFO for writing, after waiting for a reader. Raises Stopped when `stop` is set."""
    while True:
        try:
            return PipeWriter(os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)), stop, owned=True)
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
    interrupts = [] if stop is None else [stop.fileno()]
    # No set of exceptional conditions: without a reader the descriptor is writable, and os.write raises EPIPE.
    readers, writers = ([], [fd]) if writing else ([fd], [])
    ready, _, _ = select.select([*readers, *interrupts], writers, [])
    if stop is not None and stop.fileno() in ready:
        raise Stopped
