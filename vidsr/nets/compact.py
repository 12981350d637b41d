"""The live and fast networks: a stack of 3×3 convolutions on luma or RGB, all at the low resolution."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidsr.card import QP_NAME
from vidsr.nets.int8 import FakeQuantize
from vidsr.nets.reparam import RepConv

UNDAMPED = 24  # channels up to which a stack learns without damping; see RepConv


class Compact(nn.Module):
    """Upscale luma or RGB: head, `depth` convolutions and tail, added to the repeated input, then pixel-shuffled.

    (n, c, h, w) float in [0, 1] -> (n, c, h * scale, w * scale); c is `channels`, 1 for luma or 3 for RGB.

    columns: neighbouring columns that the convolutions see as one column with that many times the channels, which
    fills the matrix units of CPUs when channels are few; w must be a multiple.
    qp: take a second input (n, 1, 1, 1), the codec's QP / 51, from which a bias of the head is computed. If it is left
    out, it is 0: never compressed.
    residual: add the input of every two convolutions to their output, and start with so small weights that the
    untrained network nearly repeats its input. `depth` must be even. A stack of 12 hardly learns without it.
    int8: all convolutions but the head, which sees the image itself, compute in int8; see `vidsr.nets.int8`.

    Sources: ECBSR (ACM MM 2021) for the shape, ABPN (arXiv 2105.09750) for adding the repeated input, EDSR
    (arXiv 1707.02921) for the residuals.
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
        int8: bool = False,
    ) -> None:
        super().__init__()
        assert not (residual and depth % 2), f"expected an even depth of a residual network, got {depth}"
        self.scale, self.channels, self.columns = scale, channels, columns
        self.slope, self.residual = slope, residual
        damped = residual or width > UNDAMPED
        self.head = RepConv(channels * columns, width, head_size, damped=damped)
        rounding = [FakeQuantize() if int8 else None for _ in range(depth + 1)]
        self.body = nn.ModuleList([RepConv(width, width, damped=damped, rounding=each) for each in rounding[:-1]])
        self.tail = RepConv(width, channels * columns * scale**2, damped=damped, rounding=rounding[-1])
        self.bias = nn.Sequential(nn.Conv2d(1, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1)) if qp else None
        self.register_buffer(QP_NAME, torch.zeros(1, 1, 1, 1), persistent=False)
        if residual:
            self._start_small()

    @torch.no_grad()
    def _start_small(self) -> None:
        """Apply He's initialisation (arXiv 1502.01852), a tenth of it for convolutions that end a residual block."""
        convolutions = [self.head, *self.body]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.straight.weight, a=self.slope)
            nn.init.zeros_(convolution.straight.bias)
        for convolution in [*self.body[1::2], self.tail]:
            convolution.straight.weight.mul_(0.1)
        nn.init.zeros_(self.tail.spread)

    def forward(self, x: Tensor, qp: Tensor | None = None) -> Tensor:
        """Upscale (n, c, h, w) with QP / 51 (n, 1, 1, 1) to (n, c, h * scale, w * scale)."""
        small = regroup_columns(x, self.channels * self.columns) if self.columns > 1 else x
        features = self.head(small)
        if self.bias is not None:
            features = features + self.bias(self.get_buffer(QP_NAME) if qp is None else qp)
        features = functional.leaky_relu(features, self.slope)
        detail = self.tail(self._through(features))
        if self.columns > 1:
            detail = regroup_columns(detail, self.channels * self.scale**2)
        # The sum is taken before the shuffle, where memory is laid out best for it.
        planes = x.split(1, 1) if self.channels > 1 else [x]  # a split into one would hide the repeats from ONNX passes
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


def regroup_columns(x: Tensor, channels: int) -> Tensor:
    """Turn neighbouring columns into channels, or back: (n, c, h, w) -> (n, channels, h, w * c / channels).

    With more channels than before, they hold neighbouring columns, those of the left one first. With the channels last
    in memory, input and output are the same bytes.
    """
    return cast(Tensor, cast(Any, _RegroupColumns).apply(x, channels))


class _RegroupColumns(torch.autograd.Function):
    """Exports as transposes around a Reshape for any size; PyTorch's own would compute the sizes in the graph."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, channels: int) -> Tensor:
        ctx.channels = x.shape[1]
        return _regroup(x, channels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _regroup(gradients[0], ctx.channels), None

    @staticmethod
    def symbolic(graph: Any, x: Any, channels: int) -> Any:
        last = graph.op("Transpose", x, perm_i=[0, 2, 3, 1])
        shape = graph.op("Constant", value_t=torch.tensor([0, 0, -1, channels]))  # 0: unchanged
        return graph.op("Transpose", graph.op("Reshape", last, shape), perm_i=[0, 3, 1, 2])


def _regroup(x: Tensor, channels: int) -> Tensor:
    last = x.permute(0, 2, 3, 1)
    return last.reshape(*last.shape[:2], -1, channels).permute(0, 3, 1, 2)
