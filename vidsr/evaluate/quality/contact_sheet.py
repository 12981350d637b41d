"""A contact sheet: the telling part of every picture, truth, bicubic and models side by side."""

from collections.abc import Sequence
from io import BytesIO
from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.evaluate.quality.crop_choice import Comparison, Crop

MARK = "vidsr evaluate"  # at the head of every report, so that it is known for one
ZOOM = 3  # each pixel becomes a square this wide, so that pixels can be seen
GAP, LINE = 12, 20  # pixels between tiles; height of a line of text
PAPER, INK, SOFT = (250, 250, 250), (25, 25, 25), (105, 105, 105)


def draw_sheet(comparisons: Sequence[Comparison]) -> bytes:
    """Draw one row a comparison, as a PNG; crops are enlarged by repeating pixels, none is blurred.

    The same comparisons give the same bytes. Raises ValueError where there are none.
    """
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    if not comparisons:
        raise ValueError("a sheet needs at least one comparison")
    rows = [[_zoomed(crop.rgb) for crop in one.crops] for one in comparisons]
    heights = [2 * LINE + max(len(tile) for tile in row) + LINE + GAP for row in rows]
    width = max(sum(tile.shape[1] + GAP for tile in row) for row in rows) + GAP
    sheet = Image.new("RGB", (max(width, 480), sum(heights) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for one, row, height in zip(comparisons, rows, heights, strict=True):
        _write(pen, (GAP, top), one.title, INK)
        _write(pen, (GAP, top + LINE), one.place, SOFT)
        left = GAP
        for crop, tile in zip(one.crops, row, strict=True):
            sheet.paste(Image.fromarray(tile), (left, top + 2 * LINE))
            _write(pen, (left, top + 2 * LINE + len(tile) + 3), label(crop), INK)
            left += tile.shape[1] + GAP
        top += height
    info = PngInfo()
    info.add_text("Software", MARK)
    file = BytesIO()
    sheet.save(file, "png", pnginfo=info, optimize=True)
    return file.getvalue()


def label(crop: Crop) -> str:
    """`live-x2 31.24 dB`; the truth's name alone."""
    return crop.method if isinf(crop.psnr) else f"{crop.method} {crop.psnr:.2f} dB"


def _zoomed(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rgb.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def _write(pen: Any, place: tuple[int, int], text: str, colour: tuple[int, int, int]) -> None:
    from PIL import ImageFont

    pen.text(place, text, fill=colour, font=ImageFont.load_default(14))
