"""Packets in, pictures and carried packets out: damage survived, time made to run forward, a piece cut out."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

from vidsr.context import Context, Stopped
from vidsr.errors import StreamBroken
from vidsr.frames import Carried
from vidsr.video.convert.qp import Estimator
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.damage import Damage, Kind, Tally, Watch
from vidsr.video.read.hwdecode import GpuDecoder, Offload, gpu_decoder
from vidsr.video.read.streams import alpha_decoder, cover_art_packets, is_picture
from vidsr.video.read.timestamps import abut, varies
from vidsr.video.read.truncation import Holes, breaks_off, path_of, pictures_behind
from vidsr.video.timing import TICK, Clip, Timeline, rational

MAX_RETRIES = 20  # failures of the demuxer in a row before it is given up
_SEEKABLE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # elsewhere a seek may land behind its target
_AFTER = 1  # seconds read past the end of a piece, for packets that are interleaved late


class Demuxer:
    """Reads one container: pictures of one stream, packets of the others."""

    def __init__(
        self,
        container: Any,
        stream: Any,
        clip: Clip,
        *,
        title: str,
        live: bool,
        rate: Fraction | None = None,
        strict: bool = False,
        gpu: Offload | None = None,
        context: Context,
    ) -> None:
        """rate: frames a second of a container that tells no times. strict: whether damage raises Damaged.

        gpu: what decodes, where it can; notice: called with why not, where it was asked for.
        """
        self._container, self._stream, self._title, self._live = container, stream, title, live
        self.clip, self.rate = clip, rate
        self.codec: str = stream.codec_context.codec.canonical_name
        self._tally = Tally(title, strict=strict)
        self._watch = Watch(self.note, late=container.format.name == "mpegts")
        path = path_of(container)
        self._holes = Holes(path) if path and container.format.name == "matroska,webm" else None
        self.starved: MemoryError | None = None
        """Set where the last failure of the decoder was a lack of memory; damaged bytes may ask for any amount."""
        self.image: bytes | None = None
        """The first image file, where the format is that of such files."""
        self._keeps = is_picture(container)
        self.decoding = True
        """Whether the film is decoded; else only what else there is comes."""
        self._decoder = alpha_decoder(stream) or gpu_decoder(stream, gpu, context)
        self.estimator = Estimator(self.codec, wanted=isinstance(self._decoder, GpuDecoder))
        self.time_base = rational(stream.time_base) or Fraction(1, 90000)
        start = container.start_time
        clip.origin = start * TICK if start is not None else Fraction(0)
        self.time_base = 1 / rate if rate else self.time_base
        rate = rate or rational(stream.guessed_rate) or rational(stream.average_rate) or Fraction(25)
        self._step = max(round(1 / rate / self.time_base), 1)
        self._next: int | None = None
        self._last: int | None = None
        self._read: int | None = None  # dts of the last packet that went to the decoder
        self._reached = Fraction(0)  # seconds on the film's own clock that reading has come to
        self._abutting = container.format.name.startswith("mov") and not live
        self._timeline = Timeline(rewinds=bool(container.format.flags & 0x0200))  # AVFMT_TS_DISCONT

    @property
    def damage(self) -> Damage:
        """What was damaged so far."""
        return self._tally.damage

    def note(self, kind: Kind, pts: int | None = None, count: int = 1) -> None:
        """Count damage in the piece; where strict, raise Damaged. pts: of a picture, in ticks; None: here."""
        if pts is None:
            pts = self._next
        time = self._reached if pts is None else pts * self.time_base
        if self.clip.holds(time):
            self._tally.note(kind, time - self.clip.origin, count)

    def items(self) -> Iterator[av.VideoFrame | Carried]:
        """Everything in the piece, pictures with strictly rising pts."""
        for item in abut(self._decoded(), self._end) if self._abutting else self._decoded():
            if isinstance(item, Carried):
                yield item
                continue
            self.estimator.seen(item)
            pts = self._stamp(item)
            if self.clip.holds(pts * self.time_base):
                item.pts = pts + round(self.clip.shift / self.time_base)
                yield item

    def _decoded(self) -> Iterator[av.VideoFrame | Carried]:
        for packet in self._wanted():
            if packet.stream.index == self._stream.index:
                if self.decoding:
                    yield from self._pictures(packet)
            elif packet.size and self._move(packet):  # an empty packet only says that its stream has ended
                if packet.is_corrupt:
                    self.note("corrupt_packets")
                yield Carried(packet.stream.index, packet)
        self._watch.ended()
        if self.clip.end is None:
            self._look_for_the_end()

    def seconds(self) -> Fraction | None:
        """How long the piece is, as the container says."""
        own, whole = self._stream.duration, self._container.duration
        total: Fraction | None = own * self.time_base if own else whole * TICK if whole else None
        if total is None or self._live or self.rate:
            return None
        total -= self.clip.start or 0
        return max(min(total, self.clip.length) if self.clip.length is not None else total, Fraction(0))

    def variable(self) -> bool:
        """Whether the gaps between frames differ, as far as the file tells without reading it all."""
        return not self.rate and (self._live or varies(self._container, self._stream))

    def _wanted(self) -> Iterator[Any]:
        # Packets of the piece; those of the film from the last key picture before it.
        if self.clip.start:
            yield from cover_art_packets(self._container)
            self._seek()
        ended: set[int] = set()
        for packet in self._packets():
            end = self.clip.end
            time = packet.dts if packet.dts is not None else packet.pts
            if end is not None and packet.size and time is not None:
                seconds = time * (rational(packet.time_base) or self.time_base)
                if seconds >= end:
                    ended.add(packet.stream_index)
                if self._stream.index in ended and seconds > end + _AFTER:
                    break
            yield packet
        if self.clip.end is not None:
            yield from self._flush()

    def _packets(self) -> Iterator[Any]:
        # The demuxer's generator dies at an error; a new one goes on behind it, as ffmpeg does.
        failures = 0
        while True:
            try:
                for packet in self._container.demux():
                    if packet.size:
                        failures = 0
                        self._arrived(packet)
                    yield packet
                return
            except IndexError:  # PyAV counts its streams anew where one appeared on the way
                yield from self._flush()
                return
            except Stopped:
                raise
            except (av.error.FFmpegError, OSError) as exc:
                failures += 1
                self.note("unreadable_parts")
                lost = isinstance(exc, OSError) and not isinstance(exc, ValueError | BlockingIOError)
                if lost and not self._live:
                    raise StreamBroken(f"{self._title} broke off: {exc.strerror or exc}") from exc
                if lost or failures > MAX_RETRIES:
                    return

    def _arrived(self, packet: Any) -> None:
        # Its clock made to run on, and noted how far.
        if self._holes is not None and self._holes.before(packet):
            self.note("unreadable_parts")
        back = self._timeline.straighten(packet)
        if back and packet.stream_index == self._stream.index:
            self._watch.joined()
        time, time_base = packet.pts if packet.pts is not None else packet.dts, rational(packet.time_base)
        if time is not None and time_base is not None:
            self._reached = max(self._reached, (time + (packet.duration or 0)) * time_base)

    def _flush(self) -> Iterator[Any]:
        packet = av.Packet()
        packet.stream = self._stream
        yield packet

    def _seek(self) -> None:
        if self._container.format.name in _SEEKABLE:
            target = -self.clip.shift
            with suppress(av.error.FFmpegError):  # a pipe: what comes before is decoded and dropped
                self._container.seek(int(target / self.time_base), stream=self._stream)

    def _end(self) -> int | None:
        # Where the track ends; None where it was not read so far, or begins late, which makes FFmpeg's figure vague.
        stream = self._stream
        if stream.start_time or self._read is None or self._read < stream.index_entries[-1].timestamp:
            return None
        return stream.duration  # type: ignore[no-any-return]

    def _look_for_the_end(self) -> None:
        # Reading has ended; whether the container promised more.
        lost = pictures_behind(self._stream, self._read) if self._container.format.name.startswith("mov") else 0
        if lost:
            self.note("lost_frames", count=lost)
        if lost or breaks_off(self._container, self._reached):
            self._tally.cut(self._reached - self.clip.origin)

    def _pictures(self, packet: Any) -> list[av.VideoFrame]:
        self.estimator.sent(packet)
        if self._keeps and self.image is None:
            self.image = bytes(packet)
        self._read = self._read if packet.dts is None else packet.dts
        if packet.size:
            self._watch.sent(packet)
        try:
            if self._decoder is not None:
                pictures = list(self._decoder.decode(packet if packet.size else None))
            else:
                pictures = list(packet.decode() if packet.size else self._stream.decode(None))
        except EOFError:
            return []
        except (av.error.FFmpegError, ValueError) as exc:  # the latter where PyAV 19 has a decoder that would not open
            self.starved = exc if isinstance(exc, MemoryError) else None
            self._watch.failed(packet)
            return []
        for picture in pictures:
            self._watch.came(picture)
        for picture in pictures if self.rate else []:
            picture.pts, picture.duration = None, 1
        return pictures

    def _stamp(self, picture: av.VideoFrame) -> int:
        pts = picture.pts
        if pts is None:
            pts = self._next if self._next is not None else 0
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
        picture.pts = self._last = pts
        picture.duration = picture.duration or 0
        self._next = pts + (picture.duration or self._step)
        return pts

    def _move(self, packet: Any) -> bool:
        # Shifts a carried packet into the piece; whether it belongs there.
        if self.clip.whole:
            return True
        time = packet.pts if packet.pts is not None else packet.dts
        time_base = rational(packet.time_base)
        if time is None or time_base is None or packet.stream.disposition & ATTACHED:
            return True
        ticks = round(self.clip.shift / time_base)
        inside = self.clip.holds(time * time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        return inside
