"""Opening what is to be read: paths, addresses, pipes and files, with their failures explained."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av

from vidsr.context import Stop, Stopped
from vidsr.errors import InputError, NotAVideo, StreamBroken
from vidsr.io.names import SCHEME, is_address, is_file, title_of
from vidsr.io.pipes import is_fifo, open_fifo, stdin
from vidsr.system import most_pixels

# Enough for the headers of every format that is fit for a pipe; more would only delay the first picture.
LIVE_PROBE = {"probesize": "32768", "analyzeduration": "1000", "fpsprobesize": "0"}
SIZE_LIMIT = {"max_pixels": str(most_pixels())}  # of decoders; they refuse before they take memory
REWIND = "; an mp4 whose index is at its end cannot be piped: give the file's name, or pipe NUT"
_UNKNOWN = "{}: no such protocol is read here; receive it with another tool and pipe it in"
# What a playlist, or anything else that names files, may have opened on its behalf: FFmpeg's protocol_whitelist.
_FROM_FILE = "file,crypto,data"
_FROM_BYTES = "crypto,data"  # a pipe's names would mean files beside whoever reads it
_FROM_WEB = "http,https,httpproxy,tls,tcp,crypto,data"
_NETWORK = (
    "http", "https", "ftp", "gopher", "gophers", "mmsh", "mmst", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts",
    "rtsp", "rtsps", "rtp", "srtp", "tcp", "tls", "dtls", "udp", "udplite",
)  # fmt: skip
_FROM_NETWORK = ",".join((*_NETWORK, "httpproxy", "ffrtmphttp", "ffrtmpcrypt", "crypto", "data"))


@dataclass(frozen=True, slots=True)
class Opened:
    """A container, and what we call it in sentences."""

    container: Any
    title: str
    live: bool


def open_input(name: str | Path | BinaryIO, *, format: str | None, live: bool | None, stop: Stop | None) -> Opened:
    """Open a container for reading.

    Raises InputError where the name is empty, StreamBroken where it is not there, NotAVideo where it is nothing.
    """
    if name == "":
        raise InputError("the name of the input is empty; give a path, or - for stdin")
    title = title_of(name)
    piped = name == "-" or (isinstance(name, str | Path) and not is_address(name) and is_fifo(Path(name)))
    live = (piped or is_address(name)) if live is None else live
    file: Any = name
    options = (dict(LIVE_PROBE) if live else {}) | {"protocol_whitelist": _protocols(name, title, piped=piped)}
    if name == "-":
        file = stdin(stop)
    elif piped:
        file = open_fifo(Path(str(name)), stop)
    elif isinstance(name, str | Path) and not is_address(name):
        file = f"file:{os.fspath(name)}"  # else a colon in a name would read as a protocol
        if is_file(name):
            options["pattern_type"] = "none"  # and "%d" in the name of a picture as a sequence of them
    try:
        container = av.open(file, format=format, container_options=options, options=SIZE_LIMIT)
    except Stopped:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise _explain(exc, title, format, piped=piped) from exc
    return Opened(container, title, live)


def _protocols(name: object, title: str, *, piped: bool) -> str:
    """What the input may have opened. Raises StreamBroken for addresses that are none of a network."""
    if not is_address(name):
        return _FROM_FILE if isinstance(name, str | Path) and not piped else _FROM_BYTES
    match = SCHEME.match(str(name))
    scheme = match[1].lower() if match else ""
    if scheme not in _NETWORK:  # concat://, subfile:// and the like would open any file
        raise StreamBroken(_UNKNOWN.format(title))
    return _FROM_WEB if scheme in ("http", "https") else _FROM_NETWORK


def _explain(exc: Exception, title: str, format: str | None, *, piped: bool) -> InputError:
    if isinstance(exc, FileNotFoundError):
        return StreamBroken(f"{title} is not there; check the path")
    if isinstance(exc, IsADirectoryError):
        return StreamBroken(f"{title} is a folder; name a file in it")
    if isinstance(exc, PermissionError):
        return StreamBroken(f"{title} may not be read by this user; check its permissions")
    if isinstance(exc, av.error.ProtocolNotFoundError):
        return StreamBroken(_UNKNOWN.format(title))
    if isinstance(exc, av.error.InvalidDataError | EOFError):
        return NotAVideo(f"{title}: nothing in it that FFmpeg can read as a film or picture{REWIND if piped else ''}")
    if isinstance(exc, ValueError) and format is not None:
        return InputError(f"{format!r} is no input format of FFmpeg's; leave the format out to have it guessed")
    reason = getattr(exc, "strerror", None) or exc
    return StreamBroken(f"{title} cannot be opened: {reason}; check the {'address' if is_address(title) else 'path'}")
