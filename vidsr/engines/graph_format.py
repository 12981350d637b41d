"""The conventions of the graphs that engines run: names of inputs and outputs, metadata, and operator set.

Such a graph is a network with edges: operators around it that convert integer planes to float and back.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, version_converter

from vidsr.errors import NotAModel

PLANES_IN = ("in.y", "in.u", "in.v")
"""Inputs: (1, 1, height, width), uint8 for 8 bits, else uint16."""

PLANES_OUT = ("out.y", "out.u", "out.v")
"""Outputs: (1, 1, scale * height, scale * width), of the inputs' type."""

UNSHUFFLED = "out.unshuffled"
"""Output in place of out.y: (1, height, width, scale²), before the pixel shuffle: each pixel's block, row by row."""

FINITE = "out.finite"
"""Optional output: one float32 that is finite exactly if all that the network computed is."""

REBUILD = "vidsr.rebuild"
"""Key of metadata_props: the command that builds a TensorRT engine for the graph."""

EDGE = "edge."
"""Prefix of the names of the edges' operators, which must stay exact where the network's precision is lowered."""

OPSET = 13
"""The oldest operator set that graphs are edited and run in."""


def of_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model, converted if its operator set is older than OPSET. Raises NotAModel if that fails."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset >= OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except (RuntimeError, UnicodeDecodeError, version_converter.ConvertError) as exc:
        reason = " ".join(str(exc).split())
        raise NotAModel(
            f"the network uses opset {opset}, which ONNX cannot convert to {OPSET} ({reason}); "
            f"export it with opset {OPSET} or later"
        ) from exc


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph."""

    name: str
    shape: tuple[int, ...]
    """0 for sides that are not fixed."""
    element_type: int
    """An onnx.TensorProto.DataType."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type."""
        return helper.tensor_dtype_to_np_dtype(self.element_type)


def inputs_of(graph: onnx.GraphProto) -> tuple[Port, ...]:
    """Return the inputs of a graph, without the stored tensors that old graphs list among them."""
    stored = {tensor.name for tensor in graph.initializer}
    return tuple(_port(value) for value in graph.input if value.name not in stored)


def outputs_of(graph: onnx.GraphProto) -> tuple[Port, ...]:
    """Return the outputs of a graph."""
    return tuple(map(_port, graph.output))


def _port(value: onnx.ValueInfoProto) -> Port:
    kind = value.type.tensor_type
    return Port(value.name, tuple(dim.dim_value for dim in kind.shape.dim), kind.elem_type)
