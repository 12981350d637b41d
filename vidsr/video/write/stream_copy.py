"""Streams that are copied as packets: what a container holds is found out beforehand."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import av

from vidsr.context import Code, Context
from vidsr.video.metadata import ATTACHED, codec_of, stream_tags
from vidsr.video.timing import rational
from vidsr.video.write.containers import CHANNELS, UNKNOWN, unfit, unnamed_channels
from vidsr.video.write.subtitles import Converter, add_text_stream, text_codec


class StreamCopier:
    """Copies the packets of the streams that the container can hold; text that it cannot hold, as text that it can."""

    def __init__(
        self,
        container: Any,
        streams: Sequence[Any],
        *,
        cover_art: Mapping[int, bytes],
        rewinds: bool,
        context: Context,
        spoilt: Callable[[Any], None],
    ) -> None:
        """streams: of the input. covers: index of a stream of cover art -> its picture.

        rewinds: whether the header of the output can be completed later. spoilt: called with each packet that is so
        damaged that the container does not take it.
        """
        self._container, self._context, self._spoilt = container, context, spoilt
        self._gaps: set[int] = set()  # streams that such a packet was left out of
        self._copies: dict[int, Any] = {}
        self.carried: list[Any] = []
        """The streams of the input that are in the output."""
        self._converters: dict[int, Converter] = {}
        self._last: dict[int, int] = {}
        self._ends: dict[int, Fraction] = {}  # where the next packet is expected, in ticks of the copy
        holds_ties = container.format.name in ("matroska", "webm")
        self._gap = 0 if holds_ties else 1  # ticks that dts must rise by from packet to packet
        for stream in streams:
            if _made_anew(container.format.name, stream):
                continue
            config = None if rewinds or not _lacks_config(container.format.name, stream) else audio_config(stream)
            reason = UNKNOWN if config == b"" else unfit(container.format.name, stream)
            if reason is not None:
                self._convert(stream, reason)
                continue
            if stream.index in cover_art and container.format.name == "matroska":
                self._attach(stream, cover_art[stream.index])  # a stream of its own would be a film of one frame
                continue
            self.carried.append(stream)
            self._copies[stream.index] = copy = container.add_stream_from_template(stream, opaque=True)
            if unnamed_channels(container.format.name, stream):
                copy.codec_context.layout = CHANNELS[stream.codec_context.layout.nb_channels]
            if config is not None:
                copy.codec_context.extradata = config
            _label(copy, stream)
            if stream.type == "video" and not stream.disposition & ATTACHED:
                context.warn(f"{describe(stream)} is a second film: it is copied as it is, not enlarged")

    def write(self, index: int, packet: Any) -> None:
        """Mux a packet of an input stream, or drop it where its stream was left out."""
        if index in self._converters:
            self._mux(index, self._converters[index].take(packet))
            return
        time = packet.dts if packet.dts is not None else packet.pts
        if self._converters and time is not None:
            self._advance(time * (rational(packet.time_base) or Fraction(0)))
        if index not in self._copies:
            return
        if self._container.format.name == "mpegts" and codec_of(packet.stream) == "aac" and packet.size > _LONGEST_AAC:
            self._leave_out(index, packet)  # the muxer may notice only with a later packet, of any stream
            return
        self._mux(index, [packet])

    def end(self) -> None:
        """Mux what was held back."""
        for index, converter in self._converters.items():
            self._mux(index, converter.end())

    def _advance(self, time: Fraction) -> None:
        for index, converter in self._converters.items():
            self._mux(index, converter.until(time))

    def _mux(self, index: int, packets: list[Any]) -> None:
        copy = self._copies[index]
        for packet in packets:
            self._straighten(index, packet, copy.time_base)
            packet.stream = copy
            try:
                self._container.mux(packet)
            except av.error.InvalidDataError:  # of sound whose headers are damaged, which MPEG-TS has in every packet
                self._leave_out(index, packet)

    def _leave_out(self, index: int, packet: Any) -> None:
        self._spoilt(packet)
        if index not in self._gaps:
            self._gaps.add(index)
            name, stream = self._container.format.name, f"stream {index}"
            sentence = f"{stream} lacks packets that are too damaged for {name}; .ts takes more"
            self._context.warn(sentence, Code.PACKETS, Code.PAYLOAD, Code.TIMES, streams=(index,))

    def _convert(self, stream: Any, reason: str) -> None:
        codec = text_codec(self._container.format.name, stream)
        if codec is None:
            hint = "" if unfit("matroska", stream) else "; .mkv holds it"
            self._context.warn(f"{describe(stream)} is left out: {reason}{hint}", Code.STREAM, streams=(stream.index,))
            return
        kept = "which keeps no style but bold, italics and underlines"
        changed = (Code.CODEC, Code.PACKETS, Code.PAYLOAD, Code.TIMES)
        self._context.warn(f"{describe(stream)} becomes {codec}, {kept}: {reason}", *changed, streams=(stream.index,))
        self.carried.append(stream)
        lost = f"{describe(stream)}: what is no text in UTF-8 is lost"
        self._converters[stream.index] = Converter(stream, codec, lost=lambda: self._context.warn(lost))
        self._copies[stream.index] = copy = add_text_stream(self._container, codec, stream.time_base)
        _label(copy, stream)

    def _attach(self, stream: Any, picture: bytes) -> None:
        kind = {"mjpeg": "jpeg"}.get(stream.codec_context.name, stream.codec_context.name)
        name = stream.metadata.get("filename", f"cover.{'jpg' if kind == 'jpeg' else kind}")
        self._container.add_attachment(name, f"image/{kind}", picture)

    def _straighten(self, index: int, packet: Any, ticks: Any) -> None:
        # In the ticks of the copy, where rounding may make two dts one, which muxers refuse.
        tick = rational(ticks) or Fraction(1, 90000)
        ratio = (rational(packet.time_base) or tick) / tick
        pts = None if packet.pts is None else packet.pts * ratio
        dts = pts if packet.dts is None else packet.dts * ratio
        if dts is None:  # of packets of sound that MPEG-TS sends as one, only the first has a time
            dts = self._ends.get(index, Fraction(0))
        self._ends[index] = dts + (packet.duration * ratio if packet.duration else _length_of(packet.stream) / tick)
        packet.time_base, packet.duration = ticks, round((packet.duration or 0) * ratio)
        packet.dts = max(round(dts), self._last[index] + self._gap) if index in self._last else round(dts)
        packet.pts = packet.dts if pts is None else max(round(pts), packet.dts)
        self._last[index] = packet.dts


def _label(copy: Any, stream: Any) -> None:
    copy.disposition = stream.disposition
    copy.metadata.update(stream_tags(stream))


_LONGEST_AAC = (1 << 14) - 1 - 7  # bytes that the header before it in MPEG-TS can tell of
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


def _lacks_config(format: str, stream: Any) -> bool:
    # These say at the beginning how AAC is to be decoded; in MPEG-TS every packet says it.
    return format in ("matroska", "flv") and codec_of(stream) == "aac" and not stream.codec_context.extradata


def audio_config(stream: Any) -> bytes:
    """How a stream of AAC is to be decoded: the AudioSpecificConfig of ISO 14496-3; empty where that is not plain."""
    context = stream.codec_context
    channels = context.layout.nb_channels
    if context.profile != "LC" or context.sample_rate not in _AAC_RATES or not 1 <= channels <= 6:
        return b""
    config: int = 2 << 11 | _AAC_RATES.index(context.sample_rate) << 7 | channels << 3  # 2: low complexity
    return config.to_bytes(2, "big")


def _length_of(stream: Any) -> Fraction:
    # Seconds of sound in a packet, where all of a stream hold as much.
    context = stream.codec_context
    if stream.type != "audio" or context is None or not context.sample_rate:
        return Fraction(0)
    return Fraction(context.frame_size or 0, context.sample_rate)


def _made_anew(format: str, stream: Any) -> bool:
    # Tracks that only say what chapters and a tag of the film say, and that the muxer writes again.
    if stream.type != "data":
        return False
    if codec_of(stream) == "bin_data":
        return bool(stream.container.chapters())
    return "timecode" in stream.metadata and format in ("mov", "mp4")


def describe(stream: Any) -> str:
    """A stream in a sentence."""
    kind = "cover art" if stream.type == "video" and stream.disposition & ATTACHED else stream.type
    language = stream.metadata.get("language", "und")
    return f"stream {stream.index} ({kind}, {codec_of(stream)}{'' if language == 'und' else f', {language}'})"
