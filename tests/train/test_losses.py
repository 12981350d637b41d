import math

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.train.losses import charbonnier, l1, spectral


def test_l1_is_the_mean_absolute_difference():
    assert l1(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.0])).item() == pytest.approx(0.75)


def test_charbonnier_is_l1_with_a_round_tip():
    assert charbonnier(torch.tensor([3e-3]), torch.tensor([0.0]), epsilon=4e-3).item() == pytest.approx(5e-3)


def test_the_spectrum_of_a_flat_difference_is_all_in_its_mean():
    # A 4x4 difference of 1 has, orthonormally, one coefficient of 4; rfft2 keeps 4x3 of them, two numbers each.
    assert spectral(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).item() == pytest.approx(4 / 24)


def test_the_spectral_loss_keeps_energy():
    difference = torch.rand(1, 1, 8, 8)
    full = torch.fft.fft2(difference, norm="ortho").abs().square().sum().item()
    assert math.isclose(full, difference.square().sum().item(), rel_tol=1e-5)
