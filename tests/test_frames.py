import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidsr.color import BT709, BT2020, LUMA_WEIGHTS, SMPTE170M, ColorSpec, rgb_to_yuv
from vidsr.frames import Frame


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_every_8_bit_colour_survives_the_way_through_a_frame(red, green, blue):
    rgb = np.full((2, 3, 3), (red, green, blue), np.uint8)
    back = np.rint(Frame.from_rgb(rgb).to_rgb() * 255)
    assert np.abs(back - rgb).max() <= 1


def test_floats_and_bytes_make_the_same_frame():
    rgb = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    for a, b in zip(Frame.from_rgb(rgb).planes, Frame.from_rgb(rgb / 255).planes, strict=True):
        assert np.array_equal(a, b)


def test_a_picture_that_is_not_rgb_is_refused():
    with pytest.raises(ValueError, match=r"\(height, width, 3\); got \(4, 6\)"):
        Frame.from_rgb(np.zeros((4, 6), np.uint8))


@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_white_has_full_luma_and_no_chroma(matrix):
    assert rgb_to_yuv(matrix) @ np.ones(3) == pytest.approx([1, 0, 0])
    assert np.abs(rgb_to_yuv(matrix)).max(axis=1) == pytest.approx([np.abs(rgb_to_yuv(matrix)[0]).max(), 0.5, 0.5])


@pytest.mark.parametrize(("bits", "red"), [(8, (63, 102, 240)), (10, (250, 409, 960))])
def test_limited_range_red_of_bt709_is_red(bits, red):
    kind = np.uint8 if bits == 8 else np.uint16
    sizes = ((4, 4), (2, 2), (2, 2))
    planes = tuple(np.full(size, code, kind) for size, code in zip(sizes, red, strict=True))
    rgb = Frame(planes, ColorSpec(BT709, full_range=False), bits).to_rgb()
    assert rgb.shape == (4, 4, 3)
    assert rgb[0, 0] == pytest.approx([1, 0, 0], abs=0.01)


def test_chroma_of_an_odd_picture_is_cut_to_its_size():
    planes = tuple(np.full(size, 128, np.uint8) for size in ((5, 3), (3, 2), (3, 2)))
    assert Frame(planes, ColorSpec(BT2020, full_range=True)).to_rgb().shape == (5, 3, 3)


def test_gray_is_gray_in_rgb():
    rgb = Frame((np.array([[16, 235]], np.uint8),), ColorSpec(SMPTE170M, full_range=False)).to_rgb()
    assert rgb[0, 0] == pytest.approx([0, 0, 0])
    assert rgb[0, 1] == pytest.approx([1, 1, 1])


def test_a_frame_at_another_time_is_the_same_picture():
    frame = Frame.from_rgb(np.zeros((2, 2, 3), np.uint8), pts=3, duration_ticks=2)
    assert (frame.at(7).pts, frame.at(7).duration_ticks, frame.at(7, 5).duration_ticks) == (7, 2, 5)
    assert frame.at(7).planes is frame.planes
    assert "pts 3" in repr(frame)


def test_time_and_duration_are_seconds():
    frame = Frame.from_rgb(np.zeros((2, 2, 3), np.uint8), pts=50, duration_ticks=2)
    assert (frame.time, frame.duration) == (2.0, 0.08)
