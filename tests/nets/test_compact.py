import math

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch import nn
from torch.nn import functional

from vidsr.nets import build
from vidsr.nets import receptive_field as measure
from vidsr.nets.compact import Compact, regroup_columns
from vidsr.nets.reparam import fold


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("columns", [1, 2])
def test_the_output_is_scale_times_larger(scale, columns):
    net = Compact(scale=scale, depth=1, columns=columns)
    assert net(torch.rand(2, 1, 12, 10)).shape == (2, 1, 12 * scale, 10 * scale)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("columns", [1, 2])
def test_without_detail_the_output_is_the_input_repeated(columns, channels):
    net = Compact(scale=2, depth=1, columns=columns, channels=channels)
    with torch.no_grad():
        for parameter in net.tail.parameters():
            parameter.zero_()
    x = torch.rand(1, channels, 8, 6)
    torch.testing.assert_close(net(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_qp_changes_the_output_and_its_absence_means_clean():
    net = Compact(scale=2, depth=1)
    x = torch.rand(1, 1, 8, 8)
    assert torch.equal(net(x), net(x, torch.zeros(1, 1, 1, 1)))
    assert not torch.equal(net(x), net(x, torch.ones(1, 1, 1, 1)))


def test_the_receptive_field_counts_every_convolution():
    assert measure.receptive_field(fold(Compact(scale=2, depth=3, head_size=5))) == 2 + 3 + 1


def test_the_receptive_field_counts_the_columns_that_are_seen_as_one():
    net = fold(Compact(scale=2, width=8, depth=3, head_size=5, columns=2))
    assert measure.receptive_field(net) == 2 * (2 + 3 + 1) + 1
    assert measure.step(net) == 2


def test_columns_become_channels_and_channels_columns():
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    joined = regroup_columns(x, 4)
    assert joined.shape == (1, 4, 3, 2)
    torch.testing.assert_close(joined[:, :2], x[..., ::2])
    torch.testing.assert_close(joined[:, 2:], x[..., 1::2])
    torch.testing.assert_close(regroup_columns(joined, 2), x)


def test_gradients_go_back_to_the_columns_they_came_from():
    x = torch.rand(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: regroup_columns(x, 4).square(), x)


def paired_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """Return the same convolution on pairs of columns: (out, in, 3, 3) -> (2 * out, 2 * in, 3, 3)."""
    outputs, inputs, height, _ = kernel.shape
    pairs = kernel.new_zeros(2, outputs, 2, inputs, height, 3)
    for column in range(2):
        for tap in range(3):
            pair, other = divmod(column + tap - 1, 2)
            pairs[column, :, other, :, :, pair + 1] = kernel[..., tap]
    return pairs.reshape(2 * outputs, 2 * inputs, height, 3)


def test_a_stack_of_columns_does_what_one_of_half_the_channels_does():
    """The kernels of pairs hold those of single columns, and zeros beyond their taps."""
    torch.manual_seed(0)
    single, pairs = (
        fold(Compact(scale=2, width=width, depth=2, qp=False, columns=columns)) for width, columns in ((8, 1), (16, 2))
    )
    with torch.no_grad():
        for one, both in zip(single.modules(), pairs.modules(), strict=True):
            if isinstance(one, nn.Conv2d):
                both.weight.copy_(paired_kernel(one.weight))
                both.bias.copy_(one.bias.repeat(2))
    x = torch.rand(2, 1, 9, 12)
    torch.testing.assert_close(pairs(x), single(x))


def test_cost_is_the_sum_of_the_kernels():
    net = fold(Compact(scale=4, width=16, depth=4, qp=False))
    kernels = 9 * 16 + 4 * 9 * 16 * 16 + 9 * 16 * 16
    assert measure.macs(net) == kernels
    assert measure.parameters(net) == kernels + 5 * 16 + 16


def test_a_network_is_built_by_its_recipe_table():
    net = build({"kind": "compact", "scale": 3, "depth": 2})
    assert isinstance(net, Compact)
    assert len(net.body) == 2


def test_arguments_may_have_the_names_that_earlier_weights_state():
    old = {"kind": "compact", "scale": 2, "depth": 1, "quantiser": False, "unshuffle": 1, "residual": False}
    assert build(old).state_dict().keys() == Compact(scale=2, depth=1, qp=False).state_dict().keys()
    for gone in ({"unshuffle": 2}, {"width": 32}):  # other networks: the latter was trained without damping
        with pytest.raises(TypeError, match="unshuffle"):
            build(old | gone)


def test_a_luma_network_keeps_the_names_of_its_weights():
    names = {"straight.weight", "straight.bias", "widen", "spread"}
    blocks = {f"{block}.{name}" for block in ("head", "body.0", "tail") for name in names} | {"body.0.skip"}
    bias = {f"bias.{place}.{name}" for place in (0, 2) for name in ("weight", "bias")}
    assert set(Compact(scale=2, depth=1).state_dict()) == blocks | bias
    assert set(Compact(scale=2, depth=2, residual=True).state_dict()) == set(Compact(scale=2, depth=2).state_dict())


@pytest.mark.parametrize("width", [32, 48, 64])
def test_colour_costs_more_at_both_ends_only(width):
    net = fold(Compact(scale=4, channels=3, width=width, depth=2, qp=False, residual=True))
    assert measure.macs(net, channels=3, size=8) == 9 * (3 * width + 2 * width * width + width * 48)
    assert net(torch.rand(2, 3, 7, 5)).shape == (2, 3, 28, 20)


def test_a_residual_network_starts_near_its_input_and_folds():
    torch.manual_seed(0)
    net = Compact(scale=2, channels=3, width=32, depth=12, residual=True)
    x, qp = torch.rand(2, 3, 9, 7), torch.full((2, 1, 1, 1), 0.5)
    before = net(x, qp)
    assert (before - functional.interpolate(x, scale_factor=2.0)).abs().mean() < 0.2
    torch.testing.assert_close(fold(net)(x, qp), before, rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError, match="even depth"):
        Compact(scale=2, depth=3, residual=True)


def test_the_receptive_field_of_a_residual_network_counts_every_convolution():
    torch.manual_seed(0)
    assert measure.receptive_field(fold(Compact(scale=2, depth=4, residual=True)), size=32) == 1 + 4 + 1


def stripes(count, side):
    """Pictures of sharp stripes of all directions and greys: (count, 1, side, side)."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(side).float(), torch.arange(side).float(), indexing="ij")
    pictures = torch.rand(count, 1, 1, 1, generator=generator).expand(-1, -1, side, side)
    for _ in range(6):
        angle, middle, half, grey = torch.rand(4, count, 1, 1, 1, generator=generator)
        distance = (x * (math.tau * angle).cos() + y * (math.tau * angle).sin() - side * middle).abs()
        pictures = pictures.lerp(grey, (2 + 12 * half - distance).clamp(0, 1))
    return pictures


def fitted(net, *, steps):
    """Mean absolute error after a short training, as a part of that of the repeated input."""
    high = stripes(96, 24)
    low = functional.interpolate(high, scale_factor=0.5, mode="bicubic", antialias=True)
    adam = torch.optim.Adam(net.parameters(), betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        for group in adam.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 25)
        chosen = torch.randint(96, (4,), generator=generator)
        loss = (net(low[chosen]) - high[chosen]).abs().mean()
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        adam.step()
    with torch.no_grad():
        error = (net(low) - high).abs().mean() / (functional.interpolate(low, scale_factor=2.0) - high).abs().mean()
    return float(error)


def test_a_deep_stack_learns_with_skips():
    torch.manual_seed(0)
    net = Compact(scale=2, width=32, depth=12, qp=False, residual=True)
    assert fitted(net, steps=80) < 0.93  # without them it is above 1: worse than its untrained self
