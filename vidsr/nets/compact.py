"""The live networks: a short stack of 3×3 convolutions on luma, all at the low resolution."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidsr.card import QUANTISER
from vidsr.nets.reparam import RepConv


class Compact(nn.Module):
    """Luma in, enlarged luma out: head, `depth` convolutions, tail, on top of the repeated input, pixel-shuffled.

    (n, 1, h, w) float in [0, 1] -> (n, 1, h * scale, w * scale). With `unshuffle` 2 the stack runs on half-size
    pictures of four channels; h and w must then be even. With `quantiser` a second input (n, 1, 1, 1), the codec's
    QP / 51, is turned into a bias of the head; left out, it is 0: clean. Sources: ECBSR (ACM MM 2021) for the shape,
    ABPN (arXiv 2105.09750) for the repeated input as anchor.
    """

    def __init__(
        self,
        *,
        scale: int,
        width: int = 16,
        depth: int = 4,
        head_size: int = 3,
        slope: float = 0.1,
        unshuffle: int = 1,
        quantiser: bool = True,
    ) -> None:
        super().__init__()
        self.scale, self.unshuffle, self.slope = scale, unshuffle, slope
        self.head = RepConv(unshuffle**2, width, head_size)
        self.body = nn.ModuleList([RepConv(width, width) for _ in range(depth)])
        self.tail = RepConv(width, (unshuffle * scale) ** 2)
        self.bias = nn.Sequential(nn.Conv2d(1, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1)) if quantiser else None
        self.register_buffer(QUANTISER, torch.zeros(1, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor, quantiser: Tensor | None = None) -> Tensor:
        """(n, 1, h, w), (n, 1, 1, 1) -> (n, 1, h * scale, w * scale)."""
        small = functional.pixel_unshuffle(x, self.unshuffle) if self.unshuffle > 1 else x
        features = self.head(small)
        if self.bias is not None:
            features = features + self.bias(self.get_buffer(QUANTISER) if quantiser is None else quantiser)
        features = functional.leaky_relu(features, self.slope)
        for convolution in self.body:
            features = functional.leaky_relu(convolution(features), self.slope)
        detail = self.tail(features)
        if self.unshuffle > 1:
            base = functional.interpolate(x, scale_factor=float(self.scale), mode="nearest")
            return base + functional.pixel_shuffle(detail, self.unshuffle * self.scale)
        # Adding before the shuffle keeps the sum at the low resolution's memory layout, where it is cheapest.
        return functional.pixel_shuffle(detail + torch.cat([x] * self.scale**2, 1), self.scale)
