"""PCM of one packing repacked to another: the same samples, where a container wants them in another form.

DVDs and Blu-ray discs pack samples of 16 to 24 bits in groups, with a header in every packet; few containers hold that.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, cast

import av
from av.container import OutputContainer
from av.stream import Stream

from vidsr.video.pcm_samples import SampleClock, is_pcm
from vidsr.video.timing import rational
from vidsr.video.write.copy.added_stream import CHANNELS
from vidsr.video.write.copy.containers import Muxer
from vidsr.video.write.copy.muxer_trial import accepts

# What holds the samples of a decoder without loss, by their format, the closest first: codec and format of its encoder.
_S16 = (("pcm_s16le", "s16"), ("pcm_bluray", "s16"), ("pcm_s24le", "s32"))
_S24 = (("pcm_s24le", "s32"), ("pcm_bluray", "s32"), ("pcm_s32le", "s32"))
_LOSSLESS = {
    "u8": (("pcm_u8", "u8"), *_S16),
    "s16": _S16,
    "s24": _S24,
    "s32": (("pcm_s32le", "s32"),),
    "flt": (("pcm_f32le", "flt"), ("pcm_f64le", "dbl")),
    "dbl": (("pcm_f64le", "dbl"),),
}
_FULL_32 = ("pcm_s32", "pcm_u32")  # other codecs that decode to s32 have 24 bits at most


def packing_for(muxer: Muxer, stream: Stream) -> tuple[str, str] | None:
    """Return the PCM codec in which a container holds the samples of a stream, and their format; None if it cannot."""
    if not is_pcm(stream):
        return None
    context = cast(av.AudioStream, stream).codec_context
    samples = context.format.packed.name
    if samples == "s32" and not context.name.startswith(_FULL_32):
        samples = "s24"
    for name, format in _LOSSLESS.get(samples, ()):
        add = partial(add_pcm_stream, codec=name, format=format, stream=stream)
        if accepts(muxer, add, reads_back=("audio", name, context.sample_rate)):
            return name, format
    return None


def add_pcm_stream(container: OutputContainer, *, codec: str, format: str, stream: Stream) -> av.AudioStream:
    """Add a stream of PCM with the rate and the channels of an input stream."""
    given: Any = stream.codec_context
    copy = cast(av.AudioStream, container.add_stream(codec, rate=given.sample_rate))
    layout = given.layout.name
    if layout.endswith(" channels") or container.format.name == "flv":
        layout = CHANNELS.get(given.layout.nb_channels, layout)
    copy.codec_context.layout, copy.codec_context.format = layout, format
    copy.codec_context.time_base = copy.time_base = Fraction(1, given.sample_rate)
    return copy


class PcmRepacker:
    """Decodes the packets of a stream and encodes the same samples with another PCM codec."""

    def __init__(self, stream: Stream, copy: av.AudioStream, *, on_lost_packet: Callable[[av.Packet], None]) -> None:
        """copy: of `add_pcm_stream`. on_lost_packet: called with a packet that cannot be decoded."""
        context = copy.codec_context
        self._copy = copy
        self._rate, self._on_lost_packet = context.sample_rate, on_lost_packet
        self._layout = context.layout.name
        self._resampler = av.AudioResampler(format=context.format.name, layout=self._layout, rate=self._rate)
        self._clock = SampleClock(self._rate, rational(stream.time_base) or Fraction(1, 90000))

    def convert(self, packet: av.Packet) -> list[av.Packet]:
        """Return the packets with the samples of a packet of the input."""
        start = packet.pts if packet.pts is not None else packet.dts
        try:
            av_frames: list[Any] = packet.decode()
        except (av.error.FFmpegError, EOFError):
            self._on_lost_packet(packet)
            return []
        packets: list[av.Packet] = []
        for av_frame in av_frames:
            for ready in self._resampler.resample(self._named(av_frame)):
                ready.pts, _ = self._clock.place(start, ready.samples)
                ready.time_base, start = Fraction(1, self._rate), None
                packets += self._copy.encode(ready)
        return packets

    def _named(self, av_frame: av.AudioFrame) -> av.AudioFrame:
        # The same samples with the channel layout of the encoder, which may name channels that the input does not.
        samples: Any = av_frame.to_ndarray()
        named = av.AudioFrame.from_ndarray(samples, format=av_frame.format.name, layout=self._layout)
        named.sample_rate = self._rate
        return named

    def until(self, time: Fraction) -> list[av.Packet]:
        """Return no packets: none are held back for the sake of time."""
        return []

    def flush(self) -> list[av.Packet]:
        """Return the last packet, which an encoder with packets of one size has held back."""
        return self._copy.encode(None)
