"""ONNX's operators in PyTorch: arithmetic and shapes. Those of pictures are in `torch_pictures`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vidsr.errors import NotAModel

Function = Callable[..., Any]
"""Of an operator's inputs in their order, None for one that is left out; gives its output, or a tuple of them."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator in the making: how it is set, and its inputs in a trial run."""

    operator: str
    attributes: Mapping[str, Any]
    inputs: Sequence[Tensor | None]
    known: Sequence[Tensor | None]
    """The same on the CPU where it is known before a picture comes, else None."""
    outputs: int
    """How many it has."""
    kinds: Mapping[int, torch.dtype]
    """What becomes of ONNX's types."""

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def refuse(self, what: str) -> NotAModel:
        """The error that says what of this operator is not understood."""
        return NotAModel(f"PyTorch cannot run the network: its {self.operator} {what}; use --engine openvino")

    def numbers(self, index: int, name: str = "", default: Any = None) -> Any:
        """Numbers that are given as an input, or, in older operators, as an attribute."""
        if index >= len(self.inputs) or self.inputs[index] is None:
            return self.attributes.get(name, default)
        if (value := self.known[index]) is None:
            raise self.refuse("is set by what is in the picture")
        return value.reshape(-1).tolist()


Builder = Callable[[Node], Function]


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
    "Greater": torch.gt, "HardSwish": F.hardswish, "Identity": lambda x: x, "Less": torch.lt, "Log": torch.log,
    "MatMul": torch.matmul, "Max": lambda *x: reduce(torch.maximum, x), "Min": lambda *x: reduce(torch.minimum, x),
    "Mish": F.mish, "Mul": torch.mul, "Neg": torch.neg, "Not": torch.logical_not, "PRelu": _prelu,
    "Pow": lambda x, power: torch.pow(x, power.to(x.dtype)), "Reciprocal": torch.reciprocal, "Relu": torch.relu,
    "Round": torch.round,  # half to even, both
    "Sigmoid": torch.sigmoid, "Sin": torch.sin, "Softplus": F.softplus, "Sqrt": torch.sqrt, "Sub": torch.sub,
    "Sum": lambda *x: reduce(torch.add, x), "Tanh": torch.tanh, "Where": torch.where,
}  # fmt: skip


def _clip(node: Node) -> Function:
    low, high = node.numbers(1, "min", [None]), node.numbers(2, "max", [None])
    return lambda x, *_: x if low[0] is high[0] is None else x.clamp(low[0], high[0])


def _hard_sigmoid(node: Node) -> Function:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    return lambda x: (x * alpha + beta).clamp(0, 1)


def _cast(node: Node) -> Function:
    kind = node.kinds[node.attributes["to"]]
    return lambda x: x.to(kind)


def _reduced(function: Function) -> Callable[[Node], Function]:
    def build(node: Node) -> Function:
        axes, keep = node.numbers(1, "axes", []), bool(node.get("keepdims", 1))
        if not axes and node.get("noop_with_empty_axes", 0):
            return lambda x, *_: x
        return lambda x, *_: function(x, tuple(axes) or tuple(range(x.dim())), keepdim=keep)

    return build


def _reshape(node: Node) -> Function:
    wanted, (first, *_) = node.numbers(1), node.inputs
    assert first is not None
    if not node.get("allowzero", 0):
        wanted = [first.shape[i] if length == 0 else length for i, length in enumerate(wanted)]
    return lambda x, *_: x.reshape(wanted)


def _transpose(node: Node) -> Function:
    order = node.get("perm", None)
    return lambda x: x.permute(order or tuple(reversed(range(x.dim()))))


def _flatten(node: Node) -> Function:
    axis = node.get("axis", 1)
    return lambda x: x.reshape(x.shape[:axis].numel(), -1)


def _unsqueeze(node: Node) -> Function:
    axes = node.numbers(1, "axes")

    def run(x: Tensor, *_: Tensor) -> Tensor:
        for axis in sorted(axis % (x.dim() + len(axes)) for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return run


def _squeeze(node: Node) -> Function:
    axes = node.numbers(1, "axes")
    return lambda x, *_: x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _expand(node: Node) -> Function:
    shape = node.numbers(1)
    return lambda x, *_: x.broadcast_to(*torch.broadcast_tensors(x, x.new_empty(()).expand(shape))[0].shape)


def _split(node: Node) -> Function:
    axis, lengths, (first, *_) = node.get("axis", 0), node.numbers(1, "split"), node.inputs
    assert first is not None
    if lengths is None:
        length, parts = first.shape[axis], node.get("num_outputs", node.outputs)
        most = -(-length // parts)
        lengths = [min(most, length - start) for start in range(0, length, most)]
    return lambda x, *_: torch.split_with_sizes(x, lengths, axis)


def _slice(node: Node) -> Function:
    (first, *_), starts, ends = node.inputs, node.numbers(1), node.numbers(2)
    assert first is not None
    axes = node.numbers(3, default=range(len(starts)))
    steps = node.numbers(4, default=[1] * len(starts))
    cuts = []
    for axis, *bounds in zip(axes, starts, ends, steps, strict=True):
        kept = range(*slice(*bounds).indices(first.shape[axis]))
        cuts.append((axis, kept, None if kept.step > 0 else torch.tensor(kept, device=first.device)))

    def run(x: Tensor, *_: Tensor) -> Tensor:
        for axis, kept, backwards in cuts:
            if backwards is not None:
                x = x.index_select(axis, backwards)
            else:
                x = x[(slice(None),) * (axis % x.dim()) + (slice(kept.start, kept.stop, kept.step),)]
        return x

    return run


def _gather(node: Node) -> Function:
    def run(x: Tensor, places: Tensor) -> Tensor:
        axis = node.get("axis", 0) % x.dim()
        picked = x.index_select(axis, places.reshape(-1) % x.shape[axis])
        return picked.reshape((*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]))

    return run


def _constant_of_shape(node: Node) -> Function:
    value = node.get("value", torch.zeros(1))
    return lambda shape: value.expand(shape.tolist())


def _range(node: Node) -> Function:
    return lambda start, end, step: torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


def _attribute(function: Function, name: str, default: Any) -> Callable[[Node], Function]:
    """An operator of one input and one attribute."""
    return lambda node: lambda x: function(x, node.get(name, default))


def _plain(function: Function) -> Builder:
    return lambda node: function


SHAPING: dict[str, Builder] = {
    **{name: _plain(function) for name, function in PLAIN.items()},
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda node: lambda *x: torch.cat(x, node.attributes["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "Elu": _attribute(F.elu, "alpha", 1.0),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda node: lambda x: F.gelu(x, approximate=node.get("approximate", "none")),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _attribute(F.leaky_relu, "alpha", 0.01),
    "Range": _range,
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _attribute(torch.softmax, "axis", -1),
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": lambda node: lambda x, repeats: x.tile(node.numbers(1)),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
