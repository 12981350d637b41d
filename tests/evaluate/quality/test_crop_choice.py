import numpy as np
import pytest

from tests.evaluate.quality.test_images import picture
from vidsr.evaluate.quality.crop_choice import MARK_COLOR, SIDE, CropFinder
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.views import View, view_of_rgb


def changed(view: View, top: int, left: int, by: int) -> View:
    """The same with a square of 20 pixels a little brighter."""
    rgb = view.rgb().astype(int)
    rgb[top : top + 20, left : left + 20] += by
    return view_of_rgb(rgb.clip(0, 255).astype(np.uint8))


def test_the_crop_is_where_the_models_are_farthest_from_bicubic():
    truth = view_of_rgb(picture(200, 300))
    finder = CropFinder("clip x2", border=2)
    finder.add("frame 1", truth, {BICUBIC: truth, LANCZOS: changed(truth, 0, 0, 90), "net": truth})
    finder.add("frame 2", truth, {BICUBIC: truth, LANCZOS: truth, "net": changed(truth, 150, 220, 30)})
    finder.add("frame 3", truth, {BICUBIC: truth, LANCZOS: truth, "net": changed(truth, 20, 20, 10)})
    found = finder.comparison()
    assert found.title == "clip x2"
    name, place = found.place.split(", ")
    line, column = (int(word) - 2 for word in place.split() if word.isdigit())
    assert name == "frame 2" and line <= 150 <= line + SIDE - 20 and column <= 220 <= column + SIDE - 20
    assert [crop.method for crop in found.crops] == ["truth", BICUBIC, "net"]
    assert all(crop.rgb.shape == (SIDE, SIDE, 3) and crop.rgb.dtype == np.uint8 for crop in found.crops)
    assert found.crops[0].psnr == np.inf == found.crops[1].psnr
    assert 20 < found.crops[2].psnr < 45


def test_without_models_the_crop_is_where_bicubic_is_farthest_from_the_truth():
    truth = view_of_rgb(picture(200, 300))
    finder = CropFinder("x")
    finder.add("a", truth, {BICUBIC: changed(truth, 100, 10, 40), LANCZOS: changed(truth, 0, 250, 90)})
    found = finder.comparison()
    assert found.crops[1].psnr < 40


def test_an_image_smaller_than_the_crop_is_shown_whole():
    truth = view_of_rgb(picture(40, 300))
    finder = CropFinder("x")
    finder.add("a", truth, {BICUBIC: changed(truth, 0, 200, 40)})
    assert finder.comparison().crops[0].rgb.shape == (40, SIDE, 3)


def test_the_overview_is_small_and_marks_the_crop():
    truth = view_of_rgb(np.full((400, 600, 3), 90, np.uint8))
    finder = CropFinder("x")
    finder.add("a", truth, {BICUBIC: changed(truth, 300, 500, 40)})
    overview = finder.comparison().overview
    assert overview.shape == (2 * SIDE, 3 * SIDE, 3)
    assert np.argwhere((overview == MARK_COLOR).all(axis=2)).min(axis=0).tolist() > [80, 160]


def test_a_comparison_needs_an_image():
    with pytest.raises(ValueError, match="no image was added"):
        CropFinder("x").comparison()
