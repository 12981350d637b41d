"""Metrics against values computed by hand, and against scikit-image and torchmetrics where installed."""

import math

import numpy as np
import pytest

from vidsr.metrics import (
    flicker_variance,
    luma_of_rgb,
    ms_ssim,
    psnr,
    sharpness,
    ssim,
    strata,
    stratified_psnr,
)


def noisy_pair(shape: tuple[int, ...] = (40, 56)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 256, shape).astype(np.uint8)
    return clean, np.clip(clean + rng.normal(0, 12, shape), 0, 255).astype(np.uint8)


def test_psnr_of_an_error_of_five_levels_everywhere():
    a = np.full((4, 6), 100, np.uint8)
    assert psnr(a, a + 5) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr(a, a + 5, peak=219) == pytest.approx(20 * math.log10(219 / 5))


def test_psnr_averages_squares_over_the_picture():
    a = np.zeros((2, 2), np.uint8)
    b = np.array([[0, 10], [0, 0]], np.uint8)
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 25))


def test_equal_pictures_have_infinite_psnr_and_an_ssim_of_one():
    a, _ = noisy_pair()
    assert psnr(a, a) == math.inf
    assert ssim(a, a) == pytest.approx(1)


def test_the_border_does_not_count():
    a, _ = noisy_pair()
    framed = a.copy()
    framed[:3], framed[-3:], framed[:, :3], framed[:, -3:] = 0, 0, 0, 0
    assert psnr(a, framed, border=3) == math.inf
    assert psnr(a, framed, border=2) < 40


def test_ssim_of_two_flat_pictures_is_the_luminance_term_alone():
    a, b = np.full((11, 11), 100.0), np.full((11, 11), 110.0)
    stable = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 110 + stable) / (100**2 + 110**2 + stable))


def test_ssim_of_one_window_is_the_formula_with_gaussian_moments():
    a, b = (plane.astype(float) for plane in noisy_pair((11, 11)))
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    mean_a, mean_b = (window * a).sum(), (window * b).sum()
    var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
    shared = (window * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    assert ssim(a, b) == pytest.approx(expected)


def test_metrics_agree_with_scikit_image():
    reference = pytest.importorskip("skimage.metrics")
    a, b = noisy_pair()
    assert psnr(a, b) == pytest.approx(reference.peak_signal_noise_ratio(a, b), abs=0.01)
    theirs = reference.structural_similarity(
        a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(a, b) == pytest.approx(theirs, abs=0.0005)


def test_the_border_is_cut_off_before_scikit_image_is_asked():
    reference = pytest.importorskip("skimage.metrics")
    a, b = noisy_pair((70, 90))
    inner_a, inner_b = a[3:-3, 3:-3], b[3:-3, 3:-3]
    theirs = reference.structural_similarity(
        inner_a, inner_b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(a, b, border=3) == pytest.approx(theirs, abs=0.0005)
    assert psnr(a, b, border=3) == pytest.approx(reference.peak_signal_noise_ratio(inner_a, inner_b), abs=0.01)


def test_ssim_does_not_depend_on_how_the_picture_falls_into_strips():
    a, b = noisy_pair((60, 45))
    assert ssim(a, b) == pytest.approx(ssim(a.T, b.T), abs=1e-12) == ssim(b, a)


def test_ms_ssim_agrees_with_torchmetrics():
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("torchmetrics.functional.image")
    y, x = np.mgrid[:181, :240]
    rng = np.random.default_rng(0)
    a = 128 + 60 * np.sin(x / 7) + 40 * np.cos(y / 5) + rng.normal(0, 8, x.shape)
    b = a + rng.normal(0, 15, a.shape)
    theirs = reference.multiscale_structural_similarity_index_measure(
        *(torch.from_numpy(plane)[None, None] for plane in (b, a)), data_range=255.0
    )
    # Not to the last digit: at the coarsest scale theirs also counts windows that mirror the picture at its edge.
    assert ms_ssim(a, b) == pytest.approx(float(theirs), abs=0.0005)


def test_ms_ssim_of_flat_pictures_is_the_luminance_term_at_the_coarsest_scale():
    a, b = np.full((176, 180), 100.0), np.full((176, 180), 110.0)
    stable = (0.01 * 255) ** 2
    luminance = (2 * 100 * 110 + stable) / (100**2 + 110**2 + stable)
    assert ms_ssim(a, b) == pytest.approx(luminance**0.1333)
    assert ms_ssim(a, a) == pytest.approx(1)


def test_ms_ssim_refuses_a_picture_whose_fifth_scale_has_no_window():
    with pytest.raises(ValueError, match=r"at least 176 pixels a side; got \(175, 300\)"):
        ms_ssim(np.zeros((175, 300)), np.zeros((175, 300)))


def test_a_slope_half_as_steep_has_half_the_sharpness():
    truth = np.tile(np.arange(40) * 5.0, (20, 1))
    assert sharpness(truth / 2, truth) == pytest.approx(0.5)
    assert sharpness(truth.T, truth.T) == pytest.approx(1)


def test_sharpness_looks_only_where_the_truth_is_steep():
    truth = np.zeros((20, 40))
    truth[:, 20:] = 100  # one column of differences is steep
    ours = truth.copy()
    ours[:, :10] = np.random.default_rng(0).integers(0, 50, (20, 10))
    assert sharpness(ours, truth) == pytest.approx(1)
    assert math.isnan(sharpness(ours, np.tile(np.arange(40) * 2.5, (20, 1))))  # 2.5 levels a pixel: under 0.01 of 255


def test_the_strata_part_the_picture_in_halves_and_tenths():
    masks = strata(np.random.default_rng(0).integers(0, 256, (111, 111)))
    assert {name: mask.mean().round(2) for name, mask in masks.items()} == {"flat": 0.5, "texture": 0.4, "edge": 0.1}
    assert np.all(sum(mask.astype(int) for mask in masks.values()) == 1)


def test_an_error_on_an_edge_counts_on_the_edge_alone():
    truth = np.zeros((61, 111))
    truth[:, 100:] = 200
    ours = truth.copy()
    ours[:, 98:102] += 10  # one column of steep differences, spread by a window of eleven, is the steepest tenth
    found = stratified_psnr(ours, truth, strata(truth))
    assert found["flat"] == math.inf
    assert found["edge"] == pytest.approx(20 * math.log10(255 / 10) + 10 * math.log10(10 / 4), abs=0.5)
    assert found["texture"] == math.inf
    assert math.isnan(stratified_psnr(ours, truth, strata(np.zeros_like(truth)))["edge"])  # nothing is steep


def test_strata_without_an_error_agree_with_the_whole():
    truth = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(float)
    found = stratified_psnr(truth + 5, truth, strata(truth))
    assert list(found.values()) == pytest.approx([psnr(truth + 5, truth)] * 3)


def test_flicker_is_the_variance_of_the_error_where_the_truth_stands_still():
    truth = np.full((4, 2, 3), 100, np.uint8)
    truth[:, 0, 0] = [100, 102, 104, 100]  # still, within four levels
    truth[:, 1, 1] = [100, 110, 120, 130]  # moves
    ours = truth + np.array([0, 2, 0, 2], np.uint8)[:, None, None] + np.uint8(7)  # a steady error does not flicker
    assert flicker_variance(ours, truth) == pytest.approx(np.full(5, 4 / 3))
    assert flicker_variance(truth + np.uint8(7), truth) == pytest.approx(np.zeros(5))


def test_luma_runs_from_16_to_235_and_weighs_green_most():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma_of_rgb(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_pictures_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape; got \(2, 2\) and \(2, 3\)"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)))


def test_a_border_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="leaves nothing"):
        psnr(np.zeros((8, 8)), np.zeros((8, 8)), border=4)


def test_ssim_refuses_a_picture_smaller_than_its_window():
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))
