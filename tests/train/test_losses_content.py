import math

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch.nn import functional

from vidsr.train.losses.content import (
    DISTANCES,
    PIXEL,
    artifact,
    artifact_map,
    balance,
    charbonnier,
    feature_matching,
    flicker,
    grid,
    l1,
    mse,
    perceptual,
    spectral,
    texture,
    windows,
)


def test_l1_is_the_mean_absolute_difference():
    ours, truth = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.0])
    assert l1(ours.view(1, 1, 1, 2), truth.view(1, 1, 1, 2)).tolist() == pytest.approx([0.75])
    assert l1(ours.view(2, 1, 1, 1), truth.view(2, 1, 1, 1)).tolist() == pytest.approx([0.5, 1.0])


def test_mse_is_the_mean_squared_difference_of_each_sample():
    ours, truth = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    expected = [functional.mse_loss(mine, true).item() for mine, true in zip(ours, truth, strict=True)]
    assert mse(ours, truth).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(PIXEL))
def test_every_pixel_loss_is_per_sample_and_zero_for_the_truth(name):
    truth = torch.rand(2, 3, 4, 4)
    assert PIXEL[name](torch.rand(2, 3, 4, 4), truth).shape == (2,)
    assert PIXEL[name](truth, truth).max() <= 1e-3


def test_charbonnier_is_l1_with_a_round_tip():
    assert charbonnier(torch.full((1, 1, 1, 1), 3e-3), torch.zeros(1, 1, 1, 1), epsilon=4e-3).item() == pytest.approx(
        5e-3
    )


def test_balance_divides_by_the_error_of_bilinear_interpolation():
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


OURS = [torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[0.0]], [[4.0]]]])]
TRUTH = [torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[1.0]], [[1.0]]]])]


def test_layers_are_compared_apart_and_weighed():
    # Mean absolute differences 2 and 2, mean squared ones 5 and 5.
    assert perceptual(OURS, TRUTH, [1.0, 0.25], distance="l1").item() == 2 + 0.5
    assert perceptual(OURS, TRUTH, [1.0, 0.25], distance="mse").item() == 5 + 1.25
    assert perceptual(OURS[:1], TRUTH[:1], [0.5], distance="mse").item() == 2.5


def test_as_many_weights_as_layers():
    with pytest.raises(ValueError, match="zip"):
        perceptual(OURS, TRUTH, [1.0], distance="l1")


def test_feature_matching_averages_over_the_layers():
    assert feature_matching(OURS, [TRUTH[0], OURS[1]]).item() == 1.0


@pytest.mark.parametrize("distance", sorted(DISTANCES))
def test_only_our_features_get_a_gradient_in_single_precision(distance):
    ours, truth = (torch.rand(1, 2, 3, 3, dtype=torch.bfloat16).requires_grad_() for _ in range(2))
    loss = perceptual([ours], [truth], [1.0], distance=distance)
    assert loss.dtype == torch.float32
    loss.backward()
    assert ours.grad is not None and truth.grad is None


def by_windows(ours, truth, side):
    """The map where the average is as far from the truth as ours, window by window."""
    error = (ours - truth).abs().sum(1, keepdim=True)
    padded = functional.pad(error, [side // 2] * 4, mode="reflect")
    windows = padded.unfold(2, side, 1).unfold(3, side, 1)
    return windows.flatten(4).var(-1) * error.flatten(1).var(-1).view(-1, 1, 1, 1) ** 0.2


@pytest.mark.parametrize("side", [3, 7])
def test_the_map_is_the_variance_of_the_error_around_each_pixel(side):
    torch.manual_seed(0)
    ours, truth = torch.rand(2, 3, 12, 9), torch.rand(2, 3, 12, 9)
    torch.testing.assert_close(artifact_map(ours, truth, ours, side=side), by_windows(ours, truth, side))


def test_a_faint_error_on_a_large_one_is_not_lost_to_rounding():
    torch.manual_seed(0)
    truth = torch.zeros(1, 1, 12, 12)
    ours = 1 + 1e-3 * torch.rand(1, 1, 12, 12)
    exact = by_windows(ours.double(), truth.double(), 7).float()
    torch.testing.assert_close(artifact_map(ours, truth, ours), exact, rtol=1e-3, atol=0)


def test_where_we_are_nearer_the_truth_than_the_average_is_nothing_is_an_artifact():
    truth, ours = torch.zeros(1, 1, 8, 8), torch.rand(1, 1, 8, 8)
    average = ours.clone()
    average[..., :4] += 0.1
    there = artifact_map(ours, truth, average)
    assert there[..., :4].max() == 0
    assert there[..., 4:].min() > 0


def test_the_loss_weighs_the_difference_by_a_map_that_gets_no_gradient():
    torch.manual_seed(0)
    ours, truth, average = torch.rand(1, 3, 8, 8, requires_grad=True), torch.rand(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    weights = artifact_map(ours, truth, average)
    loss = artifact(ours, truth, average)
    assert loss.item() == pytest.approx((weights * (ours - truth).abs()).mean().item())
    loss.backward()
    torch.testing.assert_close(ours.grad, weights * (ours.detach() - truth).sign() / 192)


def test_a_perfect_output_has_no_loss_and_finite_gradients():
    ours, truth = torch.full((1, 3, 8, 8), 0.5, requires_grad=True), torch.full((1, 3, 8, 8), 0.5)
    loss = artifact(ours, truth, truth)
    loss.backward()
    assert loss.item() == 0 and ours.grad.isfinite().all()


def test_a_printed_grid_costs_its_mean_height_and_noise_next_to_nothing():
    torch.manual_seed(0)
    truth = torch.rand(2, 3, 64, 64)
    printed = truth.clone()
    printed[..., ::4, ::4] += 0.16  # one place of sixteen: 15/16 of 0.16 there, 1/16 of it everywhere else
    assert grid(printed, truth, period=4).item() == pytest.approx(0.16 * 2 * 15 / 256, rel=1e-4)
    noise = grid(truth + 0.16 * torch.randn_like(truth).sign(), truth, period=4)
    assert noise.item() == pytest.approx(0.16 / 8 * (2 / torch.pi) ** 0.5, rel=0.1)  # a mean of 64


def test_a_shift_of_all_colours_is_not_a_grid_and_a_small_image_is_one_block():
    truth = torch.rand(1, 3, 12, 8)
    assert grid(truth + 0.1, truth, period=4).item() == pytest.approx(0, abs=1e-6)
    assert grid(truth + torch.eye(4).repeat(3, 2), truth, period=4).item() > 0.3


def test_moved_texture_costs_less_than_missing_texture():
    torch.manual_seed(0)
    truth = torch.rand(1, 1, 64, 64)
    assert texture(truth, truth, octaves=2).item() == 0
    moved, other = texture(truth.roll(3, dims=3), truth, octaves=2), texture(torch.rand_like(truth), truth, octaves=2)
    missing = texture(torch.full_like(truth, 0.5), truth, octaves=2)
    assert moved < missing / 5 and other < missing / 4
    half, twice = (texture(0.5 + (truth - 0.5) * gain, truth, octaves=2) for gain in (0.5, 2))
    assert half == pytest.approx(missing.item() / 2, rel=0.05) and twice == pytest.approx(missing.item(), rel=0.05)


def test_texture_of_a_flat_image_has_a_finite_gradient():
    output = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    texture(output, torch.rand(1, 3, 16, 16), octaves=2).backward()
    assert output.grad is not None and output.grad.isfinite().all()


def test_lines_are_measured_in_their_direction():
    rows = (torch.arange(32) % 4 < 2).float().view(1, 1, 32, 1).expand(1, 1, 32, 32)
    assert texture(rows.transpose(2, 3), rows, octaves=1) > 0.05  # of the same strength, but turned


def test_three_frames_in_a_row_become_nine_channels():
    frames = torch.arange(2 * 4 * 3).view(2, 4, 3, 1, 1).expand(-1, -1, -1, 2, 5)
    stacked = windows(frames)
    assert stacked.shape == (4, 9, 2, 5)
    assert stacked[:, :, 0, 0].tolist() == [[*range(s, s + 9)] for s in (0, 3, 12, 15)]


def test_a_window_is_no_longer_than_the_scene():
    assert windows(torch.rand(2, 3, 1, 4, 4)).shape == (2, 3, 4, 4)
    with pytest.raises(AssertionError, match="2 frames cannot make a window of 3"):
        windows(torch.rand(2, 2, 1, 4, 4))


def test_a_constant_error_does_not_flicker_and_a_changing_one_does():
    truth = torch.rand(1, 3, 1, 4, 4)
    assert flicker(truth + 0.25, truth).item() == pytest.approx(0, abs=1e-6)
    blinking = truth + torch.tensor([0.0, 0.5, 0.25]).view(1, 3, 1, 1, 1)
    assert flicker(blinking, truth).item() == pytest.approx((0.5 + 0.25) / 2)
