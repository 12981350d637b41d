"""Reads a container: frames of one stream, packets of the others, in spite of damage."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av

from vidsr.context import Stopped
from vidsr.errors import StreamBroken
from vidsr.frames import Carried
from vidsr.video._compat import DECODER_ERRORS, packet_without, rational
from vidsr.video.convert.qp import Estimator
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.damage import DamageLog, DecoderWatch, Kind
from vidsr.video.read.hwdecode import GpuDecoder
from vidsr.video.read.open_input import OpenedInput
from vidsr.video.read.probing import StreamWatch
from vidsr.video.read.streams import cover_art_packets, encryption_error, is_image_format
from vidsr.video.read.timestamps import Timeline, has_variable_rate
from vidsr.video.read.truncation import GapFinder, frames_after, is_truncated, path_of
from vidsr.video.timing import MICROSECOND, TimeRange

MAX_RETRIES = 20  # failures of the demuxer in a row before reading ends
_SEEKABLE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # in other formats a seek may land after its target
_PRIMING = Fraction(12, 100)  # seconds of silence that codecs begin with, at most
# Kinds of streams without which a video goes on, the most dispensable first.
_DISPENSABLE = (("data", "subtitle", "attachment"), ("audio", "video"))
_AFTER_END = 1  # seconds read past the end of a range, for packets that are interleaved late


class Demuxer:
    """Reads one container: decoded frames of one stream, packets of the others."""

    decoding = True
    """Whether frames are decoded; otherwise only the packets of the other streams come."""
    lacks_pts = False
    """Whether the container stores decoding times only, and a frame may be held back; see `FrameTimes`."""
    image: bytes | None = None
    """The first image file, if the format is that of image files."""
    out_of_memory: MemoryError | None = None
    """Set if the decoder last failed for lack of memory, of which damaged bytes may demand any amount."""

    def __init__(
        self,
        opened: OpenedInput,
        stream: av.VideoStream,
        span: TimeRange,
        log: DamageLog,
        *,
        rate: Fraction | None = None,
        decoder: av.VideoCodecContext | GpuDecoder | None = None,
        origin: Fraction | None = None,
        late: StreamWatch | None = None,
    ) -> None:
        """rate: frame rate of a container without time stamps. decoder: instead of the stream's own.

        origin: see `origin_of`. late: warns of streams that appear later.
        """
        container = opened.container
        self.span, self.log, self.rate = span, log, rate
        self.codec = stream.codec_context.codec.canonical_name
        self.estimator = Estimator(self.codec, wanted=isinstance(decoder, GpuDecoder))
        self.time_base = 1 / rate if rate else rational(stream.time_base) or Fraction(1, 90000)
        nominal_rate = rate or rational(stream.guessed_rate) or rational(stream.average_rate) or Fraction(25)
        self.step = max(round(1 / nominal_rate / self.time_base), 1)
        """Ticks between frames without time stamps."""
        self.wrong_durations = container.format.name.startswith("mov") and not opened.live
        """Whether frames have wrong durations, and one may be held back; see `FrameTimes`."""
        self.lacks_pts = container.format.name == "avi" and not rate and not opened.live
        self._container, self._stream, self._live, self._title = container, stream, opened.live, opened.title
        self._decoder = decoder or stream.codec_context
        self._watch = DecoderWatch(self._note, flag_is_late=container.format.name in ("mpegts", "hls"))
        path = path_of(container)
        self._gaps = GapFinder(path) if path and container.format.name == "matroska,webm" else None
        self._keeps_image = is_image_format(container)
        self._timeline = Timeline(container, stream.index, origin=origin, on_restart=self._watch.restarted)
        self._late = late
        self._primed: dict[int, bool] = {}  # stream: whether sound before its beginning is all priming
        self._read_dts: int | None = None  # of the last packet of the video
        self._is_hls = container.format.name == "hls"
        self._is_mp4 = container.format.name.startswith("mov")
        self._truncated = False
        self._dispensable = iter(_DISPENSABLE if self._is_mp4 else ())
        self._last_dts: int | None = None  # of the last packet that went to the decoder

    def items(self) -> Iterator[av.VideoFrame | Carried]:
        """Yield frames as they are decoded, and packets of the other streams in the range."""
        for packet in self._packets_in_range():
            if packet.has_sidedata("encryption_info"):  # of mp4, whose first packets may be clear
                raise encryption_error(self._title)
            if packet.stream.index == self._stream.index:
                time = packet.pts if packet.pts is not None else packet.dts
                if not packet.size and time is not None:  # an empty packet in mid-video; the decoder would end
                    self._note("lost_frames", time, 1)
                elif self.decoding:
                    yield from self._decode(packet)
            # An empty packet of another stream only marks its end.
            elif packet.size and not self._is_cut(packet) and self._shift(packet):
                if packet.is_corrupt:
                    self.log.note("corrupt_packets")
                yield Carried(packet.stream.index, packet)
        self._watch.ended()
        if self._late is not None:
            self._late.read_to(self.log.read_to, end=True)
        if self.span.end is None:
            self._check_truncation()

    def duration(self) -> Fraction | None:
        """Return the seconds in the range, as the container states."""
        own, whole = self._stream.duration, self._container.duration
        total: Fraction | None = own * self.time_base if own else whole * MICROSECOND if whole else None
        if total is None or self._live or self.rate:
            return None
        total -= self.span.start or 0
        return max(min(total, self.span.duration) if self.span.duration is not None else total, Fraction(0))

    def has_variable_rate(self) -> bool:
        """Return whether the gaps between frames differ, as far as that is known without reading the whole file."""
        return not self.rate and (self._live or has_variable_rate(self._container, self._stream))

    def track_end(self) -> int | None:
        """Return when the track ends, in ticks; None if it was not read so far, or begins late."""
        stream = self._stream
        if stream.start_time or self._last_dts is None or self._last_dts < stream.index_entries[-1].timestamp:
            return None
        return stream.duration

    def _packets_in_range(self) -> Iterator[av.Packet]:
        # Those of the video from the last key frame before the range.
        if self.span.start:
            yield from cover_art_packets(self._container)
            self._seek()
        ended: set[int] = set()
        for packet in self._packets():
            end = self.span.end
            time = packet.dts if packet.dts is not None else packet.pts
            if end is not None and packet.size and time is not None:
                seconds = time * (rational(packet.time_base) or self.time_base)
                if seconds >= end:
                    ended.add(packet.stream_index)
                if self._stream.index in ended and seconds > end + _AFTER_END:
                    break
            yield packet
        if self.span.end is not None:
            yield self._flush_packet()

    def _packets(self) -> Iterator[av.Packet]:
        # PyAV's generator ends at an error; a new one reads on after it, as ffmpeg does.
        failures = 0
        while True:
            try:
                for packet in self._container.demux():
                    if packet.size:
                        failures = 0
                        self._find_gap(packet)
                        if packet.stream_index == self._stream.index and packet.dts is not None:
                            self._read_dts = packet.dts
                    elif packet.dts is None and packet.pts is None and self._leave_out_missing():
                        break
                    yield from self._on_one_clock(self._undiscarded(packet))
                else:
                    return
            except IndexError:  # PyAV, if a stream appears after the header
                yield from self._on_one_clock(self._flush_packet())
                return
            except Stopped:
                raise
            except (av.error.FFmpegError, OSError) as exc:
                failures += 1
                self.log.note("unreadable_parts")
                lost = isinstance(exc, OSError) and not isinstance(exc, ValueError | BlockingIOError)
                if lost and not self._live:
                    raise StreamBroken(f"{self._title} broke off: {exc.strerror or exc}") from exc
                if lost or failures > MAX_RETRIES:
                    yield from self._on_one_clock(self._flush_packet())
                    return

    def _leave_out_missing(self) -> bool:
        # FFmpeg ends an mp4 at the first packet that is missing, of any stream. Return whether the video may go on.
        dispensable = next(self._dispensable, ()) if frames_after(self._stream, self._read_dts) else ()
        for stream in self._container.streams:
            if stream.index != self._stream.index and stream.type in dispensable:
                stream.discard = av.stream.Discard.all
        self._truncated = self._truncated or bool(dispensable)
        return bool(dispensable)

    def _undiscarded(self, packet: av.Packet) -> av.Packet:
        # In HLS, FFmpeg applies the edit list of one fragmented mp4 to those after it, and discards them.
        start = packet.stream.start_time
        if not (self._is_hls and packet.is_discard) or packet.pts is None or start is None or packet.pts < start:
            return packet
        return packet_without(packet)

    def _find_gap(self, packet: av.Packet) -> None:
        if self._gaps is not None and self._gaps.is_before(packet):
            self.log.note("unreadable_parts")

    def _on_one_clock(self, packet: av.Packet) -> Iterator[av.Packet]:
        # The packets that are ready, on one clock; note where reading is.
        for ready in self._timeline.push(packet):
            time, time_base = ready.pts if ready.pts is not None else ready.dts, rational(ready.time_base)
            if time is not None and time_base is not None:
                self.log.read_to = max(self.log.read_to, (time + (ready.duration or 0)) * time_base)
            if self._late is not None:
                self._late.read_to(self.log.read_to)
            yield ready

    def _flush_packet(self) -> av.Packet:
        packet: av.Packet = av.Packet()
        packet.stream = self._stream
        return packet

    def _seek(self) -> None:
        if self._container.format.name in _SEEKABLE:
            target = -self.span.shift
            with suppress(av.error.FFmpegError):  # a pipe: what comes before is decoded and dropped
                self._container.seek(int(target / self.time_base), stream=self._stream)

    def _check_truncation(self) -> None:
        lost = frames_after(self._stream, self._last_dts) if self._is_mp4 else 0
        if lost:
            self.log.note("lost_frames", count=lost)
        if lost or self._truncated or is_truncated(self._container, self.log.read_to):
            self.log.note_truncation()

    def _decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        self.estimator.sent(packet)
        if self._keeps_image and self.image is None:
            self.image = bytes(packet)
        self._last_dts = self._last_dts if packet.dts is None else packet.dts
        if packet.size:
            self._watch.sent(packet)
        try:
            av_frames = list(self._decoder.decode(packet if packet.size else None))
        except EOFError:
            return []
        except DECODER_ERRORS as exc:
            self.out_of_memory = exc if isinstance(exc, MemoryError) else None
            self._watch.refused(packet)
            return []
        for av_frame in av_frames:
            self._watch.decoded(av_frame)
        for av_frame in av_frames if self.rate else []:
            av_frame.pts, av_frame.duration = None, 1
        return av_frames

    def _note(self, kind: Kind, pts: int | None, count: int) -> None:
        self.log.note(kind, None if pts is None else pts * self.time_base, count)

    def _is_cut(self, packet: av.Packet) -> bool:
        # Whether an edit list leaves out a packet. A decoder of sound needs the priming of the codec, or two packets of
        # what was cut off in front; a second video needs all.
        stream, time_base = packet.stream, rational(packet.time_base)
        if not packet.is_discard or stream.type == "video" or packet.pts is None or time_base is None:
            return False
        early = ((stream.start_time or 0) - packet.pts) * time_base
        if stream.type != "audio":
            return early >= (packet.duration or 0) * time_base > 0  # a subtitle may still be shown
        if early <= 0:
            return True
        self._primed.setdefault(stream.index, early <= _PRIMING)
        return not self._primed[stream.index] and early > 2 * (packet.duration or 0) * time_base

    def _shift(self, packet: av.Packet) -> bool:
        # Shift a packet of another stream, and return whether it is in the range.
        if self.span.whole:
            return True
        time = packet.pts if packet.pts is not None else packet.dts
        time_base = rational(packet.time_base)
        if time is None or time_base is None or packet.stream.disposition & ATTACHED:
            return True
        ticks = round(self.span.shift / time_base)
        inside = self.span.contains(time * time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        return inside
