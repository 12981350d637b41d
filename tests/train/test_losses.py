import math

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.train.losses.content import PIXEL, balance, charbonnier, l1, mse, spectral


def test_l1_is_the_mean_absolute_difference():
    ours, truth = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.0])
    assert l1(ours.view(1, 1, 1, 2), truth.view(1, 1, 1, 2)).tolist() == pytest.approx([0.75])
    assert l1(ours.view(2, 1, 1, 1), truth.view(2, 1, 1, 1)).tolist() == pytest.approx([0.5, 1.0])


def test_mse_is_what_torchmetrics_calls_so_sample_by_sample():
    from torchmetrics.functional import mean_squared_error

    ours, truth = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    expected = [mean_squared_error(mine, true).item() for mine, true in zip(ours, truth, strict=True)]
    assert mse(ours, truth).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(PIXEL))
def test_every_pixel_loss_gives_a_number_a_sample_and_none_for_the_truth(name):
    truth = torch.rand(2, 3, 4, 4)
    assert PIXEL[name](torch.rand(2, 3, 4, 4), truth).shape == (2,)
    assert PIXEL[name](truth, truth).max() <= 1e-3


def test_charbonnier_is_l1_with_a_round_tip():
    assert charbonnier(torch.full((1, 1, 1, 1), 3e-3), torch.zeros(1, 1, 1, 1), epsilon=4e-3).item() == pytest.approx(
        5e-3
    )


def test_balance_divides_by_the_error_of_a_plain_enlargement():
    low, truth = torch.zeros(2, 1, 2, 2), torch.tensor([0.009, 0.099]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    # Errors 0.01 and 0.1 (0.001 is added): as 10 to 1.
    assert balance(low, truth, 1.0).tolist() == pytest.approx([100, 10], rel=1e-3)
    assert balance(low, truth, 0.0).tolist() == [1, 1]


def test_the_spectrum_of_a_flat_difference_is_all_in_its_mean():
    # A 4x4 difference of 1 has, orthonormally, one coefficient of 4; rfft2 keeps 4x3 of them, two numbers each.
    assert spectral(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).item() == pytest.approx(4 / 24)


def test_the_spectral_loss_keeps_energy():
    difference = torch.rand(1, 1, 8, 8)
    full = torch.fft.fft2(difference, norm="ortho").abs().square().sum().item()
    assert math.isclose(full, difference.square().sum().item(), rel_tol=1e-5)
