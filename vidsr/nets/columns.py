"""Neighbouring columns of a picture as the channels of one, and back.

Channels last, both are the same bytes. ONNX's Reshape can say so for pictures of any size, where PyTorch's would be
exported with the sizes computed around it; so this writes its own operators.
"""

from typing import Any, cast

import torch
from torch import Tensor


def regrouped(x: Tensor, channels: int) -> Tensor:
    """(n, c, h, w) -> (n, channels, h, w * c / channels).

    More channels hold neighbouring columns, the first one's channels first; less put them beside each other again.
    """
    return cast(Tensor, cast(Any, _Regroup).apply(x, channels))


class _Regroup(torch.autograd.Function):
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
        shape = graph.op("Constant", value_t=torch.tensor([0, 0, -1, channels]))  # 0: as it was
        return graph.op("Transpose", graph.op("Reshape", last, shape), perm_i=[0, 3, 1, 2])


def _regroup(x: Tensor, channels: int) -> Tensor:
    last = x.permute(0, 2, 3, 1)
    return last.reshape(*last.shape[:2], -1, channels).permute(0, 3, 1, 2)
