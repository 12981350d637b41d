"""The graph that TensorRT is given computes, byte for byte, what the graph with edges does."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from tests.engines.test_fp16 import HEIGHT, WIDTH, check_all_half, planes
from tests.networks import attached as edged
from tests.networks import network
from vidsr.color import BT709, ColorSpec
from vidsr.engines.graph_format import FINITE, REBUILD
from vidsr.engines.tensorrt.plan_file import identity
from vidsr.engines.tensorrt.tensorrt_graph import for_tensorrt, inner_shape, outer_shape, spec_of

TYPES = {TensorProto.UINT8, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64}  # those that TensorRT supports


def attached(*, channels: int = 1, bits: int = 8, scale: int = 2, **options: Any) -> bytes:
    model = network(channels=channels, scale=scale, **options)
    color = ColorSpec(BT709, full_range=False)
    return edged(
        model,
        channels=channels,
        height=HEIGHT,
        width=WIDTH,
        bits=bits,
        color=color,
        shuffled=True,
        guarded=True,
        name="mine",
    )


def run(graph: bytes, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    model = onnx.load_from_string(graph)
    results = ReferenceEvaluator(model).run(None, inputs)
    return {port.name: np.ascontiguousarray(array) for port, array in zip(model.graph.output, results, strict=True)}


KINDS = [
    {"channels": 1},
    {"channels": 1, "scale": 3, "qp": 0.5},
    {"channels": 1, "unshuffle": 2},
    {"channels": 1, "columns": 2, "qp": 0.5},
    {"channels": 3},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [8, 10])
def test_it_computes_the_same_planes_through_types_that_tensorrt_knows(kind: dict[str, Any], bits: int) -> None:
    graph = attached(bits=bits, **kind)
    inputs = planes(graph, bits)
    expected = run(graph, inputs)
    spec = spec_of(graph, "f32")
    inside = {
        port.name: inputs[port.name].view(np.uint8).reshape(inner_shape(port))
        if port.dtype == np.uint16
        else inputs[port.name]
        for port in spec.inputs
    }
    built = for_tensorrt(graph, "f32")
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(built), strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    found = run(built, inside)
    assert [port.name for port in spec.outputs] == list(found) == list(expected)
    for port in spec.outputs:
        array = found[port.name]
        if port.name == FINITE:
            assert array == expected[FINITE]
            continue
        assert array.dtype == np.uint8
        shape = outer_shape(array.shape, port.dtype)
        np.testing.assert_array_equal(array.view(port.dtype).reshape(shape), expected[port.name])
    ports = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    assert {port.type.tensor_type.elem_type for port in ports} <= TYPES


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_strongly_float16(kind: dict[str, Any]) -> None:
    graph = attached(**kind)
    count = sum(node.op_type == "Conv" for node in onnx.load_from_string(graph).graph.node)
    check_all_half(for_tensorrt(graph, "f16"), count)


def test_what_is_asked_of_an_engine_is_read_from_the_graph() -> None:
    spec = spec_of(attached(qp=0.5), "f16")
    assert spec.shapes == {"in.y": (1, 1, HEIGHT, WIDTH), "quantiser": (1, 1, 1, 1)}
    assert spec.command == f"vidsr export mine --trt --size {WIDTH}x{HEIGHT}"
    assert spec_of(attached(qp=0.5), "f32").command.endswith(" --precision f32")
    assert {port.name: port.dtype for port in spec.outputs} == {"out.y": np.uint8, FINITE: np.float32}


def test_the_command_is_no_part_of_what_a_graph_is() -> None:
    graph = onnx.load_from_string(attached())
    for entry in graph.metadata_props:
        if entry.key == REBUILD:
            entry.value = "another"
    assert identity(graph.SerializeToString()) == identity(attached())
