"""Opens inputs: paths, addresses, pipes and file objects, with errors that say what to do."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
from av.container import InputContainer

from vidsr.context import Stop, Stopped
from vidsr.errors import InputError, NotAVideo, StreamBroken, VidsrError
from vidsr.io.names import SCHEME, is_address, is_file, title_of
from vidsr.io.pipes import PipeReader, is_fifo, open_fifo, stdin
from vidsr.system import most_pixels
from vidsr.video._compat import LENIENT_TEXT
from vidsr.video.convert.image_kind import HEAD, animation_to_open, kind_of, kind_to_open
from vidsr.video.metadata import as_text
from vidsr.video.read.probing import open_probing

if TYPE_CHECKING:
    from vidsr.video.read.still.open_still import Still

# FFmpeg would take a clock that was set back for one that wrapped around, and make hours of it; see `Timeline`.
_RAW_CLOCK = {"correct_ts_overflow": "0", "seg_format_options": "correct_ts_overflow=0"}
SIZE_LIMIT = {"max_pixels": str(most_pixels())}
"""Decoder options: larger frames are refused before memory is allocated."""
MP4_IN_PIPE = "; an mp4 with its index at the end cannot be piped: give the name of the file, or pipe NUT"
_UNKNOWN = "{}: unknown protocol; receive it with another tool and pipe it in"
# FFmpeg's protocol_whitelist: what a playlist, or any other file with names in it, may open.
_FROM_FILE = "file,crypto,data"
_FROM_BYTES = "crypto,data"  # names that come through a pipe must not open files of whoever reads it
_FROM_WEB = "http,https,httpproxy,tls,tcp,crypto,data"
_NETWORK = (
    "http", "https", "ftp", "gopher", "gophers", "mmsh", "mmst", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts",
    "rtsp", "rtsps", "rtp", "srtp", "tcp", "tls", "dtls", "udp", "udplite",
)  # fmt: skip
_FROM_NETWORK = ",".join((*_NETWORK, "httpproxy", "ffrtmphttp", "ffrtmpcrypt", "crypto", "data"))


@dataclass(frozen=True, slots=True)
class OpenedInput:
    """An open container."""

    container: InputContainer
    title: str
    """The input in messages."""
    live: bool
    file: PipeReader | BinaryIO | None = None
    """The pipe or file that was opened for it."""
    still: "Still | None" = None
    """An image that vidsr decodes itself; the container is then a stand-in."""

    def close(self) -> None:
        """Close container and file; may be called again."""
        self.container.close()
        if self.file is not None:  # PyAV leaves Python files open
            self.file.close()


def open_input(
    name: str | Path | BinaryIO,
    *,
    format: str | None = None,
    live: bool | None = False,
    stop: Stop | None = None,
    stills: bool = False,
    probe: int | None = None,
) -> OpenedInput:
    """Open a container for reading.

    live: None decides by the kind of input. stills: open images that FFmpeg reads wrongly as `OpenedInput.still`.
    probe: bytes that are read to find the streams. Raises InputError for an empty name, StreamBroken if the input does
    not exist, NotAVideo if FFmpeg cannot read it.
    """
    if name == "":
        raise InputError("the name of the input is empty; give a path, or - for stdin")
    title = title_of(name)
    piped = name == "-" or (isinstance(name, str | Path) and not is_address(name) and is_fifo(Path(name)))
    live = (piped or is_address(name)) if live is None else live
    options = {"protocol_whitelist": _protocols(name, title, piped=piped)} | _RAW_CLOCK
    source: Any = name
    file: PipeReader | BinaryIO | None = None
    try:
        if piped:
            source = file = stdin(stop) if name == "-" else open_fifo(Path(str(name)), stop)
        elif isinstance(name, str | Path) and not is_address(name):
            source = f"file:{os.fspath(name)}"  # FFmpeg would take a colon in a name for a protocol
            if is_file(name):
                options["pattern_type"] = "none"  # and "%d" in the name of an image for a sequence
        found = _still(source if piped else name, title) if stills and format is None else None
        if found is not None:
            return OpenedInput(found[1], title, False, file, found[0])

        def open_with(probed: dict[str, str]) -> InputContainer:
            limit = dict(SIZE_LIMIT)
            opened: InputContainer = av.open(
                source, "r", format=format, container_options=options | probed, options=limit, **LENIENT_TEXT
            )
            return opened

        container = open_probing(source, probe, live=live, open=open_with)
    except BaseException as exc:
        if file is not None:
            file.close()
        if isinstance(exc, Stopped | VidsrError) or not isinstance(exc, av.error.FFmpegError | OSError | ValueError):
            raise
        raise _explain(exc, name, format, piped=piped) from exc
    for tags in (container.metadata, *(stream.metadata for stream in container.streams)):
        texts = {as_text(key): as_text(value) for key, value in tags.items()}
        tags.clear()
        tags.update(texts)
    return OpenedInput(container, title, live, file)


def _still(source: Any, title: str) -> "tuple[Still, InputContainer] | None":
    # An image that vidsr decodes itself, and its stand-in; the first bytes show it. None for any other input.
    if isinstance(source, PipeReader):
        kind = kind_to_open(source.peek(HEAD))
        data = source.read_all() if kind else b""
    elif isinstance(source, str | Path):
        if not is_file(source):
            return None
        with Path(source).open("rb") as file:
            head = file.read(HEAD)
            kind = kind_to_open(head)
            data = head + file.read() if kind or kind_of(head) == "PNG" else b""
            kind = kind or animation_to_open(data)
    elif getattr(source, "seekable", lambda: False)():
        start = source.seek(0, os.SEEK_CUR)
        kind = kind_to_open(source.read(HEAD))
        source.seek(start)
        data = source.read() if kind else b""
    else:
        return None
    if not kind:
        return None
    from vidsr.video.read.still.open_still import open_still, stand_in

    still = open_still(data, kind, title)
    return still, stand_in(still)


def _protocols(name: object, title: str, *, piped: bool) -> str:
    # The protocols that the input may open. Raises StreamBroken for addresses that are not on a network.
    if not is_address(name):
        return _FROM_FILE if isinstance(name, str | Path) and not piped else _FROM_BYTES
    match = SCHEME.match(str(name))
    scheme = match[1].lower() if match else ""
    if scheme not in _NETWORK:  # concat://, subfile:// and the like would open any file
        raise StreamBroken(_UNKNOWN.format(title))
    return _FROM_WEB if scheme in ("http", "https") else _FROM_NETWORK


def _explain(exc: Exception, name: str | Path | BinaryIO, format: str | None, *, piped: bool) -> InputError:
    title = title_of(name)
    if isinstance(exc, FileNotFoundError):
        return StreamBroken(f"{title} is not there; check the path")
    if isinstance(exc, IsADirectoryError):
        return StreamBroken(f"{title} is a folder; name a file in it")
    if isinstance(exc, PermissionError):
        return StreamBroken(f"{title} may not be read by this user; check its permissions")
    if isinstance(exc, av.error.ProtocolNotFoundError):
        return StreamBroken(_UNKNOWN.format(title))
    if isinstance(exc, av.error.InvalidDataError | EOFError):
        listed = "" if piped else _listed(name)
        return NotAVideo(f"{title}: {listed or 'FFmpeg finds no video or image in it'}{MP4_IN_PIPE if piped else ''}")
    if isinstance(exc, ValueError) and format is not None:
        return InputError(f"{format!r} is not an input format of FFmpeg; leave the format out to have it detected")
    reason = getattr(exc, "strerror", None) or exc
    return StreamBroken(f"{title} cannot be opened: {reason}; check the {'address' if is_address(title) else 'path'}")


_USUAL_SEGMENTS = (".ts", ".mp4", ".m4s", ".m4v", ".m4a", ".aac", ".vtt", ".m3u8", ".cmfv", ".cmfa", ".mpegts")


def _listed(name: str | Path | BinaryIO) -> str:
    """Return why a list of other files cannot be read; empty for any other file."""
    if isinstance(name, str | Path) and is_file(name):
        with Path(name).open("rb") as file:
            text = file.read(1 << 16).decode("utf-8", "replace")
        start = text.lstrip("\ufeff \r\n\t")
    else:
        path = str(name).partition("?")[0].lower()
        text, start = "", "<MPD" if is_address(name) and path.endswith(".mpd") else ""
    if start.startswith("<MPD") or (start.startswith("<?xml") and "<MPD" in text):
        return "a DASH manifest, which FFmpeg cannot read here; give an HLS playlist or a file of the same video"
    if not start.startswith("#EXTM3U"):
        return ""
    files = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    odd = [file for file in files if not file.partition("?")[0].lower().endswith(_USUAL_SEGMENTS)]
    if odd:
        return (
            f"FFmpeg reads no segment of a playlist that is named like {title_of(odd[0])}; rename them to .ts or .mp4"
        )
    return "none of the files in this playlist can be read; check that they are there"
