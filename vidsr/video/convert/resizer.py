"""Frames as FFmpeg's pictures, and Frames resized."""

from dataclasses import replace
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from vidsr.color import ColorSpec
from vidsr.frames import Frame, Plane
from vidsr.video.convert.pixel_formats import LAYOUTS, is_transparent, layout_name, planes_of
from vidsr.video.convert.scale import FULL, LIMITED, blank, recolor, scale

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos"]

KERNELS: dict[str, str] = {"nearest": "POINT", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS"}


class Resizer:
    """One swscale context. Not for two threads at once."""

    def __init__(self, kernel: Kernel = "bicubic", *, threads: int = 0, accurate: bool = False) -> None:
        """accurate: round as well as swscale can (its flags accurate_rnd and full_chroma_int), for measuring."""
        flags = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        self._kernel: Any = Interpolation[KERNELS[kernel]] | flags if accurate else KERNELS[kernel]
        self._alpha_kernel: Any = "POINT" if kernel == "nearest" else "LANCZOS"
        # swscale's threads (FFmpeg 8.1) overwrite the first pixels of one another's lines in "nearest" at 10 bits.
        self._threads = 1 if kernel == "nearest" else threads
        self._scaler, self._alpha_scaler = VideoReformatter(), VideoReformatter()

    def resize(self, frame: Frame, width: int, height: int) -> Frame:
        """Scale every plane, chroma by its siting; alpha by Lanczos, but "nearest" repeats it too.

        The result owns fresh planes that may be written to (its carrier is the picture they are in), and keeps pts,
        duration, colour, quantiser and side data.
        """
        whole = _evened(frame)
        if whole is not frame and width % frame.width == 0 and height % frame.height == 0:
            # The last chroma sample of an odd side reaches beyond it; swscale would squeeze all of them to fit.
            across, down = width // frame.width, height // frame.height
            larger = self.convert(whole, whole.width * across, whole.height * down, pixel_format_of(frame))
            return cropped(larger, width, height)
        return self.convert(frame, width, height, pixel_format_of(frame))

    def convert(self, frame: Frame, width: int, height: int, pixel_format: str) -> Frame:
        """As `resize`, to a given depth and subsampling; `pixel_format` is one of LAYOUTS."""
        bits, subsampling, gray = LAYOUTS[pixel_format]
        if frame.alpha is not None:
            alpha = self._resize_alpha(frame, frame.alpha, width, height, bits)
            return replace(self.convert(replace(frame, alpha=None), width, height, pixel_format), alpha=alpha)
        if gray != (len(frame.planes) == 1):
            return self._across_gray(frame, width, height, pixel_format)
        source = to_av_frame(frame)
        picture = scale(
            self._scaler, source, width, height, pixel_format, self._kernel, frame.color.full_range, self._threads
        )
        if picture is source:  # nothing to do; but what is given out may be written to
            picture = blank(source, width, height, pixel_format)
            for target, plane in zip(planes_of(picture), planes_of(source), strict=True):
                np.copyto(target, plane)
        color = replace(frame.color, subsampling=subsampling)
        return replace(frame, planes=planes_of(picture), color=color, bits=bits, av_frame=picture)

    def fit(self, frame: Frame, width: int, height: int, pixel_format: str, color: ColorSpec) -> Frame:
        """The frame itself where it is of that size, layout and colour already, else converted to them."""
        if (frame.color.matrix, frame.color.full_range) != (color.matrix, color.full_range):
            frame = self._recolor(frame, color)
        if (frame.width, frame.height, pixel_format_of(frame)) != (width, height, pixel_format):
            frame = self.convert(frame, width, height, pixel_format)
        return frame

    def arrange(self, picture: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        """The same samples in another order, as some encoders want them (nv12, p010le)."""
        return self._scaler.reformat(picture, format=pixel_format)

    def _across_gray(self, frame: Frame, width: int, height: int, pixel_format: str) -> Frame:
        # By hand: swscale takes all gray for full range, and would stretch or squeeze it.
        bits, subsampling, gray = LAYOUTS[pixel_format]
        luma = replace(frame, planes=frame.planes[:1], color=replace(frame.color, subsampling=(0, 0)))
        luma = self.convert(luma, width, height, layout_name(bits, (0, 0), gray=True))
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
        layout = layout_name(bits, (0, 0), gray=True)
        kernel, threads = self._alpha_kernel, self._threads
        scaled = scale(self._alpha_scaler, source, width, height, layout, kernel, full_range=True, threads=threads)
        return planes_of(scaled)[0]

    def _recolor(self, frame: Frame, color: ColorSpec) -> Frame:
        # A film that changes its matrix or range on the way is brought back to what it began with.
        source, target = (frame.color.matrix, frame.color.full_range), (color.matrix, color.full_range)
        picture = recolor(self._scaler, to_av_frame(frame), self._kernel, source=source, target=target)
        spec = replace(frame.color, matrix=color.matrix, full_range=color.full_range)
        return replace(frame, planes=planes_of(picture), color=spec, av_frame=picture)


def cropped(frame: Frame, width: int, height: int) -> Frame:
    """The upper left part of a frame; its planes are views."""
    across, down = frame.color.subsampling
    first, *others = frame.planes
    chroma = [plane[: (height + down) >> down, : (width + across) >> across] for plane in others]
    alpha = None if frame.alpha is None else frame.alpha[:height, :width]
    return replace(frame, planes=(first[:height, :width], *chroma), alpha=alpha)


def _evened(frame: Frame) -> Frame:
    """A frame with the lines and columns that its chroma reaches over; the same one where there are no more."""
    across, down = frame.color.subsampling if len(frame.planes) > 1 else (0, 0)
    more = (0, frame.height & down), (0, frame.width & across)
    if more == ((0, 0), (0, 0)):
        return frame

    def padded(plane: Plane) -> Any:
        return np.pad(plane, more, mode="edge")

    alpha = None if frame.alpha is None else padded(frame.alpha)
    return replace(frame, planes=(padded(frame.planes[0]), *frame.planes[1:]), alpha=alpha)


def to_av_frame(frame: Frame, pixel_format: str | None = None) -> av.VideoFrame:
    """Give a frame as FFmpeg's picture, of its own layout: its carrier where the planes lie in it, else a copy.

    pixel_format: must be of the frame's depth and subsampling; alpha goes into one that has it, filled up where the
    frame has none. Pts and duration are set.
    """
    pixel_format = pixel_format or pixel_format_of(frame)
    picture: av.VideoFrame = frame.av_frame
    planes: tuple[Any, ...] = frame.planes
    if is_transparent(pixel_format):
        planes = (*planes, np.uint16((1 << frame.bits) - 1) if frame.alpha is None else frame.alpha)
    if not _holds(picture, planes, pixel_format):
        picture = blank(picture, frame.width, frame.height, pixel_format, frame.color.chroma_location)
        for target, plane in zip(planes_of(picture), planes, strict=True):
            np.copyto(target, plane, casting="unsafe")
    tell(picture, frame)
    return picture


def tell(picture: av.VideoFrame, frame: Frame) -> None:
    """Tell FFmpeg's picture the colours and times of the frame whose samples it has."""
    picture.color_range = FULL if frame.color.full_range else LIMITED
    picture.colorspace = frame.color.matrix
    picture.color_primaries, picture.color_trc = frame.color.primaries, frame.color.transfer
    picture.pts, picture.duration, picture.time_base = frame.pts, frame.duration_ticks, frame.time_base


def pixel_format_of(frame: Frame) -> str:
    """FFmpeg's name for the layout of a frame's planes."""
    return layout_name(frame.bits, frame.color.subsampling, gray=len(frame.planes) == 1)


def _holds(picture: Any, planes: tuple[Any, ...], pixel_format: str) -> bool:
    if not isinstance(picture, av.VideoFrame) or picture.format.name != pixel_format:
        return False
    return all(
        plane.shape == held.shape and plane.ctypes.data == held.ctypes.data
        for plane, held in zip(planes, planes_of(picture), strict=True)
    )
