"""Convolutions that train with more parameters than they run with."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidsr.nets.int8 import FakeQuantize, Int8Conv, round_weights

EXPAND = 4  # width of the chain of a RepConv, in multiples of its channels


class RepConv(nn.Module):
    """A k×k convolution, trained as the sum of a k×k, a 1×1→k×k chain and a skip connection.

    (n, c_in, h, w) float -> (n, c_out, h, w) float, padded with zeros. The branches are summed as kernels, so training
    costs one convolution and `fold` is exact.

    damped: scale the chain by 1 / sqrt(its width), which stacks of over 24 channels or 8 convolutions need. Weights
    trained with one value make another network with the other.
    rounding: of the input, if the folded convolution computes in int8; the weights are then rounded too.

    Source: SESR (arXiv 2103.09404), collapsible linear blocks; the chain is SPAN's Conv3XC (arXiv 2311.12770).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        size: int = 3,
        *,
        damped: bool = False,
        rounding: FakeQuantize | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.rounding = rounding
        wide = EXPAND * max(channels_in, channels_out)
        # A step of Adam moves all `wide` products behind a weight together. Undamped, the chain learns about sqrt(wide)
        # times as fast as the branch beside it, and a wide and deep stack diverges at a learning rate of 1e-3.
        self.gain = wide**-0.5 if damped else 1.0
        self.straight = nn.Conv2d(channels_in, channels_out, size, padding=size // 2)
        self.widen = nn.Parameter(torch.empty(wide, channels_in))
        self.spread = nn.Parameter(torch.empty(channels_out, wide, size, size))
        # The chain starts small, so that the block starts nearly as a plain convolution.
        nn.init.normal_(self.widen, std=channels_in**-0.5)
        nn.init.normal_(self.spread, std=0.1 * (wide * size * size) ** -0.5)
        self.skip = nn.Parameter(torch.zeros(())) if channels_in == channels_out else None

    def kernel(self) -> Tensor:
        """Return the sum of the kernels of all branches: (c_out, c_in, k, k)."""
        kernel: Tensor = self.straight.weight + self.gain * torch.einsum("owij,wc->ocij", self.spread, self.widen)
        if self.skip is not None:
            identity = torch.eye(kernel.shape[0], device=kernel.device, dtype=kernel.dtype)
            centre = functional.pad(identity[..., None, None], [self.size // 2] * 4)
            kernel = kernel + self.skip * centre
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c_in, h, w) to (n, c_out, h, w)."""
        kernel = self.kernel()
        if self.rounding is not None:
            x, kernel = self.rounding(x), round_weights(kernel)
        return functional.conv2d(x, kernel, self.straight.bias, padding=self.size // 2)

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """Return a plain convolution that computes the same."""
        plain = nn.Conv2d(self.straight.in_channels, self.straight.out_channels, self.size, padding=self.size // 2)
        plain.weight.copy_(self.kernel())
        assert plain.bias is not None and self.straight.bias is not None
        plain.bias.copy_(self.straight.bias)
        return plain if self.rounding is None else Int8Conv(plain, self.rounding)


class NormConv(nn.Module):
    """A k×k convolution without bias, and batch normalisation; once trained, both fold into one convolution.

    (n, c_in, h, w) float -> (n, c_out, h, w) float, padded with zeros.
    """

    def __init__(self, channels_in: int, channels_out: int, size: int = 3, *, stride: int = 1) -> None:
        super().__init__()
        self.straight = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c_in, h, w) to (n, c_out, h, w)."""
        return cast(Tensor, self.norm(self.straight(x)))

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """Return a plain convolution that computes what this block does in eval mode."""
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
    """Replace every RepConv and NormConv of `net` by a plain convolution, in place, and return `net`.

    Up to rounding, the output equals that of `net` in eval mode.
    """
    for name, child in net.named_children():
        setattr(net, name, child.fold() if isinstance(child, RepConv | NormConv) else fold(child))
    return net
