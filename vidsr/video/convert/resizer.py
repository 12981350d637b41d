"""Frames resized by swscale, and Frames as av.VideoFrame."""

from dataclasses import replace
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from vidsr.color import ColorSpec
from vidsr.frames import Frame, Plane
from vidsr.video.convert.pixel_formats import DEEP_FORMATS, PIXEL_FORMATS, is_transparent, pixel_format_name, planes_of
from vidsr.video.convert.scale import FULL, LIMITED, blank, recolor, scale

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos"]

KERNELS: dict[str, str] = {"nearest": "POINT", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS"}


_KNOWN = PIXEL_FORMATS | DEEP_FORMATS


class Resizer:
    """Resizes frames with one swscale context. Not thread-safe."""

    def __init__(self, kernel: Kernel = "bicubic", *, threads: int = 0, accurate: bool = False) -> None:
        """accurate: round as well as swscale can (flags accurate_rnd and full_chroma_int), for measurements."""
        flags = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        self._kernel: Any = Interpolation[KERNELS[kernel]] | flags if accurate else KERNELS[kernel]
        self._alpha_kernel: Any = "POINT" if kernel == "nearest" else "LANCZOS"
        # FFmpeg 8.1: with "nearest" at 10 bits, threads of swscale overwrite the first pixels of each other's lines.
        self._threads = 1 if kernel == "nearest" else threads
        self._scaler, self._alpha_scaler = VideoReformatter(), VideoReformatter()

    def resize(self, frame: Frame, width: int, height: int) -> Frame:
        """Scale every plane, chroma with regard to its location; alpha by Lanczos, or nearest if that is the kernel.

        The result has new, writable planes in a new `av_frame`; it keeps pts, duration, colour, QP and side data.
        """
        whole = _evened(frame)
        if whole is not frame and width % frame.width == 0 and height % frame.height == 0:
            # The last chroma sample of an odd side extends beyond the frame; swscale would move all of them instead.
            across, down = width // frame.width, height // frame.height
            upscaled = self.convert(whole, whole.width * across, whole.height * down, pixel_format_of(frame))
            return cropped(upscaled, width, height)
        return self.convert(frame, width, height, pixel_format_of(frame))

    def convert(self, frame: Frame, width: int, height: int, pixel_format: str) -> Frame:
        """Resize, and convert to `pixel_format`, one of PIXEL_FORMATS."""
        bits, subsampling, gray = _KNOWN[pixel_format]
        if frame.alpha is not None:
            alpha = self._resize_alpha(frame, frame.alpha, width, height, bits)
            return replace(self.convert(replace(frame, alpha=None), width, height, pixel_format), alpha=alpha)
        if gray != (len(frame.planes) == 1):
            return self._convert_gray(frame, width, height, pixel_format)
        source = to_av_frame(frame)
        av_frame = scale(
            self._scaler, source, width, height, pixel_format, self._kernel, frame.color.full_range, self._threads
        )
        if av_frame is source:  # nothing to do, but callers may write to the result
            av_frame = blank(source, width, height, pixel_format)
            for target, plane in zip(planes_of(av_frame), planes_of(source), strict=True):
                np.copyto(target, plane)
        color = replace(frame.color, subsampling=subsampling)
        return replace(frame, planes=planes_of(av_frame), color=color, bits=bits, av_frame=av_frame)

    def fit(self, frame: Frame, width: int, height: int, pixel_format: str, color: ColorSpec) -> Frame:
        """Convert to a size, pixel format and colour; return the frame itself if it has them."""
        if (frame.color.matrix, frame.color.full_range) != (color.matrix, color.full_range):
            frame = self._recolor(frame, color)
        if (frame.width, frame.height, pixel_format_of(frame)) != (width, height, pixel_format):
            frame = self.convert(frame, width, height, pixel_format)
        return frame

    def arrange(self, av_frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        """Return the same samples in the order that some encoders take (nv12, p010le)."""
        return self._scaler.reformat(av_frame, format=pixel_format)

    def _convert_gray(self, frame: Frame, width: int, height: int, pixel_format: str) -> Frame:
        # swscale assumes that gray has full range, and would convert the range.
        bits, subsampling, gray = _KNOWN[pixel_format]
        luma = replace(frame, planes=frame.planes[:1], color=replace(frame.color, subsampling=(0, 0)))
        luma = self.convert(luma, width, height, pixel_format_name(bits, (0, 0), gray=True))
        color = replace(frame.color, subsampling=subsampling)
        if gray:
            return replace(luma, color=color)
        across, down = subsampling
        shape = (-(-height >> down), -(-width >> across))
        neutral = np.full(shape, 1 << (bits - 1), luma.planes[0].dtype)
        return replace(luma, planes=(luma.planes[0], neutral, neutral), color=color)

    def _resize_alpha(self, frame: Frame, alpha: Plane, width: int, height: int, bits: int) -> Plane:
        plain = ColorSpec(frame.color.matrix, full_range=True, subsampling=(0, 0))
        source = to_av_frame(Frame((alpha,), plain, frame.bits))
        gray, kernel, threads = pixel_format_name(bits, (0, 0), gray=True), self._alpha_kernel, self._threads
        scaled = scale(self._alpha_scaler, source, width, height, gray, kernel, full_range=True, threads=threads)
        return planes_of(scaled)[0]

    def _recolor(self, frame: Frame, color: ColorSpec) -> Frame:
        source, target = (frame.color.matrix, frame.color.full_range), (color.matrix, color.full_range)
        av_frame = recolor(self._scaler, to_av_frame(frame), self._kernel, source=source, target=target)
        spec = replace(frame.color, matrix=color.matrix, full_range=color.full_range)
        return replace(frame, planes=planes_of(av_frame), color=spec, av_frame=av_frame)


def cropped(frame: Frame, width: int, height: int, *, left: int = 0, top: int = 0) -> Frame:
    """Return a part of a frame; its planes are views. left, top: multiples of the chroma subsampling."""
    across, down = frame.color.subsampling
    right, bottom = left + width, top + height
    first, *others = frame.planes
    chroma = [
        plane[top >> down : (bottom + down) >> down, left >> across : (right + across) >> across] for plane in others
    ]
    alpha = None if frame.alpha is None else frame.alpha[top:bottom, left:right]
    return replace(frame, planes=(first[top:bottom, left:right], *chroma), alpha=alpha)


def _evened(frame: Frame) -> Frame:
    # The frame padded to whole chroma samples; the frame itself if its sides are even.
    across, down = frame.color.subsampling if len(frame.planes) > 1 else (0, 0)
    more = (0, frame.height & down), (0, frame.width & across)
    if more == ((0, 0), (0, 0)):
        return frame

    def padded(plane: Plane) -> Any:
        return np.pad(plane, more, mode="edge")

    alpha = None if frame.alpha is None else padded(frame.alpha)
    return replace(frame, planes=(padded(frame.planes[0]), *frame.planes[1:]), alpha=alpha)


def to_av_frame(frame: Frame, pixel_format: str | None = None) -> av.VideoFrame:
    """Return a frame as av.VideoFrame: its `av_frame` if that holds the planes, else a copy.

    pixel_format: of the frame's depth and subsampling; one with alpha is filled with opaque alpha if the frame has
    none. None: the frame's own. Sets colour, pts and duration.
    """
    pixel_format = pixel_format or pixel_format_of(frame)
    av_frame: av.VideoFrame = frame.av_frame
    planes: tuple[Any, ...] = frame.planes
    if is_transparent(pixel_format):
        planes = (*planes, np.uint16((1 << frame.bits) - 1) if frame.alpha is None else frame.alpha)
    if not _holds(av_frame, planes, pixel_format):
        av_frame = blank(av_frame, frame.width, frame.height, pixel_format, frame.color.chroma_location)
        for target, plane in zip(planes_of(av_frame), planes, strict=True):
            np.copyto(target, plane, casting="unsafe")
    set_properties(av_frame, frame)
    return av_frame


def set_properties(av_frame: av.VideoFrame, frame: Frame) -> None:
    """Set the colour and times of a frame on the av.VideoFrame that has its samples."""
    av_frame.color_range = FULL if frame.color.full_range else LIMITED
    av_frame.colorspace = frame.color.matrix
    av_frame.color_primaries, av_frame.color_trc = frame.color.primaries, frame.color.transfer
    av_frame.pts, av_frame.duration, av_frame.time_base = frame.pts, frame.duration_ticks, frame.time_base


def pixel_format_of(frame: Frame) -> str:
    """Return the FFmpeg name of the pixel format of a frame's planes."""
    return pixel_format_name(frame.bits, frame.color.subsampling, gray=len(frame.planes) == 1)


def _holds(av_frame: av.VideoFrame | None, planes: tuple[Any, ...], pixel_format: str) -> bool:
    if not isinstance(av_frame, av.VideoFrame) or av_frame.format.name != pixel_format:
        return False
    return all(
        plane.shape == held.shape and plane.ctypes.data == held.ctypes.data
        for plane, held in zip(planes, planes_of(av_frame), strict=True)
    )
