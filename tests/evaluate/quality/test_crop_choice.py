import numpy as np
import pytest

from tests.evaluate.quality.test_images import picture
from vidsr.evaluate.quality.crop_choice import MARKED, SIDE, Telling
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.views import View, view_of_rgb


def changed(view: View, top: int, left: int, by: int) -> View:
    """The same with a square of 20 pixels a little brighter."""
    rgb = view.rgb().astype(int)
    rgb[top : top + 20, left : left + 20] += by
    return view_of_rgb(rgb.clip(0, 255).astype(np.uint8))


def test_the_part_is_where_the_models_are_farthest_from_bicubic():
    truth = view_of_rgb(picture(200, 300))
    telling = Telling("film x2", border=2)
    telling.add("frame 1", truth, {BICUBIC: truth, LANCZOS: changed(truth, 0, 0, 90), "net": truth})
    telling.add("frame 2", truth, {BICUBIC: truth, LANCZOS: truth, "net": changed(truth, 150, 220, 30)})
    telling.add("frame 3", truth, {BICUBIC: truth, LANCZOS: truth, "net": changed(truth, 20, 20, 10)})
    found = telling.comparison()
    assert found.title == "film x2"
    name, place = found.place.split(", ")
    line, column = (int(word) - 2 for word in place.split() if word.isdigit())
    assert name == "frame 2" and line <= 150 <= line + SIDE - 20 and column <= 220 <= column + SIDE - 20
    assert [crop.method for crop in found.crops] == ["truth", BICUBIC, "net"]
    assert all(crop.rgb.shape == (SIDE, SIDE, 3) and crop.rgb.dtype == np.uint8 for crop in found.crops)
    assert found.crops[0].psnr == np.inf == found.crops[1].psnr
    assert 20 < found.crops[2].psnr < 45


def test_without_models_it_is_where_bicubic_is_farthest_from_the_truth():
    truth = view_of_rgb(picture(200, 300))
    telling = Telling("x")
    telling.add("a", truth, {BICUBIC: changed(truth, 100, 10, 40), LANCZOS: changed(truth, 0, 250, 90)})
    found = telling.comparison()
    assert found.crops[1].psnr < 40


def test_a_picture_smaller_than_the_part_is_shown_whole():
    truth = view_of_rgb(picture(40, 300))
    telling = Telling("x")
    telling.add("a", truth, {BICUBIC: changed(truth, 0, 200, 40)})
    assert telling.comparison().crops[0].rgb.shape == (40, SIDE, 3)


def test_the_overview_is_small_and_marks_the_part():
    truth = view_of_rgb(np.full((400, 600, 3), 90, np.uint8))
    telling = Telling("x")
    telling.add("a", truth, {BICUBIC: changed(truth, 300, 500, 40)})
    overview = telling.comparison().overview
    assert overview.shape == (2 * SIDE, 3 * SIDE, 3)
    assert np.argwhere((overview == MARKED).all(axis=2)).min(axis=0).tolist() > [80, 160]


def test_nothing_shown_is_nothing_to_compare():
    with pytest.raises(ValueError, match="no picture was shown"):
        Telling("x").comparison()
