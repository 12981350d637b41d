"""PSNR, SSIM and luma against values worked by hand, and against scikit-image where that is installed."""

import math

import numpy as np
import pytest

from vidsr.metrics import luma_of_rgb, psnr, ssim


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


def test_luma_runs_from_16_to_235_and_weighs_green_most():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma_of_rgb(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_pictures_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape, got \(2, 2\) and \(2, 3\)"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)))


def test_a_border_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing is left"):
        psnr(np.zeros((8, 8)), np.zeros((8, 8)), border=4)


def test_ssim_refuses_a_picture_smaller_than_its_window():
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))
