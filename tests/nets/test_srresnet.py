import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch import nn

from vidsr.nets import build
from vidsr.nets import receptive_field as measure
from vidsr.nets.reparam import NormConv, fold
from vidsr.nets.srresnet import SRResNet

WIDTH = 64
HEAD, TAIL = 3 * WIDTH * 81 + WIDTH, WIDTH * 3 * 81 + 3
NORMED = 33 * (9 * WIDTH * WIDTH + 2 * WIDTH)  # two in each of 16 blocks, one after them
SHUFFLED = {step: 9 * WIDTH * WIDTH * step**2 + WIDTH * step**2 for step in (2, 3)}


def lived(net):
    """The network after a few batches, so that its averages are those of no other."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(3):
            net.train()(torch.rand(2, 3, 8, 8))
    return net.eval()


@pytest.mark.parametrize(
    ("scale", "up", "activations"),
    [(2, SHUFFLED[2], 18), (3, SHUFFLED[3], 18), (4, 2 * SHUFFLED[2], 19)],
)
def test_the_weights_are_as_many_as_the_paper_has(scale, up, activations):
    net = build({"kind": "srresnet", "scale": scale})
    assert measure.parameters(net) == HEAD + NORMED + up + TAIL + activations
    if scale == 4:
        assert round(measure.parameters(net) / 1e6, 2) == 1.55


def test_the_cost_is_that_of_the_paper():
    per_pixel = 3 * 64 * 81 + 33 * 64**2 * 9 + 64 * 256 * 9 + 4 * 64 * 256 * 9 + 16 * 64 * 3 * 81
    assert measure.macs(fold(SRResNet(scale=4)), channels=3, size=16) == per_pixel == 2218176


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_output_is_scale_times_larger(scale):
    assert SRResNet(scale=scale, width=4, blocks=1)(torch.rand(2, 3, 7, 5)).shape == (2, 3, 7 * scale, 5 * scale)


def test_what_the_last_convolution_says_is_mapped_from_the_papers_range():
    net = SRResNet(scale=2, width=4, blocks=1)
    nn.init.zeros_(net.tail.weight)
    with torch.no_grad():
        net.tail.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    assert net(torch.rand(1, 3, 4, 4))[0, :, 0, 0].tolist() == [0.0, 0.5, 1.0]


def test_tanh_bounds_the_output():
    net, free = (SRResNet(scale=2, width=4, blocks=1, tanh=tanh) for tanh in (True, False))
    x = 1e3 * torch.rand(1, 3, 8, 8)
    assert net(x).min() >= 0 and net(x).max() <= 1
    assert free(x).abs().max() > 1


def test_qp_is_accepted_and_not_used():
    net, x = SRResNet(scale=2, width=4, blocks=1).eval(), torch.rand(1, 3, 8, 8)
    assert torch.equal(net(x), net(x, torch.ones(1, 1, 1, 1)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_folding_leaves_no_normalisation_and_the_same_picture(scale):
    torch.manual_seed(0)
    net, x = lived(SRResNet(scale=scale, width=16, blocks=3)), torch.rand(2, 3, 9, 7)
    before = net(x)
    folded = fold(net)
    assert not any(isinstance(module, NormConv | nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded.train()(x), before, rtol=1e-5, atol=1e-5)


def test_the_receptive_field_counts_every_convolution():
    torch.manual_seed(0)
    # 4 of the head, 2 in each block and 1 after them, 1 and 1/2 before the shuffles, 1 of the tail: 11.5 pixels.
    assert measure.receptive_field(fold(lived(SRResNet(scale=4, width=16, blocks=2))), channels=3, size=32) == 12


def test_cost_is_asked_of_folded_networks_only():
    with pytest.raises(AssertionError, match="fold first"):
        measure.macs(SRResNet(scale=2, width=4, blocks=1), channels=3)
