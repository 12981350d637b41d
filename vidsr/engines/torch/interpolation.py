"""ONNX's Resize in PyTorch: along each axis, an output pixel is a weighted sum of a few input pixels."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from vidsr.engines.torch.ops import Function, Node

Taps = list[tuple[Tensor, Tensor | None]]
"""For one axis: indices of input pixels (out,) and their weights (broadcasting to the picture), None for 1."""


def resize(node: Node) -> Function:
    """Build a Resize: indices and weights are computed once, and stay on the device."""
    if node.get("antialias", 0) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("is antialiased, or keeps the aspect ratio")
    axes = list(_axes(node))

    def run(x: Tensor, *_: Tensor | None) -> Tensor:
        for axis, taps in axes:
            parts = (x.index_select(axis, indices) for indices, _ in taps)
            weighted = [
                part if weight is None else part * weight for part, (_, weight) in zip(parts, taps, strict=True)
            ]
            x = reduce(torch.add, weighted)
        return x

    return run


def _axes(node: Node) -> Iterator[tuple[int, Taps]]:
    x = node.inputs[0]
    assert x is not None
    scales, sizes = node.numbers(2, default=[]), node.numbers(3, default=[])
    named = node.get("axes", range(x.dim()))
    for index, axis in enumerate(named):
        length = x.shape[axis]
        scale = scales[index] if scales else sizes[index] / length
        large = int(length * scale) if scales else sizes[index]
        if large == length and scale == 1:
            continue
        at = _coordinates(node, length, large, scale)
        yield axis, [_on(x, axis, *tap) for tap in _taps(node, at, length)]


def _coordinates(node: Node, length: int, large: int, scale: float) -> Tensor:
    """Return the positions of the output pixels in input pixels, (large,) float64."""
    at = torch.arange(large, dtype=torch.float64)
    half = (at + 0.5) / scale - 0.5
    modes: dict[str, Callable[[], Tensor]] = {
        "half_pixel": lambda: half,
        "pytorch_half_pixel": lambda: half if large > 1 else at * 0,
        "half_pixel_symmetric": lambda: half + length / 2 * (1 - large / (scale * length)),
        "asymmetric": lambda: at / scale,
        "align_corners": lambda: at * (length - 1) / max(large - 1, 1),
    }
    mode = node.get("coordinate_transformation_mode", "half_pixel")
    if mode not in modes:
        raise node.refuse(f"in mode {mode} is not supported")
    return modes[mode]()


ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda at: (at - 0.5).ceil(),
    "round_prefer_ceil": lambda at: (at + 0.5).floor(),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def _taps(node: Node, at: Tensor, length: int) -> list[tuple[Tensor, Tensor | None]]:
    """Return for each tap the indices and the weights, (large,) each."""
    mode = node.get("mode", "nearest")
    if mode == "nearest":
        indices = ROUNDED[node.get("nearest_mode", "round_prefer_floor")](at)
        return [(indices.clamp(0, length - 1), None)]
    first = at.floor()
    distance = at - first
    if mode == "linear":
        steps, weights = [0, 1], [1 - distance, distance]
    else:
        a = node.get("cubic_coeff_a", -0.75)
        steps, weights = [-1, 0, 1, 2], [_cubic((distance - step).abs(), a) for step in (-1, 0, 1, 2)]
    around = [first + step for step in steps]
    if node.get("exclude_outside", 0):
        weights = [w * ((at >= 0) & (at < length)) for w, at in zip(weights, around, strict=True)]
        total = reduce(torch.add, weights)
        weights = [w / total for w in weights]
    return [(at.clamp(0, length - 1), w) for at, w in zip(around, weights, strict=True)]


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Return Keys' cubic kernel at distances from 0 to 2."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return torch.where(distance <= 1, near, ((distance - 5) * distance + 8) * distance * a - 4 * a)


def _on(x: Tensor, axis: int, indices: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Move indices and weights to the picture's device and type."""
    shape: list[Any] = [1] * x.dim()
    shape[axis] = -1
    return indices.long().to(x.device), None if weights is None else weights.reshape(shape).to(x)
