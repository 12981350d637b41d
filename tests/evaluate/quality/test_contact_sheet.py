from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vidsr.evaluate.quality.contact_sheet import SIGNATURE, ZOOM, caption, draw_sheet
from vidsr.evaluate.quality.crop_choice import Comparison, Crop

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))


def comparison(side: int = 40) -> Comparison:
    pictures = [np.full((side, side, 3), colour, np.uint8) for colour in COLOURS]
    pictures[2][::2] = 0
    names = (("truth", np.inf), ("protocol bicubic", 30.0), ("net", 31.25))
    crops = tuple(Crop(name, rgb, psnr) for (name, psnr), rgb in zip(names, pictures, strict=True))
    return Comparison("clip x2", "frame 3", pictures[0], crops)


def test_every_comparison_has_a_row_of_crops_upscaled_by_repeating_pixels():
    sheet = np.asarray(Image.open(BytesIO(draw_sheet([comparison(), comparison()]))).convert("RGB"))
    for colour in COLOURS[:2]:
        found = (sheet == colour).all(axis=2)
        assert found.sum() == 2 * (40 * ZOOM) ** 2  # not one pixel is blurred
    striped = (sheet == COLOURS[2]).all(axis=2)
    assert striped.sum() == (40 * ZOOM) ** 2
    assert sheet[:20].min() < 100  # something is written at the top


def test_a_caption_has_the_name_and_the_decibels():
    assert [caption(crop) for crop in comparison().crops] == ["truth", "protocol bicubic 30.00 dB", "net 31.25 dB"]


def test_the_same_sheet_has_the_same_bytes_and_carries_the_signature():
    assert draw_sheet([comparison()]) == draw_sheet([comparison()])
    assert SIGNATURE.encode() in draw_sheet([comparison()])[:200]


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match="at least one comparison"):
        draw_sheet([])
