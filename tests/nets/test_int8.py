import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.nets.compact import Compact
from vidsr.nets.int8 import WEIGHT_LEVELS, FakeQuantize, Int8Conv, round_weights, scales_of
from vidsr.nets.reparam import RepConv, fold


def test_activations_become_at_most_255_values_of_which_0_is_one():
    rounded = FakeQuantize()(torch.linspace(-1, 1, 2001))
    assert 250 < len(rounded.unique()) <= 255
    assert 0 in rounded
    assert (rounded - torch.linspace(-1, 1, 2001)).abs().max() <= 1 / 127


def test_the_range_follows_the_largest_value_in_training_only():
    rounding = FakeQuantize()
    rounding(torch.tensor([-3.0, 1.0]))
    assert rounding.largest == 3
    rounding.eval()
    assert rounding(torch.tensor([5.0])) == 3  # clipped
    assert rounding.largest == 3


def test_weights_fit_into_half_of_int8_by_output_channel():
    kernel = (
        torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 6)[:, None, None, None]
    )
    codes = round_weights(kernel) / scales_of(kernel)[:, None, None, None]
    torch.testing.assert_close(codes, codes.round(), atol=1e-3, rtol=0)
    assert codes.abs().flatten(1).amax(1).round().tolist() == [WEIGHT_LEVELS] * 5


def test_a_folded_block_computes_what_the_block_computed_in_eval_mode():
    block, x = RepConv(4, 4, int8=True), torch.rand(2, 4, 9, 7)
    block(x)
    folded = block.eval().fold()
    assert isinstance(folded, Int8Conv)
    torch.testing.assert_close(folded(x), block(x), rtol=1e-5, atol=1e-5)


def test_every_weight_learns_though_all_are_rounded():
    net, x = Compact(scale=2, width=8, depth=2, int8=True), torch.rand(2, 1, 16, 16)
    net(x, torch.rand(2, 1, 1, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_all_convolutions_but_the_head_and_the_branch_of_the_qp_are_int8():
    net = fold(Compact(scale=2, width=8, depth=2, int8=True))
    assert [name for name, each in net.named_modules() if isinstance(each, Int8Conv)] == ["body.0", "body.1", "tail"]
