import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.nets import build, measure
from vidsr.nets.compact import Compact
from vidsr.nets.reparam import fold


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("unshuffle", [1, 2])
def test_the_output_is_scale_times_larger(scale, unshuffle):
    net = Compact(scale=scale, depth=1, unshuffle=unshuffle)
    assert net(torch.rand(2, 1, 12, 10)).shape == (2, 1, 12 * scale, 10 * scale)


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_without_detail_the_output_is_the_input_repeated(unshuffle):
    net = Compact(scale=2, depth=1, unshuffle=unshuffle)
    with torch.no_grad():
        for parameter in net.tail.parameters():
            parameter.zero_()
    x = torch.rand(1, 1, 8, 6)
    torch.testing.assert_close(net(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_the_quantiser_changes_the_picture_and_none_means_clean():
    net = Compact(scale=2, depth=1)
    x = torch.rand(1, 1, 8, 8)
    assert torch.equal(net(x), net(x, torch.zeros(1, 1, 1, 1)))
    assert not torch.equal(net(x), net(x, torch.ones(1, 1, 1, 1)))


def test_reach_counts_every_convolution():
    assert measure.reach(fold(Compact(scale=2, depth=3, head_size=5))) == 2 + 3 + 1


def test_cost_is_the_sum_of_the_kernels():
    net = fold(Compact(scale=4, width=16, depth=4, quantiser=False))
    kernels = 9 * 16 + 4 * 9 * 16 * 16 + 9 * 16 * 16
    assert measure.macs(net) == kernels
    assert measure.parameters(net) == kernels + 5 * 16 + 16


def test_a_network_is_built_by_its_recipe_table():
    net = build({"kind": "compact", "scale": 3, "depth": 2})
    assert isinstance(net, Compact)
    assert len(net.body) == 2
