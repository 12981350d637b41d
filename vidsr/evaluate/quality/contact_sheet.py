"""A contact sheet: one crop of every image, the original, bicubic and the models side by side."""

from collections.abc import Sequence
from io import BytesIO
from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.evaluate.quality.crop_choice import Comparison, Crop

SIGNATURE = "vidsr evaluate"  # near the start of every report, so that one is recognised before it is replaced
ZOOM = 3  # each pixel is shown as a square of this side
GAP, LINE = 12, 20  # pixels between crops; height of a line of text
BACKGROUND, TEXT, MUTED = (250, 250, 250), (25, 25, 25), (105, 105, 105)


def draw_sheet(comparisons: Sequence[Comparison]) -> bytes:
    """Return a PNG with one row for each comparison; crops are upscaled by repeating pixels, so nothing is blurred.

    Equal comparisons give equal bytes. Raises ValueError without comparisons.
    """
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    if not comparisons:
        raise ValueError("a contact sheet needs at least one comparison")
    rows = [[_zoomed(crop.rgb) for crop in one.crops] for one in comparisons]
    heights = [2 * LINE + max(len(tile) for tile in row) + LINE + GAP for row in rows]
    width = max(sum(tile.shape[1] + GAP for tile in row) for row in rows) + GAP
    sheet = Image.new("RGB", (max(width, 480), sum(heights) + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for one, row, height in zip(comparisons, rows, heights, strict=True):
        _write(draw, (GAP, top), one.title, TEXT)
        _write(draw, (GAP, top + LINE), one.place, MUTED)
        left = GAP
        for crop, tile in zip(one.crops, row, strict=True):
            sheet.paste(Image.fromarray(tile), (left, top + 2 * LINE))
            _write(draw, (left, top + 2 * LINE + len(tile) + 3), caption(crop), TEXT)
            left += tile.shape[1] + GAP
        top += height
    info = PngInfo()
    info.add_text("Software", SIGNATURE)
    file = BytesIO()
    sheet.save(file, "png", pnginfo=info, optimize=True)
    return file.getvalue()


def caption(crop: Crop) -> str:
    """Return `live-x2 31.24 dB`, or the name alone for the original."""
    return crop.method if isinf(crop.psnr) else f"{crop.method} {crop.psnr:.2f} dB"


def _zoomed(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rgb.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def _write(draw: Any, place: tuple[int, int], text: str, color: tuple[int, int, int]) -> None:
    from PIL import ImageFont

    draw.text(place, text, fill=color, font=ImageFont.load_default(14))
