"""Subtitles of text from one codec to another: read by FFmpeg's decoders, written here.

FFmpeg's own writer of WebVTT escapes nothing, so that players drop what follows a `<`, and its mov_text cuts a cue off
where the next begins, since the samples of an mp4 cannot overlap (3GPP TS 26.245).
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from vidsr.video.timing import rational
from vidsr.video.write.subtitle_markup import Run, mov_text, runs_of, srt, webvtt

_TEXTS = ("srt", "subrip", "text", "mov_text", "webvtt", "ass", "ssa")
# What each container holds of them, by the names of its muxer.
_HELD = {"mp4": "mov_text", "mov": "mov_text", "ipod": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_UNTOLD_S = 4  # how long a cue stays whose end nobody tells
_LATE_S = 5  # how far a cue may come behind the packets of other streams
# A tx3g sample description (TS 26.245 §5.16): below, centred, white; sizes are those that FFmpeg takes for its own.
_TX3G = (
    struct.pack(">IbB4s4H", 0, 1, 0xFF, bytes(4), 0, 0, 0, 0)
    + struct.pack(">3H2B4s", 0, 0, 1, 0, 16, b"\xff\xff\xff\xff")
    + struct.pack(">I4s2HB5s", 18, b"ftab", 1, 1, 5, b"Arial")
)


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said from one time to another, in ticks of its stream."""

    start: int
    end: int
    runs: tuple[Run, ...]


def text_codec(format: str, stream: Any) -> str | None:
    """The codec that a container holds this stream's text in; None where there is none, or it is no text."""
    if stream.type != "subtitle" or stream.codec_context is None or stream.codec_context.name not in _TEXTS:
        return None
    return _HELD.get(format)


def add_text_stream(container: Any, codec: str, time_base: Any) -> Any:
    """A stream of one of the codecs of `text_codec` in an output."""
    if codec != "mov_text":
        return container.add_mux_stream(codec, time_base=time_base)
    # Only a stream made of another may be given its description.
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        packet = av.Packet(b"\x00\x01.")
        packet.stream, packet.pts, packet.dts, packet.duration = out.add_mux_stream(codec), 0, 0, 1
        packet.time_base = Fraction(1, 1000)
        out.mux(packet)
    buffer.seek(0)
    with av.open(buffer) as template:
        copy = container.add_stream_from_template(template.streams[0], opaque=True)
    copy.codec_context.extradata = _TX3G
    copy.time_base = time_base
    return copy


class Converter:
    """Turns the packets of one stream of text into another codec's."""

    def __init__(self, stream: Any, codec: str, *, lost: Callable[[], None]) -> None:
        """codec: of `text_codec`. lost: called where something cannot be read."""
        context = stream.codec_context
        self._decoder: Any = av.CodecContext.create(context.codec.name, "r")
        if context.extradata:
            self._decoder.extradata = context.extradata
        self._codec: str = context.name
        self._comments = context.name in ("ass", "ssa")  # what is in braces there is never shown
        self._write = {"mov_text": mov_text, "webvtt": webvtt}.get(codec, srt)
        self._lost = lost
        self._tick = rational(stream.time_base) or Fraction(1, 1000)
        self._flat = Flattener() if codec == "mov_text" else None

    def take(self, packet: Any) -> list[Any]:
        """The packets that one of the input sets free."""
        cue = self._cue(packet)
        if cue is None:
            return []
        return self._packets([cue] if self._flat is None else self._flat.add(cue))

    def until(self, time: Fraction) -> list[Any]:
        """What is known for good once other streams have come to `time` (seconds)."""
        if self._flat is None or not self._flat.holds:
            return []
        return self._packets(self._flat.until(int((time - _LATE_S) / self._tick)))

    def end(self) -> list[Any]:
        """What was held back."""
        return [] if self._flat is None else self._packets(self._flat.end())

    def _cue(self, packet: Any) -> Cue | None:
        start, length = packet.pts if packet.pts is not None else packet.dts, packet.duration
        if start is None:
            return None
        if self._codec != "mov_text":  # whose samples hold boxes too
            packet = self._in_utf8(packet)
        try:
            rects = self._decoder.decode2(packet) or []
            texts = [rect.ass.decode() for rect in rects if hasattr(rect, "ass")]
        except (av.error.FFmpegError, EOFError, UnicodeDecodeError):
            self._lost()
            return None
        # ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text
        fields = [text.split(",", 8)[-1] for text in texts]
        runs = runs_of(r"{\r}\N".join(fields), comments=self._comments)
        return Cue(start, start + (length or round(_UNTOLD_S / self._tick)), runs) if runs else None

    def _in_utf8(self, packet: Any) -> Any:
        # FFmpeg's decoders refuse a whole cue for one byte.
        text = bytes(packet)
        clean = text.decode(errors="replace").encode()
        if clean == text:
            return packet
        self._lost()
        return av.Packet(clean)

    def _packets(self, cues: list[Cue]) -> list[Any]:
        packets = []
        for cue in cues:
            packet = av.Packet(self._write(cue.runs))
            packet.pts = packet.dts = cue.start
            packet.duration, packet.time_base, packet.is_keyframe = cue.end - cue.start, self._tick, True
            packets.append(packet)
        return packets


class Flattener:
    """Makes cues that overlap into cues that follow one another, which say what is seen together."""

    def __init__(self) -> None:
        self._open: list[Cue] = []
        self._at = 0  # everything before is given out

    @property
    def holds(self) -> bool:
        """Whether something is not given out yet."""
        return bool(self._open)

    def add(self, cue: Cue) -> list[Cue]:
        """What is known for good now that a cue begins; later ones begin no earlier."""
        done = self.until(cue.start)
        if self._open and self._at < cue.start:  # the text changes here
            done.append(self._piece(cue.start))
            self._at = cue.start
        self._at = max(self._at, cue.start)
        if cue.end > self._at:
            self._open.append(cue)
        return done

    def until(self, time: int) -> list[Cue]:
        """The pieces that end by then."""
        done = []
        while self._open and (end := min(cue.end for cue in self._open)) <= time:
            done.append(self._piece(end))
            self._at, self._open = end, [cue for cue in self._open if cue.end > end]
        return done

    def end(self) -> list[Cue]:
        """All the rest."""
        return self.until(max((cue.end for cue in self._open), default=0))

    def _piece(self, end: int) -> Cue:
        together: list[Run] = []
        for runs in dict.fromkeys(cue.runs for cue in self._open):  # films draw a text twice, once for its edge
            together += [("\n", "")] if together else []
            together += runs
        return Cue(self._at, end, tuple(together))
