"""ONNX's Resize in PyTorch: every output pixel is a weighted sum of a few input pixels, one axis after another."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from vidsr.engines.torch.node import Function, Node

Taps = list[tuple[Tensor, Tensor | None]]
"""Of one axis: which input pixels (out,), and by what they are multiplied (broadcasts to the picture); None for 1."""


def resize(node: Node) -> Function:
    """Where pixels are taken from is worked out once, on the device."""
    if node.get("antialias", 0) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("is antialiased, or keeps the aspect ratio")
    axes = list(_axes(node))

    def run(x: Tensor, *_: Tensor | None) -> Tensor:
        for axis, taps in axes:
            parts = (x.index_select(axis, places) for places, _ in taps)
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
    for place, axis in enumerate(named):
        length = x.shape[axis]
        scale = scales[place] if scales else sizes[place] / length
        large = int(length * scale) if scales else sizes[place]
        if large == length and scale == 1:
            continue
        at = _coordinates(node, length, large, scale)
        yield axis, [_on(x, axis, *tap) for tap in _taps(node, at, length)]


def _coordinates(node: Node, length: int, large: int, scale: float) -> Tensor:
    """Where the output's pixels lie, in input pixels; (large,) float64."""
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
        raise node.refuse(f"by {mode} is not known")
    return modes[mode]()


ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda at: (at - 0.5).ceil(),
    "round_prefer_ceil": lambda at: (at + 0.5).floor(),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def _taps(node: Node, at: Tensor, length: int) -> list[tuple[Tensor, Tensor | None]]:
    """Input pixels and weights of each output pixel, as one (large,) of each a tap."""
    mode = node.get("mode", "nearest")
    if mode == "nearest":
        places = ROUNDED[node.get("nearest_mode", "round_prefer_floor")](at)
        return [(places.clamp(0, length - 1), None)]
    first = at.floor()
    far = at - first
    if mode == "linear":
        steps, weights = [0, 1], [1 - far, far]
    else:
        a = node.get("cubic_coeff_a", -0.75)
        steps, weights = [-1, 0, 1, 2], [_cubic((far - step).abs(), a) for step in (-1, 0, 1, 2)]
    around = [first + step for step in steps]
    if node.get("exclude_outside", 0):
        weights = [w * ((at >= 0) & (at < length)) for w, at in zip(weights, around, strict=True)]
        total = reduce(torch.add, weights)
        weights = [w / total for w in weights]
    return [(at.clamp(0, length - 1), w) for at, w in zip(around, weights, strict=True)]


def _cubic(far: Tensor, a: float) -> Tensor:
    """Keys' kernel."""
    near = ((a + 2) * far - (a + 3)) * far * far + 1
    return torch.where(far <= 1, near, ((far - 5) * far + 8) * far * a - 4 * a)


def _on(x: Tensor, axis: int, places: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The same where the picture is, and as it is computed."""
    shape: list[Any] = [1] * x.dim()
    shape[axis] = -1
    return places.long().to(x.device), None if weights is None else weights.reshape(shape).to(x)
