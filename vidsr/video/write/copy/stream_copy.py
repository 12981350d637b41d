"""Streams that are copied as packets: which of them the container can hold, and how they get there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.stream import Stream

from vidsr.context import Code, Context, Notice
from vidsr.video._compat import packet_without
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import ATTACHED, codec_of, stream_tags
from vidsr.video.pcm_samples import is_pcm
from vidsr.video.timing import rational
from vidsr.video.write.copy.added_stream import add_copy
from vidsr.video.write.copy.container_losses import avi_losses, stream_losses
from vidsr.video.write.copy.containers import BLURAY_TYPES, Muxer, describe
from vidsr.video.write.copy.muxer_trial import UNKNOWN_AUDIO, lacks_parameters, needs_same_tag, why_unsupported
from vidsr.video.write.copy.pcm import PcmRepacker, add_pcm_stream, packing_for
from vidsr.video.write.copy.programs import kept_pids, other_programs
from vidsr.video.write.copy.subtitles import Converter, add_text_stream, text_codec
from vidsr.video.write.encoding_plan import EncodingPlan


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """How one stream of the input gets into the output."""

    stream: Stream
    text_codec: str | None = None
    """Codec that its subtitles are converted to; None to copy its packets."""
    packing: tuple[str, str] | None = None
    """PCM codec that its samples are repacked to, and their format; None to copy its packets."""
    attachment: bytes | None = None
    """Cover art that is written as an attachment."""
    extradata: bytes | None = None
    """Codec configuration that the input does not have in one place."""
    pid: int | None = None
    """Its PID in MPEG-TS; None for the muxer's choice."""
    same_tag: bool = False
    """Whether it keeps its codec tag, for which the muxer has no other."""


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What becomes of all streams beside the video."""

    streams: tuple[StreamPlan, ...] = ()
    """Those that get into the output."""
    warnings: tuple[Notice, ...] = ()


def plan_copy(plan: EncodingPlan, copy: CopyInfo | None, *, can_seek: bool) -> CopyPlan:
    """Choose which streams of the input are copied, converted or left out, and collect warnings. Opens nothing.

    can_seek: whether the muxer can complete the header later.
    """
    if copy is None:
        return CopyPlan()
    muxer, streams, warnings = plan.muxer.name, list[StreamPlan](), list[Notice]()
    elsewhere, pids = other_programs(copy), kept_pids(plan.muxer, copy)
    warnings += dict.fromkeys(elsewhere.values())  # one for each programme
    for stream in copy.streams:
        if stream.index in elsewhere or _is_made_by_muxer(muxer, stream):
            continue
        if muxer in _TIME_CODE_TAGS and _is_time_code(stream) and "timecode" in copy.video_stream.metadata:
            what = f"{describe(stream)} becomes the tag timecode of the video: {muxer} has no tracks for it"
            warnings.append(Notice(what, (Code.STREAM,), (stream.index,)))
            continue
        lacks_config = not can_seek and _lacks_config(muxer, stream)
        extradata = audio_config(stream) if lacks_config else None
        reason = UNKNOWN_AUDIO if extradata == b"" else why_unsupported(plan.muxer, stream)
        if reason:
            changed = _changed(plan.muxer, stream)
            warnings.append(_left_out(stream, reason) if changed is None else _converted(changed, reason))
            streams += [] if changed is None else [changed]
        elif stream.index in copy.cover_art and muxer == "matroska":
            # As a stream, it would be a video of one frame.
            streams.append(StreamPlan(stream, attachment=copy.cover_art[stream.index]))
        else:
            same_tag = needs_same_tag(plan.muxer, stream)
            streams.append(StreamPlan(stream, extradata=extradata, pid=pids.get(stream.index), same_tag=same_tag))
            if plan.muxer.bluray and codec_of(stream) not in BLURAY_TYPES:
                what = f"{describe(stream)}: m2ts has no stream type for it, so that not every player finds it"
                warnings.append(Notice(f"{what}; use .ts"))
            if lacks_parameters(plan.muxer, stream):
                what = (
                    f"{describe(stream)}: newer versions of FFmpeg do not decode it from nut, which stores too little"
                )
                warnings.append(Notice(f"{what} about it; use .mkv", (Code.CODEC,), (stream.index,)))
            if stream.type == "video" and not stream.disposition & ATTACHED:
                warnings.append(Notice(f"{describe(stream)} is a second video: it is copied, not upscaled"))
    if muxer == "mp4":
        warnings += [_misread(each.stream) for each in streams if _is_misread(each)]
    others = [each.stream for each in streams if each.attachment is None]
    if muxer == "avi":
        moved = bool(copy.first.pts) or plan.codec in ("h264", "hevc") or copy.is_variable()
        warnings += avi_losses(video=moved, streams=tuple(stream.index for stream in others))
    warnings += [notice for stream in others for notice in stream_losses(muxer, stream, video=False)]
    return CopyPlan(tuple(streams), tuple(warnings))


def _changed(muxer: Muxer, stream: Stream) -> StreamPlan | None:
    """Return how a stream gets into a container that does not hold its codec; None if it cannot."""
    codec = text_codec(muxer.name, stream)
    if codec is not None:
        return StreamPlan(stream, text_codec=codec)
    packing = packing_for(muxer, stream)
    return None if packing is None else StreamPlan(stream, packing=packing)


def _is_misread(plan: StreamPlan) -> bool:
    codec = plan.packing[0] if plan.packing is not None else codec_of(plan.stream)
    return codec.startswith("pcm_") and not codec.startswith("pcm_s16")


def _misread(stream: Stream) -> Notice:
    what = f"{describe(stream)}: older players take PCM in mp4 for 16 bits, and play noise"  # ISO 23003-5 says more
    return Notice(f"{what}; use .mov or .mkv")


_OTHERS = {
    ".mkv": Muxer("matroska"),
    ".ts": Muxer("mpegts"),
    ".mov": Muxer("mov"),
    ".m2ts": Muxer("mpegts", bluray=True),
}


def _left_out(stream: Stream, reason: str) -> Notice:
    def keeps(muxer: Muxer) -> bool:
        return not why_unsupported(muxer, stream) or _changed(muxer, stream) is not None

    other = next((name for name, muxer in _OTHERS.items() if keeps(muxer)), None)
    hint = "" if other is None else f"; {other} can"
    return Notice(f"{describe(stream)} is left out: {reason}{hint}", (Code.STREAM,), (stream.index,))


def _converted(plan: StreamPlan, reason: str) -> Notice:
    if plan.packing is not None:
        what = f"{describe(plan.stream)} is repacked to {plan.packing[0]}, with the same samples: {reason}"
        return Notice(what, (Code.CODEC,), (plan.stream.index,))
    how = "without styles except bold, italics and underlines"
    what = f"{describe(plan.stream)} is converted to {plan.text_codec}, {how}: {reason}"
    return Notice(what, (Code.CODEC, Code.PACKETS, Code.PAYLOAD, Code.TIMES), (plan.stream.index,))


def _is_made_by_muxer(muxer: str, stream: Stream) -> bool:
    """Return whether the muxer writes this data track itself: chapters of an mp4, or a time code from a tag."""
    if stream.type != "data":
        return False
    if codec_of(stream) == "bin_data":
        return bool(stream.container.chapters())
    return _is_time_code(stream) and muxer in ("mov", "mp4")


_TIME_CODE_TAGS = ("matroska", "nut")
"""Muxers that store a time code as a tag of the video."""


def _is_time_code(stream: Stream) -> bool:
    return stream.type == "data" and "timecode" in stream.metadata


def is_sized_h264(stream: Stream) -> bool:
    """Return whether the units of H.264 begin with their size, as in mp4 and Matroska, and not with a start code."""
    context = stream.codec_context
    return context is not None and codec_of(stream) == "h264" and bytes(context.extradata or b"")[:1] == b"\1"


_LONGEST = (1 << 31) - 1  # ticks that a packet may last in an mp4
_LONGEST_RUN_UP = Fraction(1, 10)  # seconds of sound that a decoder needs first: 80 ms of Opus
_LONGEST_AAC = (1 << 14) - 1 - 7  # bytes that the ADTS header before a packet in MPEG-TS can count
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


def _lacks_config(muxer: str, stream: Stream) -> bool:
    # These containers store AAC's configuration in the header; MPEG-TS repeats it in every packet.
    return muxer in ("matroska", "flv") and codec_of(stream) == "aac" and not stream.codec_context.extradata


def audio_config(stream: Stream) -> bytes:
    """Return the AudioSpecificConfig of AAC (ISO 14496-3); empty if it cannot be derived."""
    if not isinstance(stream, av.AudioStream):
        return b""
    context = stream.codec_context
    channels = context.layout.nb_channels
    if context.profile != "LC" or context.sample_rate not in _AAC_RATES or not 1 <= channels <= 6:
        return b""
    config: int = 2 << 11 | _AAC_RATES.index(context.sample_rate) << 7 | channels << 3  # 2: low complexity
    return config.to_bytes(2, "big")


# What muxers raise for one packet: of AAC with damaged headers, of subtitles that last for ever.
_REFUSALS = (
    av.error.InvalidDataError, av.error.ArgumentError, av.error.NotImplementedError, av.error.PatchWelcomeError
)  # fmt: skip


_NEW_CONFIG: Final = "new_extradata"


class StreamCopier:
    """Copies packets to the streams of an output, and converts subtitles, as a CopyPlan says."""

    def __init__(
        self,
        container: OutputContainer,
        streams: Iterable[StreamPlan],
        context: Context,
        *,
        on_lost_packet: Callable[[av.Packet], None] | None = None,
    ) -> None:
        """Add the streams to the container. on_lost_packet: called with a packet that is too damaged to be muxed."""
        self._container, self._context, self._on_lost_packet = container, context, on_lost_packet
        self._muxer = container.format.name
        self._incomplete: set[int] = set()  # streams that lack such packets
        self._reconfigured: set[int] = set()
        self._copies: dict[int, Stream] = {}
        self._converters: dict[int, Converter | PcmRepacker] = {}
        self._filters: dict[int, BitStreamFilterContext] = {}
        self._last_dts: dict[int, int] = {}
        self._next_dts: dict[int, Fraction] = {}  # where the next packet is expected, in the time base of the copy
        self._min_step = 0 if self._muxer in ("matroska", "webm") else 1  # from the dts of one packet to the next
        for plan in streams:
            self._add(plan)

    def write(self, index: int, packet: av.Packet) -> None:
        """Mux a packet of an input stream, or drop it if its stream is left out."""
        if index in self._converters:
            self._mux(index, self._converters[index].convert(packet))
            return
        time = packet.dts if packet.dts is not None else packet.pts
        if self._converters and time is not None:
            self._advance(time * (rational(packet.time_base) or Fraction(0)))
        if index not in self._copies:
            return
        if index not in self._last_dts and self._muxer in ("mp4", "mov"):
            self._warn_of_start(index, packet)
        if self._muxer == "mpegts" and codec_of(packet.stream) == "aac" and packet.size > _LONGEST_AAC:
            self._leave_out(index, packet)  # the muxer might fail only with a later packet, of any stream
            return
        self._mux(index, self._filters[index].filter(packet) if index in self._filters else [packet])

    @property
    def copies(self) -> Mapping[int, Stream]:
        """The streams of the output, by index in the input; attachments are not among them."""
        return self._copies

    def flush(self) -> None:
        """Mux the subtitles that were held back."""
        for index, converter in self._converters.items():
            self._mux(index, converter.flush())

    def _add(self, plan: StreamPlan) -> None:
        stream = plan.stream
        if plan.attachment is not None:
            kind = {"mjpeg": "jpeg"}.get(stream.codec_context.name, stream.codec_context.name)
            name = stream.metadata.get("filename", f"cover.{'jpg' if kind == 'jpeg' else kind}")
            self._container.add_attachment(name, f"image/{kind}", plan.attachment)
            return
        copy: Any
        if plan.text_codec is not None:
            lost = f"{describe(stream)}: text that is not UTF-8 is lost"
            converter = Converter(
                stream,
                plan.text_codec,
                on_lost_text=lambda: self._context.warn(lost, Code.TEXT, streams=(stream.index,)),
            )
            self._converters[stream.index] = converter
            copy = add_text_stream(self._container, plan.text_codec, stream.time_base)
        elif plan.packing is not None:
            copy = add_pcm_stream(self._container, codec=plan.packing[0], format=plan.packing[1], stream=stream)
            leave_out = partial(self._leave_out, stream.index)
            self._converters[stream.index] = PcmRepacker(stream, copy, on_lost_packet=leave_out)
        else:
            extradata = plan.extradata
            if self._muxer == "avi" and is_sized_h264(stream):
                self._filters[stream.index] = BitStreamFilterContext("h264_mp4toannexb", stream)
                extradata = b""  # which keyframes get instead
            copy = add_copy(self._container, stream, extradata=extradata, same_tag=plan.same_tag)
        copy.disposition = stream.disposition
        copy.metadata.update(stream_tags(stream))
        if plan.pid is not None:
            copy.id = plan.pid
        self._copies[stream.index] = copy

    def _advance(self, time: Fraction) -> None:
        for index, converter in self._converters.items():
            self._mux(index, converter.until(time))

    def _mux(self, index: int, packets: Iterable[av.Packet]) -> None:
        copy = self._copies[index]
        for packet in packets:
            if packet.has_sidedata(_NEW_CONFIG):
                packet = self._with_one_config(index, packet)
            self._rescale(index, packet, rational(copy.time_base) or Fraction(1, 90000))
            packet.stream = copy
            try:
                self._container.mux(packet)
            except _REFUSALS:
                self._leave_out(index, packet)

    def _with_one_config(self, index: int, packet: av.Packet) -> av.Packet:
        # Matroska's muxer would write a configuration that comes again over what follows the first one in its header.
        config, again = bytes(packet.stream.codec_context.extradata or b""), bytes(packet.get_sidedata(_NEW_CONFIG))
        if not again.startswith(config):
            if self._muxer not in ("matroska", "webm"):
                return packet
            if index not in self._reconfigured:
                self._reconfigured.add(index)
                self._context.warn(f"stream {index} changes its configuration, which {self._muxer} stores only once")
        return packet_without(packet, _NEW_CONFIG)

    def _warn_of_start(self, index: int, packet: av.Packet) -> None:
        # The muxer has players skip what lies before 0, which is more than what the decoder needs.
        start = (packet.pts or 0) * (rational(packet.time_base) or Fraction(0))
        if packet.stream.type == "audio" and start < (0 if is_pcm(packet.stream) else -_LONGEST_RUN_UP):
            what = f"stream {index} begins {float(-start):.3f} s before 0, and players leave this out of {self._muxer}"
            codes = (Code.PACKETS, Code.PAYLOAD, Code.TIMES, Code.DRIFT)
            self._context.warn(f"{what}; .mkv keeps it", *codes, streams=(index,))

    def _leave_out(self, index: int, packet: av.Packet) -> None:
        if self._on_lost_packet is not None:
            self._on_lost_packet(packet)
        if index not in self._incomplete:
            self._incomplete.add(index)
            what = f"stream {index} lacks packets that are too damaged for {self._muxer}; .ts accepts more"
            self._context.warn(what, Code.PACKETS, Code.PAYLOAD, Code.TIMES, streams=(index,))

    def _rescale(self, index: int, packet: av.Packet, time_base: Fraction) -> None:
        """Convert the timestamps of a packet to the time base of its copy, where rounding may not make dts equal."""
        ratio = (rational(packet.time_base) or time_base) / time_base
        pts = None if packet.pts is None else packet.pts * ratio
        dts = pts if packet.dts is None else packet.dts * ratio
        if dts is None:  # of the audio packets that MPEG-TS sends together, only the first has a timestamp
            dts = self._next_dts.get(index, Fraction(0))
        length = packet.duration * ratio if packet.duration else _duration_of(packet.stream) / time_base
        self._next_dts[index] = dts + length
        packet.time_base, packet.duration = time_base, round((packet.duration or 0) * ratio)
        if packet.duration > _LONGEST and self._muxer in ("mp4", "mov"):  # of a subtitle without an end
            packet.duration = 0  # unknown; the muxer would refuse the packet, at the end of the file
        packet.dts = round(dts)
        if not packet.duration and index in self._last_dts and packet.stream.type in ("audio", "video"):
            # Of an mp4, players leave out a last packet that takes no time.
            packet.duration = max(packet.dts - self._last_dts[index], 0)
        if index in self._last_dts:
            packet.dts = max(packet.dts, self._last_dts[index] + self._min_step)
        packet.pts = packet.dts if pts is None else max(round(pts), packet.dts)
        if not packet.duration and isinstance(
            packet.stream, av.AudioStream
        ):  # else the last packet would last no time in an mp4
            packet.duration = round(length) or packet.dts - self._last_dts.get(index, packet.dts)
        self._last_dts[index] = packet.dts


def _duration_of(stream: Stream) -> Fraction:
    """Return the seconds in each packet of an audio stream, if all have the same; else 0."""
    if not isinstance(stream, av.AudioStream) or stream.codec_context is None or not stream.codec_context.sample_rate:
        return Fraction(0)
    return Fraction(stream.codec_context.frame_size or 0, stream.codec_context.sample_rate)
