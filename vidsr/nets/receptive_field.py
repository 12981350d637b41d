"""Receptive field and cost of a network, measured on the network itself."""

from itertools import product

import torch
from torch import nn

from vidsr.nets.reparam import NormConv, RepConv


@torch.no_grad()
def receptive_field(net: nn.Module, *, channels: int = 1, size: int = 96) -> int:
    """Return the radius of the receptive field of a network, in input pixels.

    It is measured by changing a pixel in the middle of an image and looking how far the output changes. The pixel is
    made both lighter and darker, in several random images, since a ReLU may hide a path, and in every one of the
    columns that the network sees as one. size: side of the images, over twice the radius.
    """
    generator = torch.Generator().manual_seed(0)
    middle, farthest = size // 2, 0
    for _ in range(4):
        image = torch.rand(1, channels, size, size, generator=generator)
        before = net(image)
        for column, value in product(range(middle, middle + step(net)), (-4.0, 4.0)):
            changed = image.clone()
            changed[..., middle, column] += value
            after = net(changed)
            scale = after.shape[-1] // size
            affected = ((before - after).abs().amax(dim=(0, 1)) > 0).nonzero() // scale
            distances = (affected - torch.tensor([middle, column])).abs()
            farthest = max([farthest, *distances.flatten().tolist()])
    assert farthest < middle - 1, f"expected a size over twice the receptive field, got {size}"
    return farthest


def step(net: nn.Module) -> int:
    """Return the number of pixels that the sides of an input must be multiples of."""
    return int(getattr(net, "columns", 1))


def parameters(net: nn.Module) -> int:
    """Count the parameters of a folded network."""
    return sum(parameter.numel() for parameter in net.parameters())


def macs(net: nn.Module, *, channels: int = 1, size: int = 48) -> int:
    """Count the multiply-adds of the convolutions of a folded network, per input pixel."""
    folded = not any(isinstance(module, RepConv | NormConv) for module in net.modules())
    assert folded, "expected a folded network; call fold first"
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
