"""Video frames as training images, and training images as frames for a codec."""

from dataclasses import replace

import numpy as np

from vidsr.color import SMPTE170M, ColorSpec, rgb_to_yuv
from vidsr.data.photos import BAND, Image
from vidsr.frames import Frame
from vidsr.video.convert.pixel_formats import pixel_format_name
from vidsr.video.convert.resizer import Resizer

COLOR = ColorSpec(SMPTE170M, full_range=False)
"""Of the frames sent through a codec: limited-range BT.601, 4:2:0, as small videos have it."""
BLACK, WHITE = 16, 235  # limited-range luma


def frame_to_image(frame: Frame, channels: int, resizer: Resizer) -> Image:
    """Convert a frame to (height, width, channels) uint8 without a last odd line and column.

    channels: 1 for luma, 3 for RGB.
    """
    image = frame_to_rgb(frame, resizer) if channels == 3 else _limited_luma(frame)[..., None]
    return np.ascontiguousarray(image[: frame.height // 2 * 2, : frame.width // 2 * 2])


def frame_to_rgb(frame: Frame, resizer: Resizer) -> Image:
    """Convert a frame by its matrix and range, with interpolated chroma: (height, width, 3) uint8."""
    if frame.color.subsampling != (0, 0) and len(frame.planes) > 1:
        frame = resizer.convert(frame, frame.width, frame.height, pixel_format_name(frame.bits, (0, 0), gray=False))
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    for top in range(0, frame.height, BAND):
        band = replace(frame, planes=tuple(plane[top : top + BAND] for plane in frame.planes), av_frame=None)
        rgb[top : top + BAND] = np.rint(band.to_rgb() * 255)
    return rgb


def image_to_frame(image: Image, resizer: Resizer) -> Frame:
    """Convert an image to an 8-bit 4:2:0 frame of COLOR.

    image: (height, width) limited-range luma, which gets neutral chroma, or (height, width, 3) RGB; even sides.
    """
    height, width = image.shape[:2]
    if image.ndim == 2:
        gray = np.full((height // 2, width // 2), 128, np.uint8)
        return Frame((image, gray, gray), COLOR)
    offsets, spans = np.array([[16, 128, 128], [219, 224, 224]], np.float32)
    to_codes = (rgb_to_yuv(COLOR.matrix) / 255).astype(np.float32).T * spans
    codes = np.empty((3, height, width), np.uint8)
    for top in range(0, height, BAND):
        band = np.rint(image[top : top + BAND].astype(np.float32) @ to_codes + offsets)
        codes[:, top : top + BAND] = band.transpose(2, 0, 1)  # (3, lines, width)
    full = Frame((codes[0], codes[1], codes[2]), replace(COLOR, subsampling=(0, 0)))
    return resizer.convert(full, width, height, "yuv420p")


def _limited_luma(frame: Frame) -> Image:
    """Return luma as 8-bit codes of limited range, rounded, so that a code means the same in every source."""
    codes = np.arange(1 << frame.bits)
    levels = 16 + codes * 219 / codes[-1] if frame.color.full_range else codes / (1 << (frame.bits - 8))
    table = np.rint(levels).clip(0, 255).astype(np.uint8)
    return table.take(frame.planes[0], mode="clip")


def displayable(image: Image) -> Image:
    """Convert limited-range luma (height, width[, 1]) to full-range gray (height, width); return RGB as it is."""
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    luma = image.reshape(image.shape[:2]).astype(np.float32)
    return np.asarray(np.rint((luma - BLACK) * (255 / (WHITE - BLACK))).clip(0, 255), np.uint8)
