"""How much of an input is read to find its streams: more where one is announced but unknown, and what appears later."""

import os
import re
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from vidsr.context import Context
from vidsr.io.names import is_address
from vidsr.io.pipes import PipeReader
from vidsr.video._compat import dump_format
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.damage import clock

# Enough for the headers of every format that can be piped; more would only delay the first frame.
LIVE_PROBE = {"probesize": "32768", "analyzeduration": "1000", "fpsprobesize": "0"}
_LONG = str(3600 * 1_000_000)  # microseconds: the size decides
_LATER = {"scan_all_pmts": "1"}  # streams of MPEG-TS that are announced later, as ffmpeg does
_ONCE_MORE = {"probesize": str(64 << 20), "analyzeduration": str(300 * 1_000_000)} | _LATER
_LARGEST_LIVE = 32 << 20  # bytes
_LONGEST_LIVE = 2.0  # seconds after which the probe of a pipe grows no more
# Formats whose streams are found as they come.
_NO_HEADER = ("mpegts", "mpeg", "flv", "live_flv")
_STREAM = re.compile(r"^  Stream #0:(\d+)\S*: (\w+): (\w+)", re.MULTILINE)


def open_probing(
    source: Any, probe: int | None, *, live: bool, open: Callable[[dict[str, str]], InputContainer]
) -> InputContainer:
    """Open an input, and again with a longer probe while a stream of it is announced but unknown.

    source: an address, the name of a file, or a file object. probe: bytes to probe, if the user asked for that many.
    open: takes options of FFmpeg.
    """
    attempts = _probes(source, probe, live=live)
    start = None
    if isinstance(source, PipeReader):
        source.keep()
    elif not isinstance(source, str) and _is_seekable(source):
        start = source.seek(0, os.SEEK_CUR)
    container = open(next(attempts))
    for longer in attempts:
        if not has_unknown_stream(container):
            break
        container.close()
        if isinstance(source, PipeReader):
            source.rewind()
        elif start is not None:
            source.seek(start)
        container = open(longer)
    if isinstance(source, PipeReader):
        source.forget()
    return container


def _probes(source: Any, size: int | None, *, live: bool) -> Iterator[dict[str, str]]:
    first = dict(LIVE_PROBE) if live else {}
    if size is not None:
        yield first | {"probesize": str(max(size, 32)), "analyzeduration": _LONG} | _LATER
        return
    begin = time.monotonic()
    yield first
    if isinstance(source, PipeReader):  # its bytes may come slowly
        larger = 2 * int(LIVE_PROBE["probesize"])
        while larger <= _LARGEST_LIVE and time.monotonic() - begin < _LONGEST_LIVE:
            yield first | {"probesize": str(larger), "analyzeduration": _LONG}
            larger *= 2
    elif is_address(source):
        if not source.startswith("tcp:"):  # which serves once
            yield dict(_LATER)
    elif isinstance(source, str) or _is_seekable(source):
        yield dict(_ONCE_MORE)


def _is_seekable(file: Any) -> bool:
    return bool(getattr(file, "seekable", lambda: False)())


def has_unknown_stream(container: InputContainer) -> bool:
    """Return whether a video or sound is announced, of which too little was read to know its size or sample rate."""
    return any(not video.codec_context.width for video in container.streams.video if _is_decoded(video)) or any(
        not sound.codec_context.sample_rate or not sound.codec_context.layout.nb_channels
        for sound in container.streams.audio
        if _is_decoded(sound)
    )


def _is_decoded(stream: av.stream.Stream) -> bool:
    return stream.codec_context is not None and not stream.disposition & ATTACHED


class StreamWatch:
    """Warns of streams that appear after the header of the output was written."""

    def __init__(self, container: InputContainer, context: Context) -> None:
        self._container, self._context = container, context
        self._known = len(container.streams)
        self._next = Fraction(1) if container.format.name in _NO_HEADER else None

    def read_to(self, seconds: Fraction, *, end: bool = False) -> None:
        """Look for new streams once a second of the input, and at its end."""
        if self._next is None or (seconds < self._next and not end):
            return
        self._next = seconds + 1
        for index, kind, codec in _STREAM.findall(dump_format(self._container)):
            if int(index) >= self._known:
                self._known = int(index) + 1
                what = f"stream {index} ({kind.lower()}, {codec}) appears at {clock(float(seconds))}"
                self._context.warn(
                    f"{what}, after the output was begun, and is left out; give a file, or a larger --probe"
                )
