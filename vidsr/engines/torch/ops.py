"""ONNX's operators in PyTorch, except Resize. A builder reads the attributes once, and returns the function to call."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vidsr.errors import NotAModel

Function = Callable[..., Any]
"""Takes an operator's inputs in order, None for one that is left out; returns its output, or a tuple of them."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operator while the graph is built: its attributes, and its inputs in a trial run."""

    operator: str
    attributes: Mapping[str, Any]
    inputs: Sequence[Tensor | None]
    known: Sequence[Tensor | None]
    """The inputs that do not depend on the picture, on the CPU; None for the others."""
    outputs: int
    """The number of outputs."""
    dtypes: Mapping[int, torch.dtype]
    """PyTorch's type for each of ONNX's."""

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def refuse(self, what: str) -> NotAModel:
        """Return the error that says what of this operator is not supported."""
        return NotAModel(f"PyTorch cannot run the network: its {self.operator} {what}; use --engine openvino")

    def numbers(self, index: int, name: str = "", default: Any = None) -> Any:
        """Return numbers given as an input or, in older operator sets, as an attribute."""
        if index >= len(self.inputs) or self.inputs[index] is None:
            return self.attributes.get(name, default)
        if (value := self.known[index]) is None:
            raise self.refuse("depends on the content of the picture")
        return value.reshape(-1).tolist()


Builder = Callable[[Node], Function]


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    channels = (1, x.shape[1], *[1] * (x.dim() - 2))
    if slope.numel() == 1 or tuple(slope.shape) in (channels, channels[1:]):
        return F.prelu(x, slope.reshape(-1))
    return torch.where(x < 0, x * slope, x)


PLAIN: dict[str, Function] = {  # operators without attributes
    "Abs": torch.abs, "Add": torch.add, "And": torch.logical_and, "Ceil": torch.ceil, "Cos": torch.cos,
    "Div": _divide, "Equal": torch.eq, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor,
    "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "Greater": torch.gt, "GreaterOrEqual": torch.ge, "HardSwish": F.hardswish, "Identity": lambda x: x,
    "Less": torch.lt, "LessOrEqual": torch.le, "Log": torch.log,
    "MatMul": torch.matmul, "Max": lambda *x: reduce(torch.maximum, x), "Min": lambda *x: reduce(torch.minimum, x),
    "Mish": F.mish, "Mul": torch.mul, "Neg": torch.neg, "Not": torch.logical_not, "Or": torch.logical_or,
    "PRelu": _prelu, "Pow": lambda x, power: torch.pow(x, power.to(x.dtype)), "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,  # halves to the even number, as ONNX does
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
    """Build an operator of one input and one attribute."""
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


def _sides(node: Node) -> tuple[list[int], list[int]]:
    """Return the padding of an operator with a kernel: before and after each axis of the picture."""
    x, kernel = node.inputs[0], _kernel(node)
    assert x is not None
    strides, dilations = _per_side(node, "strides"), _per_side(node, "dilations")
    how = node.get("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max((math.ceil(length / stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
            for length, size, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True)
        ]
        less, more = [pad // 2 for pad in total], [pad - pad // 2 for pad in total]
        return (less, more) if how == "SAME_UPPER" else (more, less)
    pads = node.get("pads", [0] * 2 * len(kernel)) if how == "NOTSET" else [0] * 2 * len(kernel)
    return pads[: len(kernel)], pads[len(kernel) :]


def _kernel(node: Node) -> list[int]:
    return list(node.attributes.get("kernel_shape") or node.inputs[1].shape[2:])  # type: ignore[union-attr]


def _per_side(node: Node, name: str) -> list[int]:
    return list(node.get(name, [1] * len(_kernel(node))))


def _border(before: list[int], after: list[int]) -> list[int]:
    """Return padding in the order of F.pad: the last axis first."""
    return [pad for pair in zip(reversed(before), reversed(after), strict=True) for pad in pair]


def _weights(node: Node) -> Tensor:
    weights = node.inputs[1]
    assert weights is not None
    # Tensor cores read channels last, and PyTorch's convolutions keep the format of their weights.
    return weights.contiguous(memory_format=torch.channels_last) if weights.dim() == 4 else weights.contiguous()


def _conv(node: Node) -> Function:
    weights, (before, after) = _weights(node), _sides(node)
    convolve: Function = (F.conv1d, F.conv2d, F.conv3d)[weights.dim() - 3]
    options = _per_side(node, "strides"), before, _per_side(node, "dilations"), node.get("group", 1)
    if before == after:
        return lambda x, _, bias=None: convolve(x, weights, bias, *options)
    stride, _, dilation, group = options
    border = _border(before, after)
    return lambda x, _, bias=None: convolve(F.pad(x, border), weights, bias, stride, 0, dilation, group)


def _conv_transpose(node: Node) -> Function:
    if node.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
        raise node.refuse("has automatic padding or an output shape")
    weights, (before, after) = _weights(node), _sides(node)
    convolve: Function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[weights.dim() - 3]
    more = list(node.get("output_padding", [0] * len(before)))
    stride, dilation, group = _per_side(node, "strides"), _per_side(node, "dilations"), node.get("group", 1)
    # Padding is cropped from the result, and PyTorch crops both ends alike: the rest is cropped by a negative F.pad.
    least = [min(pair) for pair in zip(before, after, strict=True)]
    crop = _border(*([pad - own for pad, own in zip(least, pads, strict=True)] for pads in (before, after)))
    return lambda x, _, bias=None: F.pad(convolve(x, weights, bias, stride, least, more, group, dilation), crop)


def _pool(node: Node) -> Function:
    before, after = _sides(node)
    if before != after or len(before) != 2:
        raise node.refuse("has uneven padding, or is not two-dimensional")
    kernel, stride, ceil = _kernel(node), _per_side(node, "strides"), bool(node.get("ceil_mode", 0))
    if node.operator == "MaxPool":
        return lambda x: F.max_pool2d(x, kernel, stride, before, _per_side(node, "dilations"), ceil)
    counted = bool(node.get("count_include_pad", 0))
    return lambda x: F.avg_pool2d(x, kernel, stride, before, ceil, counted)


def _pad(node: Node) -> Function:
    x, pads, mode = node.inputs[0], node.numbers(1), node.get("mode", "constant")
    assert x is not None
    (value,) = node.numbers(2, default=[0])
    axes = node.numbers(3, default=range(x.dim()))
    before, after = [0] * x.dim(), [0] * x.dim()
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[place + len(axes)]
    border = _border(before, after)
    if mode == "constant":
        return lambda x, *_: F.pad(x, border, "constant", value)
    if x.dim() != 4 or any(border[4:]):
        raise node.refuse(f"in mode {mode} pads other axes than height and width")
    name = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}[mode]
    return lambda x, *_: F.pad(x, border[:4], name)


def _batch_normalization(node: Node) -> Function:
    x, scale, bias, mean, variance = node.inputs
    assert x is not None and scale is not None and bias is not None and mean is not None and variance is not None
    shape = (1, -1, *[1] * (x.dim() - 2))
    factor = scale.float() / (variance.float() + node.get("epsilon", 1e-5)).sqrt()
    shift = bias.float() - mean.float() * factor
    factor, shift = factor.to(x.dtype).reshape(shape), shift.to(x.dtype).reshape(shape)
    return lambda x, *_: x * factor + shift


def _layer_normalization(node: Node) -> Function:
    axis, epsilon = node.get("axis", -1), node.get("epsilon", 1e-5)
    return lambda x, scale, bias=None: F.layer_norm(x, x.shape[axis:], scale, bias, epsilon)


def _instance_normalization(node: Node) -> Function:
    epsilon = node.get("epsilon", 1e-5)
    return lambda x, scale, bias: F.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


def _depth_to_space(node: Node) -> Function:
    side = node.attributes["blocksize"]
    if node.get("mode", "DCR") == "CRD":
        return lambda x: F.pixel_shuffle(x, side)

    def run(x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        x = x.reshape(count, side, side, channels // side**2, height, width)
        return x.permute(0, 3, 4, 1, 5, 2).reshape(count, -1, height * side, width * side)  # (n, c, h*s, w*s)

    return run


def _space_to_depth(node: Node) -> Function:
    side = node.attributes["blocksize"]

    def run(x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        x = x.reshape(count, channels, height // side, side, width // side, side)
        return x.permute(0, 3, 5, 1, 2, 4).reshape(count, -1, height // side, width // side)  # (n, s*s*c, h/s, w/s)

    return run


PICTURES: dict[str, Builder] = {
    "AveragePool": _pool,
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "MaxPool": _pool,
    "Pad": _pad,
    "SpaceToDepth": _space_to_depth,
}


def _cast(node: Node) -> Function:
    kind = node.dtypes[node.attributes["to"]]
    return lambda x: x.to(kind)


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


SHAPES: dict[str, Builder] = {
    "Cast": _cast,
    "Concat": lambda node: lambda *x: torch.cat(x, node.attributes["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Range": _range,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": lambda node: lambda x, repeats: x.tile(node.numbers(1)),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
