"""ONNX's operators in PyTorch: arithmetic."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vidsr.engines.torch.torch_graph__node import Builder, Function, Node


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    channels = (1, x.shape[1], *[1] * (x.dim() - 2))
    if slope.numel() == 1 or tuple(slope.shape) in (channels, channels[1:]):
        return F.prelu(x, slope.reshape(-1))
    return torch.where(x < 0, x * slope, x)


PLAIN: dict[str, Function] = {  # without attributes
    "Abs": torch.abs, "Add": torch.add, "And": torch.logical_and, "Ceil": torch.ceil, "Cos": torch.cos,
    "Div": _divide, "Equal": torch.eq, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor,
    "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "Greater": torch.gt, "GreaterOrEqual": torch.ge, "HardSwish": F.hardswish, "Identity": lambda x: x,
    "Less": torch.lt, "LessOrEqual": torch.le, "Log": torch.log,
    "MatMul": torch.matmul, "Max": lambda *x: reduce(torch.maximum, x), "Min": lambda *x: reduce(torch.minimum, x),
    "Mish": F.mish, "Mul": torch.mul, "Neg": torch.neg, "Not": torch.logical_not, "Or": torch.logical_or,
    "PRelu": _prelu, "Pow": lambda x, power: torch.pow(x, power.to(x.dtype)), "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,  # to the even number where two are as near, as ONNX does
    "Sigmoid": torch.sigmoid, "Sin": torch.sin, "Softplus": F.softplus, "Sqrt": torch.sqrt, "Sub": torch.sub,
    "Sum": lambda *x: reduce(torch.add, x), "Tanh": torch.tanh, "Where": torch.where,
}  # fmt: skip


def _clip(node: Node) -> Function:
    low, high = node.numbers(1, "min", [None]), node.numbers(2, "max", [None])
    return lambda x, *_: x if low[0] is high[0] is None else x.clamp(low[0], high[0])


def _hard_sigmoid(node: Node) -> Function:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    return lambda x: (x * alpha + beta).clamp(0, 1)


def _reduced(function: Function) -> Callable[[Node], Function]:
    def build(node: Node) -> Function:
        axes, keep = node.numbers(1, "axes", []), bool(node.get("keepdims", 1))
        if not axes and node.get("noop_with_empty_axes", 0):
            return lambda x, *_: x
        return lambda x, *_: function(x, tuple(axes) or tuple(range(x.dim())), keepdim=keep)

    return build


def _attribute(function: Function, name: str, default: Any) -> Callable[[Node], Function]:
    """An operator of one input and one attribute."""
    return lambda node: lambda x: function(x, node.get(name, default))


def _plain(function: Function) -> Builder:
    return lambda node: function


ARITHMETIC: dict[str, Builder] = {
    **{name: _plain(function) for name, function in PLAIN.items()},
    "Clip": _clip,
    "Elu": _attribute(F.elu, "alpha", 1.0),
    "Gelu": lambda node: lambda x: F.gelu(x, approximate=node.get("approximate", "none")),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _attribute(F.leaky_relu, "alpha", 0.01),
    "Mod": lambda node: torch.fmod if node.get("fmod", 0) else torch.remainder,
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Softmax": _attribute(torch.softmax, "axis", -1),
}
