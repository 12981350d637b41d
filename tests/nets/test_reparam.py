import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.nets.compact import Compact
from vidsr.nets.reparam import RepConv, fold


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


def test_every_branch_of_a_block_learns():
    block = RepConv(4, 4)
    block(torch.rand(1, 4, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in block.parameters())


def test_folding_a_network_leaves_no_block_and_the_same_picture():
    net = shaken(Compact(scale=2, depth=2))
    x, quantiser = torch.rand(1, 1, 12, 10), torch.full((1, 1, 1, 1), 0.5)
    before = net(x, quantiser)
    folded = fold(net)
    assert not any(isinstance(module, RepConv) for module in folded.modules())
    torch.testing.assert_close(folded(x, quantiser), before, rtol=1e-5, atol=1e-5)
