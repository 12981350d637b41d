"""ONNX's operators in PyTorch: convolutions, and what moves or resamples pixels."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from vidsr.engines.torch.interpolation import resize
from vidsr.engines.torch.torch_graph__node import Builder, Function, Node


def _sides(node: Node) -> tuple[list[int], list[int]]:
    """How far an operator with a kernel pads before and after each side of the picture."""
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
    """As F.pad wants it: the last side first."""
    return [pad for pair in zip(reversed(before), reversed(after), strict=True) for pad in pair]


def _weights(node: Node) -> Tensor:
    weights = node.inputs[1]
    assert weights is not None
    # Channels last is how tensor cores read; PyTorch keeps what follows so.
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
        raise node.refuse("pads by itself")
    weights, (before, after) = _weights(node), _sides(node)
    convolve: Function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[weights.dim() - 3]
    more = list(node.get("output_padding", [0] * len(before)))
    stride, dilation, group = _per_side(node, "strides"), _per_side(node, "dilations"), node.get("group", 1)
    # What is padded is cut off the result, and PyTorch cuts both ends alike.
    least = [min(pair) for pair in zip(before, after, strict=True)]
    crop = _border(*([pad - own for pad, own in zip(least, pads, strict=True)] for pads in (before, after)))
    return lambda x, _, bias=None: F.pad(convolve(x, weights, bias, stride, least, more, group, dilation), crop)


def _pool(node: Node) -> Function:
    before, after = _sides(node)
    if before != after or len(before) != 2:
        raise node.refuse("pads unevenly, or is not for pictures")
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
        raise node.refuse(f"by {mode} is not for the sides of a picture")
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
    "Resize": resize,
    "SpaceToDepth": _space_to_depth,
}
