"""Frames encoded and decoded again in memory: what a compressed stream does to them."""

import os
import platform
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

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
# x264 reads uninitialised memory when it propagates its macroblock tree with AVX-512, so that runs would differ.
# SSE4.2 is what OpenVINO needs of a CPU, too.
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
    """Encode and decode 8-bit 4:2:0 frames.

    frames: all of one even size; colour, pts and duration are kept. crf: None leaves the rate to `options`.
    Returns the decoded frames, with the QP that the decoder exports, and the bytes of all packets.
    Raises InputError if the encoder refuses them.
    """
    channel = Channel(codec=codec, crf=crf, options=options)
    return list(channel.send(frames)), channel.payload


class Channel:
    """An encoder and its decoder as a stream, for videos that do not fit into memory. Takes one video."""

    payload = 0
    """Bytes of all packets so far, without a container."""

    def __init__(
        self,
        *,
        codec: str = "libx264",
        crf: float | None = 23.0,
        options: Mapping[str, str] | None = None,
        rate: Fraction = Fraction(25),
        estimate: bool = False,
    ) -> None:
        """crf, options: as for `recode`. rate: frame rate for the encoder.

        estimate: estimate the QP if the decoder exports none, as reading a file does.
        """
        self._codec, self._rate, self._estimate = codec, rate, estimate
        self._options = {**({} if crf is None else {"crf": f"{crf:g}"}), **_ALWAYS.get(codec, {}), **(options or {})}

    def send(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield each frame when it is decoded, as many as `frames` has, in the same order.

        frames: as for `recode`. Their planes are not held while they are encoded.
        Raises InputError if the encoder refuses them.
        """
        decoder = av.CodecContext.create(_DECODERS[self._codec], "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.options = dict(EXPORT)
        estimator = Estimator(decoder.codec.canonical_name)
        under_way: deque[Frame] = deque()  # without planes
        for packet in self._packets(frames, decoder, under_way):
            if packet is not None:
                self.payload += packet.size
                estimator.sent(packet)
            for av_frame in decoder.decode(packet):
                estimator.update(av_frame)
                qp = mean_qp(av_frame)
                if qp is None and self._estimate:
                    qp = estimator.value
                sent = under_way.popleft()
                yield replace(sent, planes=planes_of(av_frame), qp=qp, av_frame=av_frame)
        assert not under_way, f"{self._codec}: {len(under_way)} frames went in and did not come out"

    def _packets(
        self, frames: Iterable[Frame], decoder: av.VideoCodecContext, under_way: deque[Frame]
    ) -> Iterator[av.Packet | None]:
        # The encoder's packets, then None to flush the decoder.
        encoder: av.VideoCodecContext | None = None
        for index, frame in enumerate(frames):
            if encoder is None:
                encoder = self._open(frame)
                decoder.extradata = encoder.extradata
            under_way.append(replace(frame, planes=(), av_frame=None))
            yield from self._encode(encoder, self._av_frame(frame, index))
        if encoder is not None:
            yield from self._encode(encoder, None)
            yield None

    def _open(self, first: Frame) -> av.VideoCodecContext:
        if first.bits != 8 or first.color.subsampling != (1, 1) or first.width % 2 or first.height % 2:
            raise InputError(f"expected 8-bit 4:2:0 frames of even size for {self._codec}; got {first}")
        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 logs to stderr at every other level
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

    def _encode(self, encoder: av.VideoCodecContext, av_frame: av.VideoFrame | None) -> list[av.Packet]:
        try:
            with keep_priority():
                return encoder.encode(av_frame)
        except av.error.FFmpegError as exc:
            raise self._refused(encoder) from exc

    def _refused(self, encoder: av.VideoCodecContext) -> InputError:
        size = f"{encoder.width}x{encoder.height}"
        return InputError(f"{self._codec} cannot encode {size} frames with {self._options}")

    def _av_frame(self, frame: Frame, index: int) -> av.VideoFrame:
        av_frame = av.VideoFrame(frame.width, frame.height, "yuv420p")
        for target, plane in zip(planes_of(av_frame), frame.planes, strict=True):
            np.copyto(target, plane)
        av_frame.pts, av_frame.time_base = index, 1 / self._rate
        return av_frame


def version() -> str:
    """Return the versions of PyAV and libavcodec, on which the bits for a CRF depend."""
    return f"PyAV {av.__version__}, libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"
