"""The generator of SRGAN, which trained on pixels alone is called SRResNet."""

from typing import cast

import torch
from torch import Tensor, nn

from vidsr.nets.reparam import NormConv


class Residual(nn.Module):
    """3×3, batch norm, PReLU, 3×3, batch norm, on top of what came in: (n, width, h, w) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(NormConv(width, width), nn.PReLU(), NormConv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> (n, width, h, w)."""
        residual: Tensor = self.body(x)
        return x + residual


class SRResNet(nn.Module):
    """RGB in, enlarged RGB out, as published: (n, 3, h, w) float in [0, 1] -> (n, 3, h * scale, w * scale) in [0, 1].

    As in the paper the last convolution speaks of [-1, 1]; `forward` maps that to [0, 1], while training as in the
    exported file, so that every loss and tool sees one range. Squared differences are therefore a quarter, absolute
    ones half of the paper's. tanh: bounds the output, as the first implementations did; the paper does not. The paper
    has scale 4; 2 has one upsampling block, 3 has one that shuffles by 3. The paper does not say how training begins;
    here it begins as a linear enlargement, which spares it the steps to find one. Source: Ledig et al. 2017, arXiv
    1609.04802, figure 4: 1.55 million weights.
    """

    def __init__(self, *, scale: int, width: int = 64, blocks: int = 16, tanh: bool = False) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)), NormConv(width, width))
        steps = {2: [2], 3: [3], 4: [2, 2]}[scale]
        self.up = nn.Sequential(*(layer for step in steps for layer in _larger(width, step)))
        self.tail = nn.Conv2d(width, 3, 9, padding=4)
        self.bound = nn.Tanh() if tanh else nn.Identity()
        self._start_linear(scale)

    @torch.no_grad()
    def _start_linear(self, scale: int) -> None:
        """Let the first three features carry the picture through, repeated and then smoothed; residuals start at 0.

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
        """(n, 3, h, w) -> (n, 3, h * scale, w * scale). quantiser: taken as other networks take it, and not used."""
        features = self.head(x)
        signed: Tensor = self.bound(self.tail(self.up(features + self.body(features))))  # about [-1, 1]
        return (signed + 1) / 2


def _repeat(convolution: nn.Conv2d, times: int) -> None:
    """Let the first three features go on as they are, each `times` in a row, as pixel shuffling spreads them."""
    centre = convolution.kernel_size[0] // 2
    convolution.weight[: 3 * times] = 0
    for feature in range(3 * times):
        convolution.weight[feature, feature // times, centre, centre] = 1
    cast(Tensor, convolution.bias)[: 3 * times] = 0


def _larger(width: int, step: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width * step**2, 3, padding=1), nn.PixelShuffle(step), nn.PReLU()]
