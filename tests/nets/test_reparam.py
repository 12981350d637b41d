import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch import nn

from vidsr.nets.compact import Compact
from vidsr.nets.reparam import NormConv, RepConv, fold


def shaken(net):
    """The network with every weight moved, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return net


@pytest.mark.parametrize(("channels_in", "channels_out", "size"), [(1, 16, 5), (16, 16, 3), (16, 4, 3)])
def test_a_folded_block_computes_what_the_block_computed(channels_in, channels_out, size):
    block = shaken(RepConv(channels_in, channels_out, size))
    x = torch.rand(2, channels_in, 9, 7)
    torch.testing.assert_close(block.fold()(x), block(x), rtol=1e-5, atol=1e-5)


def test_a_damped_block_folds_as_well_and_its_chain_counts_less():
    block, x = shaken(RepConv(4, 4, damped=True)), torch.rand(2, 4, 9, 7)
    torch.testing.assert_close(block.fold()(x), block(x), rtol=1e-5, atol=1e-5)
    whole = RepConv(4, 4)
    whole.load_state_dict(block.state_dict())
    straight = block.straight.weight + block.skip * nn.init.dirac_(torch.empty(4, 4, 3, 3))
    torch.testing.assert_close((whole.kernel() - straight) / 4, block.kernel() - straight)  # 4 = sqrt(4 * 4)


def test_a_folded_normalisation_computes_what_it_did_in_eval_mode():
    generator = torch.Generator().manual_seed(0)
    block = shaken(NormConv(3, 5, stride=2))
    for _ in range(3):
        block(torch.rand(4, 3, 9, 7, generator=generator))
    x = torch.rand(2, 3, 9, 7, generator=generator)
    torch.testing.assert_close(block.fold()(x), block.eval()(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("damped", [False, True])
def test_every_branch_of_a_block_learns(damped):
    block = RepConv(4, 4, damped=damped)
    block(torch.rand(1, 4, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in block.parameters())


def test_folding_a_network_leaves_no_block_and_the_same_picture():
    net = shaken(Compact(scale=2, depth=2))
    x, qp = torch.rand(1, 1, 12, 10), torch.full((1, 1, 1, 1), 0.5)
    before = net(x, qp)
    folded = fold(net)
    assert not any(isinstance(module, RepConv) for module in folded.modules())
    torch.testing.assert_close(folded(x, qp), before, rtol=1e-5, atol=1e-5)
