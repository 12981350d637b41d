"""ONNX's operators in PyTorch: types, shapes and places."""

import torch
from torch import Tensor

from vidsr.engines.torch.torch_graph__node import Builder, Function, Node


def _cast(node: Node) -> Function:
    kind = node.kinds[node.attributes["to"]]
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
