"""BD-rates, crossovers and savings of two curves, against values computed by hand."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsr.errors import ExtraMissing
from vidsr.evaluate.bandwidth.rd_curves import Point, RdCurve, bd_rate, bits_saved, crossover, metrics_of, rate_at


def curve(*points, name="a", scale=1):
    """A curve of (kbit/s, quality) pairs; all measures are the same."""
    return RdCurve(name, scale, None, tuple(Point(20, kbit, quality, quality, quality) for kbit, quality in points))


def times(factor, some):
    return curve(*((point.kbit * factor, point.psnr) for point in some.points))


RISING = curve((100, 30), (200, 34), (400, 37), (800, 39), (1600, 40))


@st.composite
def curves(draw):
    count = draw(st.integers(5, 9))
    steps = st.lists(st.floats(0.2, 1.5), min_size=count, max_size=count)
    rates, quality = 100 * np.exp(np.cumsum(draw(steps))), 25 + np.cumsum(draw(steps))
    return curve(*zip(rates.tolist(), quality.tolist(), strict=True))


@settings(deadline=None)  # the first call imports the package
@given(curves())
def test_a_curve_takes_as_many_bits_as_itself(some):
    percent, reason = bd_rate(some, some, "vmaf")
    assert percent == pytest.approx(0, abs=1e-6) and reason == ""


@settings(deadline=None)  # the first call imports the package
@given(curves(), st.floats(0.3, 3))
def test_the_same_quality_at_a_fraction_of_the_bits_is_that_fraction(some, factor):
    percent, _ = bd_rate(some, times(factor, some), "vmaf_neg")
    assert percent == pytest.approx(100 * (factor - 1), abs=1e-4)


def test_nine_tenths_of_the_bits_are_ten_percent_fewer():
    assert bd_rate(RISING, times(0.9, RISING), "psnr")[0] == pytest.approx(-10)


def test_points_may_come_in_any_order():
    swapped = RdCurve("b", 1, None, tuple(reversed(times(0.9, RISING).points)))
    assert bd_rate(RISING, swapped, "psnr")[0] == pytest.approx(-10)


def test_no_bd_rate_is_computed_over_a_small_overlap():
    higher = curve((1000, 39.5), (2000, 41), (4000, 43), (8000, 45))
    assert bd_rate(RISING, higher, "psnr") == (None, "no overlap")
    apart = curve((1000, 50), (2000, 51), (4000, 53), (8000, 55))
    assert bd_rate(RISING, apart, "psnr") == (None, "no overlap")


def test_an_overlap_of_a_fifth_of_the_smaller_range_is_enough():
    low = curve((50, 29), (60, 30), (80, 31), (100, 32))  # 3 wide, of which 30 to 32 is shared
    assert bd_rate(RISING, low, "psnr")[0] < 0


def test_curves_that_fall_or_are_too_short_have_no_bd_rate():
    dented = curve((100, 30), (200, 34), (400, 33.9), (800, 39))
    assert bd_rate(RISING, dented, "psnr") == (None, "quality does not rise with the bit rate")
    assert bd_rate(dented, RISING, "psnr") == (None, "quality does not rise with the bit rate")
    assert bd_rate(RISING, curve((100, 30), (200, 34), (400, 37)), "psnr") == (None, "fewer than four points")


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'vidsr\[evaluate\]'"):
        bd_rate(RISING, RISING, "psnr")


def test_curves_cross_where_the_log_rate_says():
    native, small = curve((100, 30), (400, 40)), curve((100, 33), (400, 37))
    found = crossover(native, small, "psnr")
    assert found.kind == "below"
    assert found.kbit == pytest.approx(200)  # half of the way, in the log
    assert found.quality == pytest.approx(35)
    assert found.measured == (100, 400)
    swapped = crossover(small, native, "psnr")
    assert swapped.kind == "above" and swapped.kbit == pytest.approx(200)


def test_only_rates_that_both_were_measured_at_count():
    native = curve((200, 30), (800, 40))
    assert crossover(native, curve((100, 31), (400, 36)), "psnr").kind == "always"
    assert crossover(native, curve((100, 31), (400, 36)), "psnr").measured == (200, 400)
    assert crossover(native, curve((100, 20), (400, 34)), "psnr").kind == "never"
    assert crossover(native, curve((50, 20), (150, 34)), "psnr").kind == "apart"


def test_of_several_crossings_the_highest_below_which_small_wins_counts():
    native = curve((100, 30), (200, 32), (400, 34), (800, 36))
    small = curve((100, 31), (200, 31), (400, 35), (800, 35))
    assert 400 < crossover(native, small, "psnr").kbit < 800


@settings(deadline=None)  # the first call imports the package
@given(curves(), st.floats(0.01, 0.99))
def test_the_rate_at_a_quality_lies_on_the_curve(some, part):
    rates, quality = some.values("vmaf_neg")
    wanted = quality[0] + part * (quality[-1] - quality[0])
    found = rate_at(some, "vmaf_neg", wanted)
    assert np.interp(math.log(found), np.log(rates), quality) == pytest.approx(wanted)


def test_bits_saved_are_percent_of_the_native_bits():
    native = curve((1000, 70), (4000, 90))
    small = curve((500, 70), (1000, 80))
    assert bits_saved(native, small, "vmaf_neg", 80) == pytest.approx(50)  # 1000 instead of 2000
    assert bits_saved(native, small, "vmaf_neg", 70) == pytest.approx(50)
    assert bits_saved(native, small, "vmaf_neg", 85) is None
    assert bits_saved(small, native, "vmaf_neg", 65) is None


def test_a_measure_that_a_point_lacks_is_left_out():
    lacking = RdCurve("b", 2, "lanczos", (Point(20, 100, 30, None, None),))
    assert metrics_of([RISING]) == ["psnr", "vmaf", "vmaf_neg"]
    assert metrics_of([RISING, lacking]) == ["psnr"]
