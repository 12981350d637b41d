"""`resize` against Pillow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vidsr.resize import resize

PILLOW = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = st.integers(1, 40)


@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize("size", [(12, 18), (24, 30), (96, 144), (37, 101)])
def test_colour_images_are_resized_as_pillow_resizes_8_bits(kernel, size):
    # Between its two passes Pillow rounds to 8 bits and clips; medium levels avoid the clipping.
    picture = np.random.default_rng(1).integers(80, 176, (48, 72, 3)).astype(np.uint8)
    height, width = size
    theirs = np.asarray(Image.fromarray(picture).resize((width, height), PILLOW[kernel]))
    ours = resize(picture, height, width, kernel=kernel)
    assert ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from(sorted(PILLOW)))
def test_float_planes_are_resized_as_by_pillow_at_any_size(height, width, new_height, new_width, kernel):
    plane = np.random.default_rng(height * 41 + width).random((height, width), np.float32)
    theirs = np.asarray(Image.fromarray(plane).resize((new_width, new_height), PILLOW[kernel]))
    np.testing.assert_allclose(resize(plane, new_height, new_width, kernel=kernel), theirs, atol=2e-5)


@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from(sorted(PILLOW)))
def test_a_flat_image_stays_flat(height, width, new_height, new_width, kernel):
    flat = np.full((height, width), 0.25)
    np.testing.assert_allclose(resize(flat, new_height, new_width, kernel=kernel), 0.25)


def test_the_middle_of_two_pixels_gets_the_bicubic_weights_of_a_half():
    line = np.array([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    shrunk = resize(line, 1, 7 * 2)  # each pixel becomes two, a quarter to either side
    quarter = ((1.5 * 0.25 - 2.5) * 0.25**2) + 1
    assert shrunk[0, 6:8] == pytest.approx([quarter, quarter])


def test_the_same_size_gives_an_equal_copy():
    plane = np.arange(12, dtype=np.uint8).reshape(3, 4)
    same = resize(plane, 3, 4)
    assert np.array_equal(same, plane) and not np.shares_memory(same, plane)


def test_overshoot_is_clipped_for_integers_and_kept_for_floats():
    edge = np.repeat([[0, 255]], 8, axis=0).repeat(8, axis=1).astype(np.uint8)
    assert resize(edge, 8, 32).max() == 255
    assert resize(edge.astype(np.float32), 8, 32).max() > 255


def test_an_unknown_kernel_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="kernels area, bilinear, bicubic, lanczos; got 'spline'"):
        resize(np.zeros((4, 4)), 2, 2, kernel="spline")


def test_an_empty_size_is_refused():
    with pytest.raises(ValueError, match="to 0x4"):
        resize(np.zeros((4, 4)), 0, 4)
