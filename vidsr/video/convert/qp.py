"""How coarsely a codec quantised a picture: an exact measure of damage that the decoder gives away."""

import math
import struct
from collections import deque
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vidsr.video.convert.nv12 import in_memory
from vidsr.video.convert.pixel_formats import planes_of
from vidsr.video.convert.side_data import side_data

EXPORT = {"export_side_data": "venc_params"}
"""Decoder options that make FFmpeg hand the quantisers out."""

ESTIMATED = ("hevc", "av1", "vp8")
"""Codecs whose decoders export none, and on which `estimated_quantiser` was measured."""

TOP = 51.0
_FLAT = 0.25  # levels of detail: black, or nearly
_TINY = 16  # pixels
_VP9, _H264, _MPEG2 = 0, 1, 2  # enum AVVideoEncParamsType
_BLOCK = 5  # int32 a block: x, y, width, height, delta_qp


def mean_qp(picture: av.VideoFrame) -> float | None:
    """The mean QP over the blocks of a decoded picture, on H.264's scale of 0 to 51.

    None where its decoder exports none (HEVC, AV1, VP8, …) or was opened without EXPORT.
    Source: libavutil/video_enc_params.h.
    """
    raw = side_data(picture, "VIDEO_ENC_PARAMS")
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
    """Guesses the quantiser where the decoder tells none: from the bits of each key picture, until the next one.

    The other pictures' own bits measure motion more than damage.
    """

    value: float | None = None
    """Of the picture seen last; None before a key picture that tells anything, and for codecs not ESTIMATED."""

    def __init__(self, codec: str, *, wanted: bool = False) -> None:
        """codec: FFmpeg's name of it. wanted: also of a codec not ESTIMATED, whose decoder is one that tells none."""
        self._wanted = wanted or codec in ESTIMATED
        self._sizes: deque[tuple[int | None, int]] = deque(maxlen=16)  # pts and bytes; fewer wait to be shown

    def sent(self, packet: Any) -> None:
        """Note the size of a packet that goes to the decoder."""
        if self._wanted and packet.is_keyframe:
            self._sizes.append((packet.pts, packet.size))

    def seen(self, picture: av.VideoFrame) -> None:
        """Look at a picture as it came from the decoder, with the pts of its packet."""
        if not self._wanted or not picture.key_frame:
            return
        size = next((size for pts, size in reversed(self._sizes) if pts == picture.pts), 0)
        picture = in_memory(picture)
        bits = picture.format.components[0].bits
        found = estimated_qp(planes_of(picture)[0], size, bits=bits)
        self.value = self.value if found is None else found


def estimated_qp(luma: NDArray[Any], size: int, *, bits: int = 8) -> float | None:
    """About the QP at which x264 would have done a key picture as much damage as its own codec did.

    luma: (height, width). size: bytes of its packet. None where the picture is flat or tiny, so that bits tell nothing.

    What counts is the detail for each bit: the mean steps to the right and downwards, in 8-bit levels, over the bits
    that a pixel took. Fitted on 28 photos coded as key pictures at four qualities, for the QP at which x264 has the
    same PSNR: 2.5 QP off (RMS) for x265 and SVT-AV1 alike; VP8 comes out about 2 too low.
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
    if kind == _MPEG2:  # twice the scale code, which is the step
        return from_step(qp)
    if kind == _VP9:
        return from_step(_vp9_step(qp))
    return None


def from_step(step: float) -> float:
    """The H.264 QP whose quantiser step, in levels of an orthonormal transform, is `step`: it doubles every 6 QP."""
    return min(max(6 * math.log2(max(step, 0.625) / 0.625), 0.0), TOP)


def _vp9_step(index: float) -> float:
    # ac_qlookup (libvpx, vp9_quant_common.c), in eighths of a level: index + 7 up to 92, then bent up to 1828 at 255.
    return (index + 7) / 8 if index < 92 else 99 * (1828 / 99) ** ((index - 92) / 163) / 8


def from_av1_crf(crf: float) -> float:
    """About the QP at which x264 does a key picture as much damage as SVT-AV1 did at `crf` (24 to 60 measured)."""
    return 0.55 * crf + 3


def from_x265_qp(qp: float) -> float:
    """About the QP at which x264 does a key picture as much damage as x265 did at `qp`."""
    return max(qp - 4, 0.0)
