"""Convolutions that train with more weights than they run with."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class RepConv(nn.Module):
    """A k×k convolution trained as the sum of a k×k, a 1×1→k×k→1×1 chain and a skip, all collapsed in weight space.

    (n, c_in, h, w) float -> (n, c_out, h, w) float, edges padded with zeros. Because the branches are summed as kernels
    before the picture is touched, training costs one convolution, and `fold` is exact.
    Source: SESR (arXiv 2103.09404), collapsible linear blocks; the chain is SPAN's Conv3XC (arXiv 2311.12770).
    """

    def __init__(self, channels_in: int, channels_out: int, size: int = 3, *, expand: int = 4) -> None:
        super().__init__()
        self.size = size
        wide = expand * max(channels_in, channels_out)
        self.straight = nn.Conv2d(channels_in, channels_out, size, padding=size // 2)
        self.widen = nn.Parameter(torch.empty(wide, channels_in))
        self.spread = nn.Parameter(torch.empty(channels_out, wide, size, size))
        # The chain starts small, so that the block starts as a plain convolution.
        nn.init.normal_(self.widen, std=channels_in**-0.5)
        nn.init.normal_(self.spread, std=0.1 * (wide * size * size) ** -0.5)
        self.skip = nn.Parameter(torch.zeros(())) if channels_in == channels_out else None

    def kernel(self) -> Tensor:
        """The one kernel that all branches amount to: (c_out, c_in, k, k)."""
        kernel: Tensor = self.straight.weight + torch.einsum("owij,wc->ocij", self.spread, self.widen)
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


def fold(net: nn.Module) -> nn.Module:
    """Replace every RepConv inside `net` by the plain convolution it amounts to; changes and returns `net`."""
    for name, child in net.named_children():
        setattr(net, name, child.fold() if isinstance(child, RepConv) else fold(child))
    return net
