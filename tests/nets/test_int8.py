import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.nets.compact import Compact
from vidsr.nets.int8 import WEIGHT_LEVELS, FakeQuantize, Int8Conv, round_weights, scales_of
from vidsr.nets.reparam import RepConv, fold


@pytest.mark.parametrize(("low", "zero"), [(-0.5, 85), (-0.1, 23), (0.0, 0), (0.5, 0)])
def test_activations_become_at_most_256_values_of_which_0_is_one(low, zero):
    x = torch.linspace(low, 1, 2001)
    rounding = FakeQuantize()
    rounded = rounding(x)
    assert rounding.zero.item() == zero
    assert 120 < len(rounded.unique()) <= 256
    assert rounding(torch.zeros(1)).item() == 0
    torch.testing.assert_close(rounded, x, atol=1.1 * rounding.scale().item(), rtol=0)


def test_the_first_batch_sets_the_range_and_then_it_learns():
    rounding = FakeQuantize()
    rounding(torch.linspace(-3, 3, 1001))
    assert rounding.span.item() == pytest.approx(6)
    clipped = rounding.eval()(torch.tensor([5.0]))
    assert clipped.item() == pytest.approx(3, abs=0.05)
    clipped.sum().backward()
    assert rounding.span.grad > 0  # a larger range would clip less


def test_weights_fit_into_half_of_int8_by_output_channel():
    kernel = (
        torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 6)[:, None, None, None]
    )
    codes = round_weights(kernel) / scales_of(kernel)[:, None, None, None]
    torch.testing.assert_close(codes, codes.round(), atol=1e-3, rtol=0)
    assert codes.abs().flatten(1).amax(1).round().tolist() == [WEIGHT_LEVELS] * 5


def test_a_folded_block_computes_what_the_block_computed_in_eval_mode():
    block, x = RepConv(4, 4, rounding=FakeQuantize()), torch.rand(2, 4, 9, 7)
    block(x)
    folded = block.eval().fold()
    assert isinstance(folded, Int8Conv)
    torch.testing.assert_close(folded(x), block(x), rtol=1e-5, atol=1e-5)


def test_every_weight_learns_though_all_are_rounded():
    net, x = Compact(scale=2, width=8, depth=2, int8=True), torch.rand(2, 1, 16, 16)
    net(x)  # sets the ranges
    net.zero_grad()
    net(x, torch.rand(2, 1, 1, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_all_convolutions_but_the_head_and_the_branch_of_the_qp_are_int8():
    net = fold(Compact(scale=2, width=8, depth=2, int8=True))
    assert [name for name, each in net.named_modules() if isinstance(each, Int8Conv)] == ["body.0", "body.1", "tail"]
