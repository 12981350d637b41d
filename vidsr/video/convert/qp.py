"""QP of decoded frames: from the decoder, or estimated from the size of key frames."""

import math
import struct
from collections import deque
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vidsr.video.convert.nv12 import download
from vidsr.video.convert.pixel_formats import planes_of
from vidsr.video.convert.side_data import side_data

EXPORT = {"export_side_data": "venc_params"}
"""Decoder options that make FFmpeg export the QP of frames."""

ESTIMATED = ("hevc", "av1", "vp8")
"""Codecs whose decoders export no QP, and on which `estimated_qp` was measured."""

TOP = 51.0
_FLAT = 0.25  # levels of detail: nearly black frames
_TINY = 16  # pixels
_VP9, _H264, _MPEG2 = 0, 1, 2  # enum AVVideoEncParamsType
_BLOCK = 5  # int32 a block: x, y, width, height, delta_qp


def mean_qp(av_frame: av.VideoFrame) -> float | None:
    """Return the mean QP over the blocks of a decoded frame, on H.264's scale of 0 to 51.

    None if its decoder exports none (HEVC, AV1, VP8, …) or was opened without EXPORT.
    Source: libavutil/video_enc_params.h.
    """
    raw = side_data(av_frame, "VIDEO_ENC_PARAMS")
    if raw is None:
        return None
    (blocks,) = struct.unpack_from("<I", raw, 0)
    offset, size = struct.unpack_from("<QQ", raw, 8)
    kind, base = struct.unpack_from("<ii", raw, 24)
    mean = float(base)
    if blocks:
        deltas = np.frombuffer(raw, np.int32, offset=offset).reshape(blocks, size // 4)[:, _BLOCK - 1]
        mean += float(deltas.mean())
    return _on_h264_scale(kind, mean)


class Estimator:
    """Estimates the QP from the size of each key frame, for all frames until the next one.

    The size of the other frames depends more on motion than on damage.
    """

    value: float | None = None
    """QP of the last frame; None before the first key frame with an estimate, and for codecs with exact QP."""

    def __init__(self, codec: str, *, wanted: bool = False) -> None:
        """codec: FFmpeg's name. wanted: estimate also for a codec not in ESTIMATED, if its decoder exports no QP."""
        self._wanted = wanted or codec in ESTIMATED
        self._sizes: deque[tuple[int | None, int]] = deque(maxlen=16)  # pts and bytes; fewer are reordered

    def sent(self, packet: av.Packet) -> None:
        """Store the size of a packet that goes to the decoder."""
        if self._wanted and packet.is_keyframe:
            self._sizes.append((packet.pts, packet.size))

    def update(self, av_frame: av.VideoFrame) -> None:
        """Update the estimate from a decoded frame, whose pts must be that of its packet."""
        if not self._wanted or not av_frame.key_frame:
            return
        size = next((size for pts, size in reversed(self._sizes) if pts == av_frame.pts), 0)
        av_frame = download(av_frame)
        qp = estimated_qp(planes_of(av_frame)[0], size, bits=av_frame.format.components[0].bits)
        self.value = self.value if qp is None else qp


def estimated_qp(luma: NDArray[Any], size: int, *, bits: int = 8) -> float | None:
    """Estimate the QP at which x264 would have damaged a key frame as much as its codec did.

    luma: (height, width). size: bytes of its packet. Returns None for flat or tiny frames, whose size says nothing.

    The measure is the detail per bit: the mean steps to the right and downwards, in 8-bit levels, over the bits per
    pixel. Fitted on 28 photos coded as key frames at four qualities, for the QP at which x264 has the same PSNR: the
    RMS error is 2.5 QP for x265 and SVT-AV1; VP8 is estimated about 2 too low.
    """
    if size <= 0 or min(luma.shape) < _TINY:
        return None
    lines, below = luma[:-1:4].astype(np.int16), luma[1::4]
    detail = float(np.abs(np.diff(lines)).mean() + np.abs(lines - below).mean()) / (1 << (bits - 8))
    if detail < _FLAT:
        return None
    return min(max(6.8 * math.log2(detail * luma.size / (8 * size)) - 3, 0.0), TOP)


def _on_h264_scale(kind: int, qp: float) -> float | None:
    if kind == _H264:
        return min(max(qp, 0.0), TOP)
    if kind == _MPEG2:  # quantiser_scale_code, twice its step
        return from_step(qp)
    if kind == _VP9:
        return from_step(_vp9_step(qp))
    return None


def from_step(step: float) -> float:
    """Return the H.264 QP with a quantisation step, in levels of an orthonormal transform; it doubles every 6 QP."""
    return min(max(6 * math.log2(max(step, 0.625) / 0.625), 0.0), TOP)


def _vp9_step(index: float) -> float:
    # ac_qlookup (libvpx, vp9_quant_common.c), in eighths of a level: index + 7 up to 92, then exponential to 1828.
    return (index + 7) / 8 if index < 92 else 99 * (1828 / 99) ** ((index - 92) / 163) / 8


def from_av1_crf(crf: float) -> float:
    """Return about the QP at which x264 damages a key frame as much as SVT-AV1 at `crf` (measured for 24 to 60)."""
    return 0.55 * crf + 3


def from_x265_qp(qp: float) -> float:
    """Return about the QP at which x264 damages a key frame as much as x265 at `qp`."""
    return max(qp - 4, 0.0)
