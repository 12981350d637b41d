"""Text subtitles converted from one codec to another: FFmpeg's decoders read them, and this module writes them.

FFmpeg's encoder of WebVTT escapes nothing, so that players drop what follows a `<`. Its encoder of mov_text ends a cue
where the next begins, because samples of an mp4 cannot overlap (3GPP TS 26.245).
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Stream

from vidsr.video.timing import rational
from vidsr.video.write.copy.subtitle_markup import Run, mov_text, parse_ass, srt, webvtt

TEXT_CODECS = ("srt", "subrip", "text", "mov_text", "webvtt", "ass", "ssa")
# The one that each muxer takes.
_OF_MUXER = {"mp4": "mov_text", "mov": "mov_text", "ipod": "mov_text", "matroska": "subrip", "webm": "webvtt"}
DEFAULT_DURATION_S = 4  # of a cue without an end
_LATE_S = 5  # how far a cue may come behind the packets of other streams
# A tx3g sample description (TS 26.245, 5.16): at the bottom, centred, white, in FFmpeg's default sizes.
_TX3G = (
    struct.pack(">IbB4s4H", 0, 1, 0xFF, bytes(4), 0, 0, 0, 0)
    + struct.pack(">3H2B4s", 0, 0, 1, 0, 16, b"\xff\xff\xff\xff")
    + struct.pack(">I4s2HB5s", 18, b"ftab", 1, 1, 5, b"Arial")
)


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is shown, in the time base of its stream."""

    start: int
    end: int
    runs: tuple[Run, ...]


def text_codec(muxer: str, stream: Stream) -> str | None:
    """Return the codec in which a container holds the text of a stream; None if it holds none, or the stream has none.

    muxer: FFmpeg's name.
    """
    if stream.type != "subtitle" or stream.codec_context is None or stream.codec_context.name not in TEXT_CODECS:
        return None
    return _OF_MUXER.get(muxer)


def add_text_stream(container: OutputContainer, codec: str, time_base: Fraction | None) -> Stream:
    """Add a stream of one of the codecs of `text_codec` to an output."""
    if codec != "mov_text":
        return container.add_mux_stream(codec, time_base=time_base)
    # PyAV accepts a sample description only for a stream that is made from a template.
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
    """Converts the packets of one stream of text subtitles to another codec."""

    def __init__(self, stream: Stream, codec: str, *, on_lost_text: Callable[[], None]) -> None:
        """codec: of `text_codec`. on_lost_text: called if something cannot be read."""
        context = stream.codec_context
        self._decoder: Any = av.CodecContext.create(context.codec.name, "r")
        if context.extradata:
            self._decoder.extradata = context.extradata
        self._codec = context.name
        self._has_comments = context.name in ("ass", "ssa")  # text in braces, which is never shown
        self._write = {"mov_text": mov_text, "webvtt": webvtt}.get(codec, srt)
        self._on_lost_text = on_lost_text
        self._time_base = rational(stream.time_base) or Fraction(1, 1000)
        self._flattener = Flattener() if codec == "mov_text" else None

    def convert(self, packet: av.Packet) -> list[av.Packet]:
        """Return the packets that are complete after one more packet of the input."""
        cue = self._decode(packet)
        if cue is None:
            return []
        return self._encode([cue] if self._flattener is None else self._flattener.add(cue))

    def until(self, time: Fraction) -> list[av.Packet]:
        """Return the packets that are complete once other streams have reached `time`, in seconds."""
        if self._flattener is None or self._flattener.is_empty:
            return []
        return self._encode(self._flattener.until(int((time - _LATE_S) / self._time_base)))

    def flush(self) -> list[av.Packet]:
        """Return the packets that were held back."""
        return [] if self._flattener is None else self._encode(self._flattener.flush())

    def _decode(self, packet: av.Packet) -> Cue | None:
        start, duration = packet.pts if packet.pts is not None else packet.dts, packet.duration
        if start is None:
            return None
        if self._codec != "mov_text":  # whose packets hold binary boxes beside the text
            packet = self._as_utf8(packet)
        try:
            rects = self._decoder.decode2(packet) or []
            texts = [rect.ass.decode() for rect in rects if hasattr(rect, "ass")]
        except (av.error.FFmpegError, EOFError, UnicodeDecodeError):
            self._on_lost_text()
            return None
        # ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text
        fields = [text.split(",", 8)[-1] for text in texts]
        runs = parse_ass(r"{\r}\N".join(fields), has_comments=self._has_comments)
        end = start + (duration or round(DEFAULT_DURATION_S / self._time_base))
        return Cue(start, end, runs) if runs else None

    def _as_utf8(self, packet: av.Packet) -> av.Packet:
        # FFmpeg's decoders refuse a whole cue because of one byte.
        text = bytes(packet)
        clean = text.decode(errors="replace").encode()
        if clean == text:
            return packet
        self._on_lost_text()
        return av.Packet(clean)

    def _encode(self, cues: list[Cue]) -> list[av.Packet]:
        packets = []
        for cue in cues:
            packet = av.Packet(self._write(cue.runs))
            packet.pts = packet.dts = cue.start
            packet.duration, packet.time_base, packet.is_keyframe = cue.end - cue.start, self._time_base, True
            packets.append(packet)
        return packets


class Flattener:
    """Splits cues that overlap into consecutive ones, each with all the text that is shown at that time."""

    def __init__(self) -> None:
        self._open: list[Cue] = []
        self._time = 0  # everything before is returned

    @property
    def is_empty(self) -> bool:
        """Whether everything is returned."""
        return not self._open

    def add(self, cue: Cue) -> list[Cue]:
        """Return what is final now that a cue begins; later ones may begin no earlier."""
        final = self.until(cue.start)
        if self._open and self._time < cue.start:  # the text changes here
            final.append(self._merge(cue.start))
            self._time = cue.start
        self._time = max(self._time, cue.start)
        if cue.end > self._time:
            self._open.append(cue)
        return final

    def until(self, time: int) -> list[Cue]:
        """Return the merged cues that end by then."""
        final = []
        while self._open and (end := min(cue.end for cue in self._open)) <= time:
            final.append(self._merge(end))
            self._time, self._open = end, [cue for cue in self._open if cue.end > end]
        return final

    def flush(self) -> list[Cue]:
        """Return all remaining cues."""
        return self.until(max((cue.end for cue in self._open), default=0))

    def _merge(self, end: int) -> Cue:
        merged: list[Run] = []
        for runs in dict.fromkeys(cue.runs for cue in self._open):  # some subtitles repeat a text to draw its outline
            merged += [("\n", "")] if merged else []
            merged += runs
        return Cue(self._time, end, tuple(merged))
