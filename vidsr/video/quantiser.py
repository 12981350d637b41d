"""How coarsely a codec quantised a picture: an exact measure of damage that the decoder gives away."""

import math
import struct
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideData, Type

EXPORT = {"export_side_data": "venc_params"}
"""Decoder options that make FFmpeg hand the quantisers out."""

TOP = 51.0
_VP9, _H264, _MPEG2 = 0, 1, 2  # enum AVVideoEncParamsType
_BLOCK = 5  # int32 a block: x, y, width, height, delta_qp


def mean_quantiser(picture: av.VideoFrame) -> float | None:
    """The mean QP over the blocks of a decoded picture, on H.264's scale of 0 to 51.

    None where its decoder exports none (HEVC, AV1, VP8, …) or was opened without EXPORT.
    Source: libavutil/video_enc_params.h.
    """
    entry = next((side for side in _side_data(picture) if side.type.name == "VIDEO_ENC_PARAMS"), None)
    if entry is None:
        return None
    raw = bytes(entry)
    (blocks,) = struct.unpack_from("<I", raw, 0)
    offset, size = struct.unpack_from("<QQ", raw, 8)
    kind, base = struct.unpack_from("<ii", raw, 24)
    mean = float(base)
    if blocks:
        deltas = np.frombuffer(raw, np.int32, offset=offset).reshape(blocks, size // 4)[:, _BLOCK - 1]
        mean += float(deltas.mean())
    return _on_h264_scale(kind, mean)


def _side_data(picture: av.VideoFrame) -> list[SideData]:
    # PyAV 18 iterates the entries, PyAV 19 their keys.
    entries: Any = picture.side_data
    return [entries[key] if isinstance(key, Type) else key for key in entries]


def _on_h264_scale(kind: int, quantiser: float) -> float | None:
    if kind == _H264:
        return min(max(quantiser, 0.0), TOP)
    if kind == _MPEG2:  # the step is twice the scale code
        return from_step(2 * quantiser)
    if kind == _VP9:
        return from_step(_vp9_step(quantiser))
    return None


def from_step(step: float) -> float:
    """The H.264 QP whose quantiser step, in levels of an orthonormal transform, is `step`: it doubles every 6 QP."""
    return min(max(6 * math.log2(max(step, 0.625) / 0.625), 0.0), TOP)


def _vp9_step(index: float) -> float:
    # ac_qlookup (libvpx, vp9_quant_common.c), in eighths of a level: index + 7 up to 92, then bent up to 1828 at 255.
    return (index + 7) / 8 if index < 92 else 99 * (1828 / 99) ** ((index - 92) / 163) / 8


def from_av1_crf(crf: float) -> float:
    """About the H.264 QP of what SVT-AV1 coded at `crf` (0 to 63): its index is 4 crf, on VP9's step table."""
    return from_step(_vp9_step(4 * crf))
