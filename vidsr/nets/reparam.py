"""Convolutions that train with more weights than they run with."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class RepConv(nn.Module):
    """A k×k convolution trained as the sum of a k×k, a 1×1→k×k→1×1 chain and a skip, all collapsed in weight space.

    (n, c_in, h, w) float -> (n, c_out, h, w) float, edges padded with zeros. Because the branches are summed as kernels
    before the picture is touched, training costs one convolution, and `fold` is exact. damped: the chain counts
    1 / sqrt(its width), which stacks over 24 channels or 8 convolutions need; weights trained one way mean another
    network the other way.
    Source: SESR (arXiv 2103.09404), collapsible linear blocks; the chain is SPAN's Conv3XC (arXiv 2311.12770).
    """

    def __init__(
        self, channels_in: int, channels_out: int, size: int = 3, *, expand: int = 4, damped: bool = False
    ) -> None:
        super().__init__()
        self.size = size
        wide = expand * max(channels_in, channels_out)
        # One step of Adam moves the `wide` products behind a weight together: undamped, the chain learns about
        # sqrt(wide) times as fast as its neighbour, and a wide and deep stack blows up at a rate of 1e-3.
        self.gain = wide**-0.5 if damped else 1.0
        self.straight = nn.Conv2d(channels_in, channels_out, size, padding=size // 2)
        self.widen = nn.Parameter(torch.empty(wide, channels_in))
        self.spread = nn.Parameter(torch.empty(channels_out, wide, size, size))
        # The chain starts small, so that the block starts as a plain convolution.
        nn.init.normal_(self.widen, std=channels_in**-0.5)
        nn.init.normal_(self.spread, std=0.1 * (wide * size * size) ** -0.5)
        self.skip = nn.Parameter(torch.zeros(())) if channels_in == channels_out else None

    def kernel(self) -> Tensor:
        """The one kernel that all branches amount to: (c_out, c_in, k, k)."""
        kernel: Tensor = self.straight.weight + self.gain * torch.einsum("owij,wc->ocij", self.spread, self.widen)
        if self.skip is not None:
            identity = torch.eye(kernel.shape[0], device=kernel.device, dtype=kernel.dtype)
            centre = functional.pad(identity[..., None, None], [self.size // 2] * 4)
            kernel = kernel + self.skip * centre
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, h, w)."""
        return functional.conv2d(x, self.kernel(), self.straight.bias, padding=self.size // 2)

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """A plain convolution that computes the same."""
        plain = nn.Conv2d(self.straight.in_channels, self.straight.out_channels, self.size, padding=self.size // 2)
        plain.weight.copy_(self.kernel())
        assert plain.bias is not None and self.straight.bias is not None
        plain.bias.copy_(self.straight.bias)
        return plain


class NormConv(nn.Module):
    """A k×k convolution and batch normalisation, which once trained is nothing but other weights.

    (n, c_in, h, w) float -> (n, c_out, h, w) float, edges padded with zeros. The convolution has no bias of its own,
    since the normalisation would take it away again.
    """

    def __init__(self, channels_in: int, channels_out: int, size: int = 3, *, stride: int = 1) -> None:
        super().__init__()
        self.straight = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, h, w)."""
        return cast(Tensor, self.norm(self.straight(x)))

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """A plain convolution that computes what this one does in eval mode, with the averages gathered so far."""
        straight, norm = self.straight, self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()  # (c_out,)
        channels_out, channels_in, size, _ = straight.weight.shape
        plain = nn.Conv2d(channels_in, channels_out, size, straight.stride, size // 2)  # type: ignore[arg-type]
        plain.weight.copy_(straight.weight * factor[:, None, None, None])
        assert plain.bias is not None
        plain.bias.copy_(norm.bias - norm.running_mean * factor)
        return plain


def fold(net: nn.Module) -> nn.Module:
    """Replace every RepConv and NormConv inside `net` by the plain convolution it amounts to; changes and returns it.

    What comes out equals, to a rounding, what came out of `net` in eval mode.
    """
    for name, child in net.named_children():
        setattr(net, name, child.fold() if isinstance(child, RepConv | NormConv) else fold(child))
    return net
