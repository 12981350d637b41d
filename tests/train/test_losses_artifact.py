import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch.nn import functional

from vidsr.train.losses.content import artifact, artifact_map, grid


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


def test_a_perfect_picture_has_no_loss_and_finite_gradients():
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


def test_a_shift_of_all_colours_is_no_grid_and_a_small_picture_is_one_block():
    truth = torch.rand(1, 3, 12, 8)
    assert grid(truth + 0.1, truth, period=4).item() == pytest.approx(0, abs=1e-6)
    assert grid(truth + torch.eye(4).repeat(3, 2), truth, period=4).item() > 0.3
