"""SRResNet, the generator of SRGAN."""

from typing import cast

import torch
from torch import Tensor, nn

from vidsr.nets.reparam import NormConv


class Residual(nn.Module):
    """A residual block: 3×3, batch normalisation, PReLU, 3×3, batch normalisation; shapes stay (n, width, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(NormConv(width, width), nn.PReLU(), NormConv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Add the block's output to its input."""
        residual: Tensor = self.body(x)
        return x + residual


class SRResNet(nn.Module):
    """Upscale RGB as published: (n, 3, h, w) float in [0, 1] -> (n, 3, h * scale, w * scale) in about [0, 1].

    As in the paper, the last convolution gives values in [-1, 1]; `forward` maps them to [0, 1], so that losses and
    tools see one range. Squared errors are therefore a quarter of the paper's, absolute ones half.

    scale: 4 as in the paper; 2 uses one upsampling block instead of two, 3 one that shuffles by 3.
    tanh: bound the output, as the first implementations did but the paper does not.

    The network starts as linear interpolation, which the paper does not prescribe: it saves training the steps to find
    one. Source: Ledig et al. 2017, arXiv 1609.04802, figure 4: 1.55 million parameters.
    """

    def __init__(self, *, scale: int, width: int = 64, blocks: int = 16, tanh: bool = False) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)), NormConv(width, width))
        steps = {2: [2], 3: [3], 4: [2, 2]}[scale]
        self.up = nn.Sequential()
        for step in steps:
            self.up.extend([nn.Conv2d(width, width * step**2, 3, padding=1), nn.PixelShuffle(step), nn.PReLU()])
        self.tail = nn.Conv2d(width, 3, 9, padding=4)
        self.bound = nn.Tanh() if tanh else nn.Identity()
        self._start_linear(scale)

    @torch.no_grad()
    def _start_linear(self, scale: int) -> None:
        """Initialise to linear interpolation: three features carry the image, and residual blocks start at 0.

        Source for the zeros: Goyal et al. 2017, arXiv 1706.02677.
        """
        for layer in self.body:
            last = layer.body[-1] if isinstance(layer, Residual) else layer
            assert isinstance(last, NormConv)
            nn.init.zeros_(last.norm.weight)
        _repeat(cast(nn.Conv2d, self.head[0]), 1)
        for layer in self.up:
            if isinstance(layer, nn.Conv2d):
                _repeat(layer, layer.out_channels // layer.in_channels)
        linear = torch.zeros(9)
        linear[4 - scale // 2 : 5 + scale // 2] = 1 / scale
        if scale % 2 == 0:
            linear[[4 - scale // 2, 4 + scale // 2]] /= 2
        self.tail.weight.mul_(0.01)
        self.tail.weight[:, :3] = torch.eye(3)[..., None, None] * 2 * torch.outer(linear, linear)
        nn.init.constant_(cast(Tensor, self.tail.bias), -1)

    def forward(self, x: Tensor, qp: Tensor | None = None) -> Tensor:
        """Upscale (n, 3, h, w) to (n, 3, h * scale, w * scale). qp: accepted as by other networks, but not used."""
        features = self.head(x)
        signed: Tensor = self.bound(self.tail(self.up(features + self.body(features))))  # about [-1, 1]
        return (signed + 1) / 2


def _repeat(convolution: nn.Conv2d, times: int) -> None:
    """Make the convolution copy the first three features, each `times` in a row as pixel shuffling expects them."""
    centre = convolution.kernel_size[0] // 2
    convolution.weight[: 3 * times] = 0
    for feature in range(3 * times):
        convolution.weight[feature, feature // times, centre, centre] = 1
    cast(Tensor, convolution.bias)[: 3 * times] = 0
