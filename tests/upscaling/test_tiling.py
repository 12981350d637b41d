"""Where a picture is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidsr.card import ModelCard
from vidsr.upscaling.tiling import Span, equal_tile, tile_size, tile_spans

REACHES = st.integers(0, 30)
STEPS = st.sampled_from([2, 4, 6, 8])


@given(length=st.integers(1, 4000), receptive_field=REACHES, more=st.integers(1, 400))
def test_spans_cover_the_side_once_and_no_cut_is_nearer_than_reach(
    length: int, receptive_field: int, more: int
) -> None:
    tile = 2 * receptive_field + more
    spans = tile_spans(length, tile, receptive_field)
    assert [pixel for span in spans for pixel in range(span.keep_from, span.keep_to)] == list(range(length))
    size = min(tile, length)  # one shape for all
    for span in spans:
        assert span.start >= 0 and span.start + size <= length
        assert span.keep_from == 0 or span.keep_from - span.start >= receptive_field
        assert span.keep_to == length or span.start + size - span.keep_to >= receptive_field


@given(length=st.integers(1, 4000), receptive_field=REACHES, more=st.integers(1, 400), step=STEPS)
def test_starts_and_cuts_are_multiples_of_a_step_where_the_sides_allow_it(
    length: int, receptive_field: int, more: int, step: int
) -> None:
    receptive_field *= step
    tile = 2 * receptive_field + step - 1 + more
    tile += (length - tile) % step
    for span in tile_spans(length, tile, receptive_field, step):
        assert span.start % step == 0
        assert span.keep_from % step == 0


@given(length=st.integers(1, 4000), receptive_field=REACHES, more=st.integers(0, 400), step=STEPS)
def test_equal_tiles_are_no_more_and_as_small_as_can_be(
    length: int, receptive_field: int, more: int, step: int
) -> None:
    receptive_field *= step
    most = 2 * (receptive_field + step) + more
    tile = equal_tile(length, most, receptive_field, step)
    assert tile <= most
    if length > most:
        count = len(tile_spans(length, most - (most - length) % step, receptive_field, step))
        assert (length - tile) % step == 0
        assert len(tile_spans(length, tile, receptive_field, step)) == count
        assert (
            tile - step < 2 * receptive_field + step
            or len(tile_spans(length, tile - step, receptive_field, step)) > count
        )


def test_last_tile_moves_back_instead_of_padding() -> None:
    assert tile_spans(100, 40, 4) == [Span(0, 0, 36), Span(32, 36, 64), Span(60, 64, 100)]


def test_a_side_no_longer_than_a_tile_is_one_span() -> None:
    assert tile_spans(30, 40, 4) == [Span(0, 0, 30)]


def test_a_tile_with_nothing_to_keep_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="supplies nothing"):
        tile_spans(100, 8, 4)


@pytest.mark.parametrize(
    ("height", "width", "on_cpu", "bands"),
    [(270, 480, True, 1), (540, 960, True, 1), (1080, 1920, True, 4), (2160, 3840, True, 16), (1080, 1920, False, 1)],
)
def test_bands_are_as_large_as_a_cpu_takes_quickest_and_no_larger_than_fits_a_gpu(
    height: int, width: int, on_cpu: bool, bands: int
) -> None:
    card = ModelCard("mine", 2, 1, 7)
    tall, across = tile_size(height, width, None, receptive_field=8, card=card, on_cpu=on_cpu)
    assert (across, len(tile_spans(height, tall, 8))) == (width, bands)


def test_a_band_of_a_network_that_looks_far_is_not_mostly_computed_twice() -> None:
    tall, _ = tile_size(2160, 3840, None, receptive_field=44, card=ModelCard("far", 4, 3, 40), on_cpu=True)
    assert tall > 8 * 44


def test_a_tile_that_was_asked_for_is_that_large_at_most() -> None:
    assert tile_size(100, 300, 64, receptive_field=4, card=ModelCard("mine", 2, 1, 3), on_cpu=True) == (54, 58)
