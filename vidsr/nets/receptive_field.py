"""What a network is, found by looking at it: reach and cost."""

from itertools import product

import torch
from torch import nn

from vidsr.nets.reparam import NormConv, RepConv


@torch.no_grad()
def receptive_field(net: nn.Module, *, channels: int = 1, size: int = 96) -> int:
    """Measure the receptive radius in input pixels: nudge a pixel in the middle, see how far the output changes.

    Nudged to both sides on several random pictures, since a ReLU may hide a path, and at every place among the columns
    that are taken for one. size: must exceed twice the radius.
    """
    generator = torch.Generator().manual_seed(0)
    middle, farthest = size // 2, 0
    for _ in range(4):
        picture = torch.rand(1, channels, size, size, generator=generator)
        before = net(picture)
        for column, value in product(range(middle, middle + step(net)), (-4.0, 4.0)):
            nudged = picture.clone()
            nudged[..., middle, column] += value
            after = net(nudged)
            scale = after.shape[-1] // size
            changed = ((before - after).abs().amax(dim=(0, 1)) > 0).nonzero() // scale
            distances = (changed - torch.tensor([middle, column])).abs()
            farthest = max([farthest, *distances.flatten().tolist()])
    assert farthest < middle - 1, f"a picture of {size} pixels is too small to measure the reach of this network"
    return farthest


def step(net: nn.Module) -> int:
    """What the sides of a picture must be multiples of."""
    return int(getattr(net, "columns", 1))


def parameters(net: nn.Module) -> int:
    """Count the numbers the folded network runs with."""
    return sum(parameter.numel() for parameter in net.parameters())


def macs(net: nn.Module, *, channels: int = 1, size: int = 48) -> int:
    """Count the multiply-adds of the convolutions of a folded network for one input pixel."""
    assert not any(isinstance(module, RepConv | NormConv) for module in net.modules()), "fold first"
    total = 0

    def count(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += module.weight.numel() * output.shape[-1] * output.shape[-2]

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        net(torch.zeros(1, channels, size, size))
    for hook in hooks:
        hook.remove()
    return round(total / size**2)
