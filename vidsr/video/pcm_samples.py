"""Samples of PCM: where they lie in time, and their values whatever the packing."""

from contextlib import suppress
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.stream import Stream
from numpy.typing import NDArray

_JITTER_S = Fraction(3, 100)  # of the time stamps of sound on DVDs, without a gap; it is still in step with the picture


class SampleClock:
    """Counts the samples of a stream, so that time stamps coarser than a sample move none of them."""

    def __init__(self, rate: int, tick: Fraction) -> None:
        """rate: samples a second. tick: the time base of the stream, in seconds."""
        self._rate, self._tick = rate, tick
        self._allowed = max(2 * tick, _JITTER_S) * rate
        self._next: int | None = None

    def place(self, pts: int | None, samples: int) -> tuple[int, bool]:
        """Return where the next samples begin, counted in samples, and whether that is the start or after a gap.

        pts: their time stamp in ticks, if they have one.
        """
        position = None if pts is None else round(pts * self._tick * self._rate)
        moved = self._next is None or (position is not None and abs(position - self._next) > self._allowed)
        start = (position or 0) if moved else cast(int, self._next)
        self._next = start + samples
        return start, moved


def samples_of(packet: av.Packet) -> tuple[bytes, int]:
    """Return the samples of a packet of PCM in a form that does not depend on its packing, and their number.

    Integers are left-aligned in 32 bits; floats get 64. Nothing is returned for what cannot be decoded.
    """
    found, count = b"", 0
    with suppress(av.error.FFmpegError, EOFError):
        av_frames: list[Any] = packet.decode()
        for av_frame in av_frames:
            samples = _aligned(av_frame.to_ndarray())
            found += (samples.T if av_frame.format.is_planar else samples).tobytes()
            count += av_frame.samples
    return found, count


def _aligned(samples: NDArray[Any]) -> NDArray[Any]:
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    if kind == "f":
        return samples.astype(np.float64)
    if size >= 4:
        return samples
    middle = 128 if kind == "u" else 0
    return (samples.astype(np.int32) - middle) << (32 - 8 * size)


def is_pcm(stream: Stream) -> bool:
    """Return whether a stream is PCM of any packing, with A-law and µ-law; not of 64 bits, which PyAV cannot read."""
    if stream.type != "audio" or stream.codec_context is None:
        return False
    return stream.codec_context.name.startswith("pcm_") and not stream.codec_context.name.startswith("pcm_s64")
