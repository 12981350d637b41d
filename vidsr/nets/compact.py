"""The live and the fast networks: a stack of 3×3 convolutions on luma or RGB, all at the low resolution."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidsr.card import QP_NAME
from vidsr.nets.columns import regrouped
from vidsr.nets.reparam import RepConv

UNDAMPED = 24  # channels of a stack that learns without damping; see RepConv


class Compact(nn.Module):
    """A picture in, enlarged out: head, `depth` convolutions, tail, on top of the repeated input, pixel-shuffled.

    (n, c, h, w) float in [0, 1] -> (n, c, h * scale, w * scale), c = `channels`: 1 luma, 3 RGB. The stack runs on
    `columns` neighbouring columns taken for one of so many times the channels, which fills the matrix units of CPUs
    at few channels; w must be a multiple. With `quantiser` a second input (n, 1, 1, 1), the codec's QP / 51, is turned
    into a bias of the head; left out, it is 0: clean.
    residual: every two convolutions add to what they were given, and all start so small that the untrained network
    nearly repeats its input; `depth` must be even. A stack of 12 hardly learns without. Sources: ECBSR
    (ACM MM 2021) for the shape, ABPN (arXiv 2105.09750) for the repeated input as anchor, EDSR (arXiv 1707.02921) for
    the skips.
    """

    def __init__(
        self,
        *,
        scale: int,
        channels: int = 1,
        width: int = 16,
        depth: int = 4,
        head_size: int = 3,
        slope: float = 0.1,
        columns: int = 1,
        qp: bool = True,
        residual: bool = False,
    ) -> None:
        super().__init__()
        assert not (residual and depth % 2), f"a residual network skips two convolutions at a time, not {depth}"
        self.scale, self.channels, self.columns = scale, channels, columns
        self.slope, self.residual = slope, residual
        damped = residual or width > UNDAMPED
        self.head = RepConv(channels * columns, width, head_size, damped=damped)
        self.body = nn.ModuleList([RepConv(width, width, damped=damped) for _ in range(depth)])
        self.tail = RepConv(width, channels * columns * scale**2, damped=damped)
        self.bias = nn.Sequential(nn.Conv2d(1, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1)) if qp else None
        self.register_buffer(QP_NAME, torch.zeros(1, 1, 1, 1), persistent=False)
        if residual:
            self._start_small()

    @torch.no_grad()
    def _start_small(self) -> None:
        """He's initialisation (arXiv 1502.01852), a tenth of it where a convolution adds to the picture."""
        convolutions = [self.head, *self.body]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.straight.weight, a=self.slope)
            nn.init.zeros_(convolution.straight.bias)
        for convolution in [*self.body[1::2], self.tail]:
            convolution.straight.weight.mul_(0.1)
        nn.init.zeros_(self.tail.spread)

    def forward(self, x: Tensor, qp: Tensor | None = None) -> Tensor:
        """(n, c, h, w), (n, 1, 1, 1) -> (n, c, h * scale, w * scale)."""
        small = regrouped(x, self.channels * self.columns) if self.columns > 1 else x
        features = self.head(small)
        if self.bias is not None:
            features = features + self.bias(self.get_buffer(QP_NAME) if qp is None else qp)
        features = functional.leaky_relu(features, self.slope)
        detail = self.tail(self._through(features))
        if self.columns > 1:
            detail = regrouped(detail, self.channels * self.scale**2)
        # Adding before the shuffle keeps the sum at the low resolution's memory layout, where it is cheapest.
        planes = x.split(1, 1) if self.channels > 1 else [x]  # a split of one stands in the way of `take_repeats`
        repeated = [plane for plane in planes for _ in range(self.scale**2)]
        return functional.pixel_shuffle(detail + torch.cat(repeated, 1), self.scale)

    def _through(self, features: Tensor) -> Tensor:
        if not self.residual:
            for convolution in self.body:
                features = functional.leaky_relu(convolution(features), self.slope)
            return features
        for first, second in zip(self.body[::2], self.body[1::2], strict=True):
            features = features + second(functional.leaky_relu(first(features), self.slope))
        return features
