"""Frames through a codec and back, in memory: what a stream does to a picture on its way."""

import os
import platform
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np

from vidsr.errors import InputError
from vidsr.frames import Frame
from vidsr.system import keep_priority
from vidsr.video.convert.pixel_formats import planes_of
from vidsr.video.convert.qp import EXPORT, Estimator, mean_qp

_DECODERS = {
    "libx264": "h264",
    "libx265": "hevc",
    "libsvtav1": "libdav1d",
    "libvpx-vp9": "vp9",
    "mpeg2video": "mpeg2video",
}
# x264 reads memory it never wrote where AVX-512 propagates its macroblock tree: every run would differ. What it is
# left with is what OpenVINO needs of a CPU too.
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_ALWAYS = {
    "libx264": {"x264-params": "asm=sse4.2"} if _X86 else {},
    "libx265": {"x265-params": "log-level=none"},
}


def recode(
    frames: Sequence[Frame],
    *,
    codec: str = "libx264",
    crf: float | None = 23.0,
    options: Mapping[str, str] | None = None,
) -> tuple[list[Frame], int]:
    """Send 8-bit 4:2:0 frames through an encoder and its decoder.

    frames: all of one even size; colour, pts and duration are handed through. crf: None leaves the rate to `options`.
    Returns as many frames as came in, with the quantisers their decoder tells, and the bytes that travelled.
    Raises InputError where the encoder refuses.
    """
    channel = Channel(codec=codec, crf=crf, options=options)
    return list(channel.send(frames)), channel.payload


class Channel:
    """An encoder with its decoder behind it, as a stream: for films that do not fit into memory. Sends one film."""

    payload = 0
    """Bytes that travelled so far, container not counted."""

    def __init__(
        self,
        *,
        codec: str = "libx264",
        crf: float | None = 23.0,
        options: Mapping[str, str] | None = None,
        rate: Fraction = Fraction(25),
        estimate: bool = False,
    ) -> None:
        """crf, options: as for `recode`. rate: frames a second, which the encoder is told.

        estimate: guess the quantiser where the decoder tells none, as reading a file does.
        """
        self._codec, self._rate, self._estimate = codec, rate, estimate
        self._options = {**({} if crf is None else {"crf": f"{crf:g}"}), **_ALWAYS.get(codec, {}), **(options or {})}

    def send(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Give each frame as it arrives: as many as went in, in their order.

        frames: as for `recode`. A frame that has gone in is not held here, whatever the encoder's delay.
        Raises InputError where the encoder refuses.
        """
        decoder = av.CodecContext.create(_DECODERS[self._codec], "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.options = dict(EXPORT)
        estimator = Estimator(decoder.codec.canonical_name)
        under_way: deque[Frame] = deque()  # without their planes: only what is handed through
        for packet in self._packets(frames, decoder, under_way):
            if packet is not None:
                self.payload += packet.size
                estimator.sent(packet)
            for picture in decoder.decode(packet):
                estimator.seen(picture)
                qp = mean_qp(picture)
                if qp is None and self._estimate:
                    qp = estimator.value
                sent = under_way.popleft()
                yield replace(sent, planes=planes_of(picture), qp=qp, av_frame=picture)
        assert not under_way, f"{self._codec}: {len(under_way)} frames went in and did not come out"

    def _packets(
        self, frames: Iterable[Frame], decoder: av.VideoCodecContext, under_way: deque[Frame]
    ) -> Iterator[Any]:
        """Give the encoder's packets, and None behind the last."""
        encoder: av.VideoCodecContext | None = None
        for index, frame in enumerate(frames):
            if encoder is None:
                encoder = self._open(frame)
                decoder.extradata = encoder.extradata
            under_way.append(replace(frame, planes=(), av_frame=None))
            yield from self._encode(encoder, self._picture(frame, index))
        if encoder is not None:
            yield from self._encode(encoder, None)
            yield None

    def _open(self, first: Frame) -> av.VideoCodecContext:
        if first.bits != 8 or first.color.subsampling != (1, 1) or first.width % 2 or first.height % 2:
            raise InputError(f"{self._codec} is given {first}; recoding takes 8-bit 4:2:0 of even size")
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes to stderr past every log level but this one
        encoder = av.CodecContext.create(self._codec, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = first.width, first.height, "yuv420p"
        encoder.time_base, encoder.framerate = 1 / self._rate, self._rate
        encoder.color_range = 2 if first.color.full_range else 1
        encoder.options = dict(self._options)
        try:
            with keep_priority():
                encoder.open()
        except av.error.FFmpegError as exc:
            raise self._refused(encoder) from exc
        return encoder

    def _encode(self, encoder: av.VideoCodecContext, picture: av.VideoFrame | None) -> list[Any]:
        try:
            with keep_priority():
                return encoder.encode(picture)
        except av.error.FFmpegError as exc:
            raise self._refused(encoder) from exc

    def _refused(self, encoder: av.VideoCodecContext) -> InputError:
        size = f"{encoder.width}x{encoder.height}"
        return InputError(f"{self._codec} does not take {size} pictures with {self._options}")

    def _picture(self, frame: Frame, index: int) -> av.VideoFrame:
        picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
        for target, plane in zip(planes_of(picture), frame.planes, strict=True):
            np.copyto(target, plane)
        picture.pts, picture.time_base = index, 1 / self._rate
        return picture


def version() -> str:
    """Name what encodes: where it is another, the same CRF gives other bits."""
    return f"PyAV {av.__version__}, libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"
