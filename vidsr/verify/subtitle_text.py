"""The text of subtitles and when it is shown, which a conversion to another codec must keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from vidsr.context import Code
from vidsr.verify.findings import Finding
from vidsr.video.write.copy.subtitle_markup import parse_ass
from vidsr.video.write.copy.subtitles import DEFAULT_DURATION_S, TEXT_CODECS


@dataclass(frozen=True, slots=True)
class TimedText:
    """Lines of a subtitle; seconds."""

    start: Fraction
    end: Fraction
    lines: tuple[str, ...]


class TextReader:
    """Reads the text of one stream of subtitles, if it has any."""

    def __init__(self, stream: Any) -> None:
        """stream: an av.stream.Stream."""
        context = stream.codec_context
        self._decoder = context if context is not None and context.name in TEXT_CODECS else None
        self.texts: list[TimedText] = []

    def add(self, packet: Any, tick: Fraction) -> None:
        """Read one more packet."""
        start = packet.pts if packet.pts is not None else packet.dts
        if self._decoder is None or start is None:
            return
        length = packet.duration * tick if packet.duration else Fraction(DEFAULT_DURATION_S)
        if lines := self._lines(packet):
            self.texts.append(TimedText(start * tick, start * tick + length, lines))

    def _lines(self, packet: Any) -> tuple[str, ...]:
        assert self._decoder is not None
        text = bytes(packet)
        if self._decoder.name != "mov_text":  # which has binary boxes behind the text
            clean = text.decode(errors="replace").encode()
            packet = packet if clean == text else type(packet)(clean)
        try:
            events = [rect.ass.decode() for rect in self._decoder.decode2(packet) or [] if hasattr(rect, "ass")]
        except (ValueError, OSError, EOFError):  # also what FFmpeg raises, of damaged packets
            return ()
        fields = [event.split(",", 8)[-1] for event in events]  # the ninth field of an ASS event
        runs = parse_ass(r"{\r}\N".join(fields), has_comments=self._decoder.name in ("ass", "ssa"))
        return tuple("".join(text for text, _ in runs).split("\n")) if runs else ()


def text_finding(
    before: Sequence[TimedText], after: Sequence[TimedText], *, shift: Fraction, near: Fraction, stream: int
) -> Finding:
    """Return the finding that two streams show the same lines at the same times, in whatever packets."""
    old, new = _changes(before), _changes(after)
    kept = len(old) == len(new) and all(
        a[1] == b[1] and abs(b[0] - a[0] - shift) <= near for a, b in zip(old, new, strict=True)
    )
    pairs = (f"{len(changes)} changes" for changes in (old, new))
    return Finding(Code.TEXT, next(pairs), next(pairs) + ("" if kept else ", not the same"), kept, stream)


def _changes(texts: Sequence[TimedText]) -> list[tuple[Fraction, frozenset[str]]]:
    # When the lines on the display change, and to what.
    edges = sorted([(text.end, 0, text) for text in texts] + [(text.start, 1, text) for text in texts], key=_by_time)
    shown: list[TimedText] = []
    changes: list[tuple[Fraction, frozenset[str]]] = []
    for time, begins, text in edges:
        if begins:
            shown.append(text)
        else:
            shown = [other for other in shown if other is not text]
        lines = frozenset(line for other in shown for line in other.lines)
        if changes and changes[-1][0] == time:
            changes.pop()
        if lines != (changes[-1][1] if changes else frozenset()):
            changes.append((time, lines))
    return changes


def _by_time(edge: tuple[Fraction, int, TimedText]) -> tuple[Fraction, int]:
    return edge[:2]
