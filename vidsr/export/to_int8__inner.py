"""Which nodes of a network lie inside it: between its first layer and its last, and apart from the picture itself."""

from collections.abc import Iterable

from onnx import ModelProto, NodeProto

from vidsr.card import QUANTISER
from vidsr.errors import NotAModel
from vidsr.upscaling.graph.editor__endings import picture_ports


def inner_nodes(model: ModelProto) -> set[str]:
    """Names of the nodes that come after a convolution and lead to one, or are one; those are worth 8 bits.

    Outside are the first layer, what is added to the last, and the small network that shifts by the quantiser with
    the sum it ends in. Raises NotAModel where nodes have no names, or there is nothing inside.
    """
    nodes = list(model.graph.node)
    if len({node.name for node in nodes}) < len(nodes) or not all(node.name for node in nodes):
        raise NotAModel("the network's nodes have no names of their own; export it again, by PyTorch say")
    picture = _reached(nodes, {picture_ports(model)[0].name})
    shift = _reached(nodes, {QUANTISER}) - picture
    layers = [node for node in nodes if node.op_type == "Conv" and _made(node) <= picture]
    behind = _reached(nodes, {name for node in layers for name in node.output})
    leading = {name for node in layers for name in node.input}
    for node in reversed(nodes):
        if _made(node) & leading:
            leading |= set(node.input)
    inside = [
        node
        for node in nodes
        if set(node.input) & behind and (node in layers or _made(node) & leading) and not set(node.input) & shift
    ]
    if not inside:
        raise NotAModel("the network has no layer behind another, so there is nothing to quantise")
    return {node.name for node in inside}


def _made(node: NodeProto) -> set[str]:
    return set(node.output)


def _reached(nodes: Iterable[NodeProto], start: set[str]) -> set[str]:
    """The names of all that is computed from some values, and their own."""
    found = set(start)
    for node in nodes:
        if set(node.input) & found:
            found |= set(node.output)
    return found
