"""Films' planes as training pictures, and training pictures as planes for a codec."""

from dataclasses import replace

import numpy as np

from vidsr.color import SMPTE170M, ColorSpec, rgb_to_yuv
from vidsr.data.photos import Picture
from vidsr.frames import Frame
from vidsr.video.convert.pixel_formats import layout_name
from vidsr.video.convert.resizer import Resizer

COLOR = ColorSpec(SMPTE170M, full_range=False)
"""Of what is sent through a codec: BT.601 of limited range, 4:2:0, as small films are."""
BAND = 128  # lines converted at a time: in float a whole picture takes 12 times its room, and more


def luma_of(frame: Frame) -> Picture:
    """A frame's luma at 8 bits of limited range, rounded: (height, width) uint8.

    Full-range luma is brought to 16..235, so that a level means the same in every source.
    """
    codes = np.arange(1 << frame.bits)
    levels = 16 + codes * 219 / codes[-1] if frame.color.full_range else codes / (1 << (frame.bits - 8))
    table = np.rint(levels).clip(0, 255).astype(np.uint8)
    return table.take(frame.planes[0], mode="clip")


def rgb_of(frame: Frame, resizer: Resizer) -> Picture:
    """A frame as RGB by its own matrix and range, chroma interpolated from where it sits: (height, width, 3) uint8."""
    if frame.color.subsampling != (0, 0) and len(frame.planes) > 1:
        frame = resizer.convert(frame, frame.width, frame.height, layout_name(frame.bits, (0, 0), gray=False))
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    for top in range(0, frame.height, BAND):
        band = replace(frame, planes=tuple(plane[top : top + BAND] for plane in frame.planes), av_frame=None)
        rgb[top : top + BAND] = np.rint(band.to_rgb() * 255)
    return rgb


def frame_of(picture: Picture, resizer: Resizer) -> Frame:
    """A picture as a codec takes it, 8-bit 4:2:0 of COLOR; luma of (height, width) gets neutral chroma.

    picture: (height, width) luma of limited range or (height, width, 3) RGB, sides even.
    """
    height, width = picture.shape[:2]
    if picture.ndim == 2:
        grey = np.full((height // 2, width // 2), 128, np.uint8)
        return Frame((picture, grey, grey), COLOR)
    zeros, spans = np.array([[16, 128, 128], [219, 224, 224]], np.float32)
    to_codes = (rgb_to_yuv(COLOR.matrix) / 255).astype(np.float32).T * spans
    codes = np.empty((3, height, width), np.uint8)
    for top in range(0, height, BAND):
        band = np.rint(picture[top : top + BAND].astype(np.float32) @ to_codes + zeros)
        codes[:, top : top + BAND] = band.transpose(2, 0, 1)  # (3, lines, width)
    whole = Frame((codes[0], codes[1], codes[2]), replace(COLOR, subsampling=(0, 0)))
    return resizer.convert(whole, width, height, "yuv420p")
