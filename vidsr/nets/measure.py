"""What a network is, found by looking at it: reach and cost."""

import torch
from torch import nn

from vidsr.nets.reparam import NormConv, RepConv


@torch.no_grad()
def reach(net: nn.Module, *, channels: int = 1, size: int = 96) -> int:
    """Measure the receptive radius in input pixels: nudge the middle pixel, see how far the output changes.

    Nudged to both sides on several random pictures, since a ReLU may hide a path. size: must exceed twice the radius.
    """
    generator = torch.Generator().manual_seed(0)
    middle, farthest = size // 2, 0
    for _ in range(4):
        picture = torch.rand(1, channels, size, size, generator=generator)
        for value in (-4.0, 4.0):
            nudged = picture.clone()
            nudged[..., middle, middle] += value
            before, after = net(picture), net(nudged)
            changed = (before - after).abs().amax(dim=(0, 1)) > 0
            scale = after.shape[-1] // size
            for place in changed.nonzero().flatten():
                farthest = max(farthest, abs(int(place) // scale - middle))
    assert farthest < middle - 1, f"a picture of {size} pixels is too small to measure the reach of this network"
    return farthest


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
