"""av.VideoFrame as Frame."""

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from vidsr.color import BT709, BT2020, SMPTE170M, UNSPECIFIED, ChromaLocation, ColorSpec, guessed_matrix
from vidsr.frames import Frame, Plane
from vidsr.video._compat import lines_of, rational
from vidsr.video.convert.nv12 import bits_of, can_stay_semiplanar, download, semiplanar_planes
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS, alpha_of, nearest_pixel_format, planes_of
from vidsr.video.convert.scale import FULL, LIMITED, blank, chroma_location_of, scale

_RGB, _RESERVED = 0, 3  # matrix code points that are wrong for YUV
_FLOATS: dict[str, np.dtype[Any]] = {"f16le": np.dtype("<f2"), "f32le": np.dtype("<f4")}  # by the end of the name
_SWAPPED = ("rgb565be", "bgr565be", "rgb555be", "bgr555be")  # of which swscale exchanges bits


def frame_of(
    av_frame: av.VideoFrame,
    *,
    chroma_location: ChromaLocation | None = None,
    qp: float | None = None,
    scaler: VideoReformatter | None = None,
    semiplanar: bool = False,
    rgb_video: bool = False,
    deep: bool = False,
) -> Frame:
    """Return a decoded av.VideoFrame as a Frame, without a copy if it is planar YUV or gray of 8 or 10 bits.

    RGB becomes 4:4:4 at 10 bits; rgb_video: with the colours of a video, see `rgb_color`. Other pixel formats become
    the nearest of PIXEL_FORMATS. A missing matrix becomes BT.709 from 720 lines up, else BT.601.
    deep: RGB and gray of more bits stay so, at 16 bits. chroma_location: None measures it.
    semiplanar: leave NV12 and P010 as they are, also in the memory of a GPU.
    """
    time_base = rational(av_frame.time_base) or Fraction(1, 25)
    timing: dict[str, Any] = {
        "pts": av_frame.pts or 0, "duration_ticks": av_frame.duration or 0, "time_base": time_base
    }  # fmt: skip
    scaler = scaler or VideoReformatter()
    if av_frame.format.is_rgb or av_frame.format.has_palette:
        bits = 16 if deep and av_frame.format.components[0].bits > 8 else 10
        frame = Frame.from_rgb(_rgb_of(av_frame, scaler), color=rgb_color(av_frame, video=rgb_video), bits=bits)
        return replace(frame, qp=qp, alpha=_alpha_of_rgb(av_frame, frame.bits, scaler), **timing)
    deep_gray = _deep_gray(av_frame) if deep else None
    if deep_gray is not None:
        return replace(deep_gray, qp=qp, alpha=alpha_of(av_frame, 16, scaler), **timing)
    keep = semiplanar and can_stay_semiplanar(av_frame)
    decoded = av_frame = av_frame if keep else download(av_frame)
    full = av_frame.color_range == FULL or av_frame.format.name.startswith("yuvj")
    if not keep and av_frame.format.name not in PIXEL_FORMATS:
        av_frame = _converted(av_frame, scaler, full)
    bits, subsampling, gray = (bits_of(av_frame), (1, 1), False) if keep else PIXEL_FORMATS[av_frame.format.name]
    alpha = None if keep else alpha_of(decoded if gray else av_frame, bits, scaler)
    av_frame.color_range = FULL if full else LIMITED
    av_frame.colorspace = _matrix_of(av_frame)
    color = ColorSpec(
        matrix=int(av_frame.colorspace),
        full_range=full,
        primaries=_known(av_frame.color_primaries),
        transfer=_known(av_frame.color_trc),
        subsampling=subsampling,
        chroma_location=chroma_location or chroma_location_of(av_frame),
    )
    planes = semiplanar_planes(av_frame) if keep else planes_of(av_frame)[: 1 if gray else 3]
    return Frame(planes, color, bits, qp=qp, alpha=alpha, av_frame=av_frame, **timing)


def to_planar(av_frame: av.VideoFrame, scaler: VideoReformatter) -> av.VideoFrame:
    """Return a YUV frame in the nearest planar pixel format of 8 or 10 bits, with its matrix and range."""
    av_frame = download(av_frame)
    color_range = av_frame.color_range
    planar = _converted(av_frame, scaler, full=color_range == FULL)
    planar.colorspace, planar.color_range = av_frame.colorspace, color_range
    return planar


def rgb_color(av_frame: av.VideoFrame, *, video: bool) -> ColorSpec:
    """Return the colour of a Frame made of RGB, which keeps its primaries and transfer.

    video: limited range with the matrix of its primaries, BT.2020 or else BT.709, rather than full-range BT.601.
    """
    primaries = _known(av_frame.color_primaries)
    matrix = (BT2020 if primaries == BT2020 else BT709) if video else SMPTE170M
    return ColorSpec(matrix, not video, primaries, _known(av_frame.color_trc), (0, 0), "center")


def _converted(av_frame: av.VideoFrame, scaler: VideoReformatter, full: bool) -> av.VideoFrame:
    # The frame in the nearest of PIXEL_FORMATS.
    near, rounded = nearest_pixel_format(av_frame.format), ten_bit_planes(av_frame, full_range=full)
    if rounded is None:
        flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
        return scale(scaler, av_frame, av_frame.width, av_frame.height, near, flags, full)
    result = blank(av_frame, av_frame.width, av_frame.height, near)
    for target, plane in zip(planes_of(result), rounded, strict=True):
        np.copyto(target, plane)
    return result


def _known(code: int) -> int:
    # Of primaries or a transfer; encoders would write the reserved ones as unspecified.
    return UNSPECIFIED if code in (0, _RESERVED) else int(code)


def _matrix_of(av_frame: av.VideoFrame) -> int:
    matrix = int(av_frame.colorspace)
    if matrix in (UNSPECIFIED, _RGB, _RESERVED):
        return guessed_matrix(av_frame.height)
    return matrix


def _rgb_of(av_frame: av.VideoFrame, scaler: VideoReformatter) -> NDArray[Any]:
    # (height, width, 3): uint8, or float in [0, 1]. At 8 bits swscale only reorders RGB.
    bits, name = av_frame.format.components[0].bits, av_frame.format.name
    samples = float_samples(av_frame)
    if samples is not None:
        return srgb_of(samples[..., :3])
    if name in _SWAPPED:
        av_frame = _little_endian(av_frame)
    if bits <= 8:
        return scaler.reformat(av_frame, format="rgb24").to_ndarray()
    if name.startswith("gbrp") and name.endswith("le") and bits <= 16:
        return (av_frame.to_ndarray() / ((1 << bits) - 1)).astype(np.float32)
    return (scaler.reformat(av_frame, format="rgb48le").to_ndarray() / 65535).astype(np.float32)


def _alpha_of_rgb(av_frame: av.VideoFrame, bits: int, scaler: VideoReformatter) -> Plane | None:
    samples = float_samples(av_frame)  # which swscale cannot convert
    if samples is None:
        return alpha_of(av_frame, bits, scaler)
    if samples.shape[2] < 4:
        return None
    codes: NDArray[np.uint16] = np.rint(samples[..., 3].clip(0, 1) * ((1 << bits) - 1)).astype(np.uint16)
    return codes


def srgb_of(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sRGB code, in [0, 1], of linear light, clipped to [0, 1] (IEC 61966-2-1)."""
    unit = linear.clip(0, 1)
    coded: NDArray[np.float32] = np.where(unit <= 0.0031308, 12.92 * unit, 1.055 * unit ** (1 / 2.4) - 0.055)
    return coded.astype(np.float32)


def float_samples(av_frame: av.VideoFrame) -> NDArray[np.float32] | None:
    """Return the samples of a frame of floats, (height, width, channels); None for a frame of integers."""
    name = av_frame.format.name
    dtype = next((dtype for end, dtype in _FLOATS.items() if name.endswith(end)), None)
    if dtype is None:
        return None
    planes = [lines_of(plane, dtype).astype(np.float32) for plane in av_frame.planes]
    if len(planes) == 1:  # gray or packed
        count = len(av_frame.format.components)
        return planes[0][:, : av_frame.width * count].reshape(av_frame.height, av_frame.width, count)
    green, blue, red, *alpha = (plane[:, : av_frame.width] for plane in planes)
    return np.stack([red, green, blue, *alpha], axis=2)


def _deep_gray(av_frame: av.VideoFrame) -> Frame | None:
    # Gray of 16 bits as a frame; None for any other pixel format.
    match = re.fullmatch(r"(gray|ya)16(le|be)", av_frame.format.name)
    if match is None or av_frame.color_range == LIMITED:
        return None
    lines = lines_of(av_frame.planes[0], "<u2" if match[2] == "le" else ">u2")
    step = 1 if match[1] == "gray" else 2
    codes = lines[:, : av_frame.width * step : step].astype(np.uint16)
    return Frame((codes,), replace(rgb_color(av_frame, video=False), matrix=_matrix_of(av_frame)), 16)


def _little_endian(av_frame: av.VideoFrame) -> av.VideoFrame:
    swapped = av.VideoFrame(av_frame.width, av_frame.height, av_frame.format.name.removesuffix("be") + "le")
    target, given = lines_of(swapped.planes[0], "<u2"), lines_of(av_frame.planes[0], ">u2")
    np.copyto(target[:, : av_frame.width], given[:, : av_frame.width])
    return swapped


_DEEP = re.compile(r"(yuva?4(?:20|22|44)p|gray)(9|1[246])(le|be)")
_TOP = 1023


def ten_bit_planes(av_frame: av.VideoFrame, *, full_range: bool) -> tuple[Plane, ...] | None:
    """Return the planes of YUV, YUVA or gray of 9, 12, 14 or 16 bits at 10 bits; None for other pixel formats.

    Limited range is shifted; full range is scaled from all codes to all codes, chroma around its middle (H.273).
    """
    match = _DEEP.fullmatch(av_frame.format.name)
    if match is None:
        return None
    bits, planes = int(match[2]), planes_of(av_frame)
    if match[3] == "be":
        planes = tuple(plane.byteswap() for plane in planes)
    limited = 0 if full_range else 3  # planes; alpha has full range
    return tuple(
        _shifted(plane, bits) if index < limited else _scaled(plane, bits, chroma=index in (1, 2))
        for index, plane in enumerate(planes)
    )


def _shifted(plane: Plane, bits: int) -> NDArray[np.uint16]:
    if bits < 10:
        return (plane << (10 - bits)).astype(np.uint16)
    half, shift = 1 << (bits - 11), bits - 10
    rounded: NDArray[np.uint16] = (np.minimum(plane, (1 << bits) - 1 - half) + np.uint16(half)) >> np.uint16(shift)
    return rounded


def _scaled(plane: Plane, bits: int, *, chroma: bool) -> NDArray[np.uint16]:
    middle, lifted = (1 << (bits - 1), 512) if chroma else (0, 0)
    exact = (plane.astype(np.float32) - middle) * np.float32(_TOP / ((1 << bits) - 1)) + lifted
    codes: NDArray[np.uint16] = np.rint(exact).clip(0, _TOP).astype(np.uint16)
    return codes
