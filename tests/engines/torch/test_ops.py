"""Each of ONNX's operators that PyTorch is given, against ONNX Runtime."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from vidsr.engines import open_engine
from vidsr.engines.torch.torch_graph import OPERATORS

Draw = Any
SHAPE = (2, 4, 6, 8)
tried: set[str] = set()


def held_against(
    operator: str,
    *inputs: Any,
    shape: tuple[int, ...] = SHAPE,
    opset: int = 18,
    positive: bool = False,
    outputs: int = 1,
    off: float = 1e-5,
    **attributes: Any,
) -> None:
    """Run an operator on a random picture by both engines. inputs: those after the picture, None where left out."""
    tried.add(operator)
    stored = {f"c{place}": np.asarray(value) for place, value in enumerate(inputs) if value is not None}
    names = ["x", *(f"c{place}" if value is not None else "" for place, value in enumerate(inputs))]
    made = [f"y{place}" for place in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(operator, names, made, **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in made],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    for port, inferred in zip(graph.output, onnx.shape_inference.infer_shapes(model).graph.output, strict=True):
        port.type.CopyFrom(inferred.type)
        port.type.tensor_type.ClearField("shape")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    picture = np.random.default_rng(0).normal(0, 2, shape).astype(np.float32)
    picture = np.abs(picture) + 0.1 if positive else picture
    ours, theirs = (answer(model.SerializeToString(), picture, engine) for engine in ("torch", "onnxruntime"))
    for name in made:
        assert ours[name].dtype == theirs[name].dtype
        np.testing.assert_allclose(ours[name], theirs[name], atol=off, rtol=off)


def answer(graph: bytes, picture: NDArray[np.float32], engine: str) -> dict[str, NDArray[Any]]:
    with open_engine(graph, engine=engine, device="cpu", precision="f32", in_flight=1) as opened:
        return {name: array.copy() for name, array in opened.submit({"x": picture}).result().items()}


def weights(*shape: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def whole(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


OF_ONE = {
    "Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "GlobalAveragePool", "HardSigmoid", "HardSwish", "Identity",
    "LeakyRelu", "Neg", "Relu", "Round", "Sigmoid", "Sin", "Softmax", "Softplus", "Tanh",
}  # fmt: skip


@pytest.mark.parametrize("operator", sorted(OF_ONE))
def test_arithmetic_of_one_picture(operator: str) -> None:
    held_against(operator)


@pytest.mark.parametrize("operator", ["Log", "Reciprocal", "Sqrt"])
def test_arithmetic_of_a_positive_picture(operator: str) -> None:
    held_against(operator, positive=True)


@pytest.mark.parametrize(
    "operator",
    ["Add", "Div", "Max", "Min", "Mul", "Sub", "Sum", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"],
)
@pytest.mark.parametrize("shape", [(), (4, 1, 1), SHAPE])
def test_arithmetic_of_two(operator: str, shape: tuple[int, ...]) -> None:
    held_against(operator, weights(*shape))


@pytest.mark.parametrize(("operator", "expected"), [("Div", [-2, 0, 1, 3]), ("Mod", [2, 2, 2, 0])])
def test_whole_numbers_are_divided_as_onnx_does(operator: str, expected: list[int]) -> None:
    tried.add(operator)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT32),
            helper.make_node(operator, ["whole", "three"], ["third"]),
            helper.make_node("Cast", ["third"], ["y"], to=TensorProto.FLOAT),
        ],
        "third",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(3, np.int32), "three")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = np.array([-7, -1, 5, 9], np.float32)
    np.testing.assert_array_equal(answer(model.SerializeToString(), given, "torch")["y"], expected)


def test_halves_are_rounded_to_the_even_number() -> None:
    graph = helper.make_graph(
        [helper.make_node("Round", ["x"], ["y"])],
        "round",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = np.array([0.5, 1.5, 2.5, -0.5], np.float32)
    np.testing.assert_array_equal(answer(model.SerializeToString(), given, "torch")["y"], [0, 2, 2, 0])


@pytest.mark.parametrize("power", [np.float32(2), np.float32(0.5), np.int64(3)])
def test_powers(power: Any) -> None:
    held_against("Pow", power, positive=True)


@pytest.mark.parametrize("slope", [(1,), (4, 1, 1), (1, 4, 1, 1), (6, 8)])
def test_prelu_has_a_slope_a_channel_or_any_other(slope: tuple[int, ...]) -> None:
    held_against("PRelu", weights(*slope))


@pytest.mark.parametrize("limits", [(), (np.float32(0),), (None, np.float32(1)), (np.float32(-1), np.float32(1))])
def test_clip(limits: tuple[Any, ...]) -> None:
    held_against("Clip", *limits)


@pytest.mark.parametrize("how", ["none", "tanh"])
def test_gelu_and_mish(how: str) -> None:
    held_against("Gelu", opset=20, approximate=how, off=1e-4)
    held_against("Mish", off=1e-4)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL])
def test_casts(kind: int) -> None:
    held_against("Cast", to=kind)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.UINT16])
def test_casts_to_codes(kind: int) -> None:
    held_against("Cast", positive=True, to=kind)


@settings(deadline=None, max_examples=40)
@given(
    group=st.sampled_from([1, 2, 4]),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.one_of(
        st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]), st.tuples(*[st.integers(0, 2) for _ in range(4)])
    ),
    bias=st.booleans(),
)
def test_convolutions(group: int, kernel: Any, strides: Any, dilations: Any, padding: Any, bias: bool) -> None:
    how = {"auto_pad": padding} if isinstance(padding, str) else {"pads": padding}
    if isinstance(padding, str):
        dilations = (1, 1)  # ONNX Runtime has SAME without dilation only
    given = [weights(8, 4 // group, *kernel)] + ([weights(8)] if bias else [])
    shape = (1, 4, 9, 12)
    held_against("Conv", *given, shape=shape, group=group, strides=strides, dilations=dilations, **how)


@settings(deadline=None, max_examples=30)
@given(
    group=st.sampled_from([1, 2]),
    kernel=st.tuples(st.integers(2, 4), st.integers(2, 4)),
    stride=st.integers(1, 3),
    pads=st.tuples(*[st.integers(0, 1) for _ in range(4)]),
    more=st.integers(0, 1),
    bias=st.booleans(),
)
def test_transposed_convolutions(group: int, kernel: Any, stride: int, pads: Any, more: int, bias: bool) -> None:
    given = [weights(4, 6 // group, *kernel)] + ([weights(6)] if bias else [])
    more = min(more, stride - 1)
    held_against("ConvTranspose", *given, group=group, strides=[stride] * 2, pads=pads, output_padding=[more] * 2)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("pads", [0, 1])
@pytest.mark.parametrize("ceil", [0, 1])
def test_pools(operator: str, pads: int, ceil: int) -> None:
    more = {"count_include_pad": 1} if operator == "AveragePool" and pads else {}
    size = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [pads] * 4}
    held_against(operator, shape=(1, 2, 9, 11), ceil_mode=ceil, **size, **more)


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
@pytest.mark.parametrize("side", [2, 3])
def test_pixels_move_between_depth_and_space(mode: str, side: int) -> None:
    held_against("DepthToSpace", shape=(2, 2 * side**2, 3, 5), blocksize=side, mode=mode)
    held_against("SpaceToDepth", shape=(2, 3, 2 * side, 4 * side), blocksize=side)


@settings(deadline=None, max_examples=80)
@given(
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    where=st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"]),
    rounding=st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    outside=st.booleans(),
    factors=st.tuples(st.sampled_from([1.0, 2.0, 3.0, 4.0, 1.5, 0.5]), st.sampled_from([1.0, 2.0, 4.0, 2.5, 0.5])),
    by_size=st.booleans(),
)
def test_resizes(mode: str, where: str, rounding: str, outside: bool, factors: Any, by_size: bool) -> None:
    how = {"mode": mode, "coordinate_transformation_mode": where}
    how |= {"nearest_mode": rounding} if mode == "nearest" else {}
    how |= {"exclude_outside": 1} if mode == "cubic" and outside else {}
    shape = (1, 2, 8, 12)
    wanted = [int(side * factor) for side, factor in zip(shape, (1, 1, *factors), strict=True)]
    sizes = (None, None, whole(*wanted)) if by_size else (None, np.array([1, 1, *factors], np.float32))
    held_against("Resize", *sizes, shape=shape, opset=19, off=1e-4, **how)


def test_a_resize_that_names_its_axes() -> None:
    held_against("Resize", None, np.array([2, 3], np.float32), axes=[2, 3], mode="linear", off=1e-4)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_padding(mode: str) -> None:
    held_against("Pad", whole(0, 0, 1, 2, 0, 0, 3, 0), opset=19, mode=mode)
    held_against("Pad", whole(2, 1), None, whole(3), opset=19, mode=mode)


def test_padding_with_a_value_and_by_less_than_nothing() -> None:
    held_against("Pad", whole(0, 1, 1, 2, 0, 0, 3, 0), np.float32(0.7))
    held_against("Pad", whole(0, 0, -1, 0, 0, 0, 0, -2))


@settings(deadline=None, max_examples=40)
@given(
    bounds=st.tuples(st.integers(-10, 10), st.integers(-10, 10), st.sampled_from([1, 2, 3, -1, -2])),
    axis=st.sampled_from([2, 3, -1, -3]),
)
def test_slices(bounds: Any, axis: int) -> None:
    length = len(range(*slice(*bounds).indices(SHAPE[axis])))
    if length:  # ONNX Runtime and we agree on nothing, too, but nothing is no picture
        start, end, step = bounds
        held_against("Slice", whole(start), whole(end), whole(axis), whole(step))


def test_slices_of_several_axes() -> None:
    held_against("Slice", whole(0, 1, 2), whole(1, 99, -1), whole(0, 2, 3))
    held_against("Slice", whole(0, 1), whole(2, 3))


@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions(operator: str, keep: int) -> None:
    held_against(operator, whole(1), keepdims=keep)
    held_against(operator, whole(-1, -2), keepdims=keep)
    held_against(operator, keepdims=keep)
    held_against(operator, noop_with_empty_axes=1, keepdims=keep)


def test_reductions_as_older_operators_say_it() -> None:
    held_against("ReduceMean", opset=13, axes=[2, 3])
    held_against("ReduceMax", opset=13, axes=[1], keepdims=0)


@pytest.mark.parametrize("wanted", [(2, -1), (0, 0, 48), (8, 6, 8), (0, 2, 2, 6, 8)])
def test_shapes(wanted: tuple[int, ...]) -> None:
    held_against("Reshape", whole(*wanted))


def test_axes_come_and_go() -> None:
    held_against("Flatten")
    held_against("Flatten", axis=2)
    held_against("Transpose")
    held_against("Transpose", perm=[0, 2, 3, 1])
    held_against("Unsqueeze", whole(0, -1))
    held_against("Squeeze", whole(0, 2), shape=(1, 3, 1, 5))
    held_against("Squeeze", shape=(1, 3, 1, 5))
    held_against("Expand", whole(2, 1, 3, 1), shape=(1, 4, 1, 6))
    held_against("Tile", whole(1, 2, 1, 3))


def test_parts_and_wholes() -> None:
    held_against("Concat", weights(2, 3, 6, 8), axis=1)
    held_against("Concat", weights(2, 4, 6, 1), axis=-1)
    held_against("Split", whole(1, 3), outputs=2, axis=1)
    held_against("Split", outputs=3, axis=2, num_outputs=3)
    held_against("Split", outputs=2, axis=3, opset=13)
    held_against("Split", outputs=3, axis=3, num_outputs=3)  # 8 into 3, 3 and 2
    held_against("Gather", whole(1), axis=3)
    held_against("Gather", np.array(-1, np.int64), axis=1)
    held_against("Gather", np.array([[0, 1], [3, -4]], np.int64), axis=1)


def test_norms() -> None:
    spread = np.abs(weights(4, seed=2)) + 0.5
    held_against("BatchNormalization", weights(4), weights(4, seed=3), weights(4, seed=4), spread, epsilon=1e-3)
    held_against("InstanceNormalization", weights(4), weights(4, seed=3))
    held_against("LayerNormalization", weights(8), weights(8, seed=3), off=1e-4)
    held_against("LayerNormalization", weights(6, 8), axis=2, off=1e-4)


def test_products_of_matrices_and_choices() -> None:
    held_against("MatMul", weights(8, 5))
    held_against("MatMul", weights(2, 4, 8, 3))


def test_what_is_computed_of_sizes() -> None:
    """As exporters write a reshape to the size of a picture: none of it is left when pictures come."""
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Shape", ["x"], ["sides"], start=2),
        helper.make_node("Constant", [], ["two"], value_int=2),
        helper.make_node("Constant", [], ["ones"], value_ints=[1, 1]),
        helper.make_node("Mul", ["sides", "two"], ["twice"]),
        helper.make_node("Concat", ["ones", "twice"], ["tall"], axis=0),
        helper.make_node("ConstantOfShape", ["tall"], ["level"], value=helper.make_tensor("v", 1, [1], [0.5])),
        helper.make_node("Constant", [], ["none"], value_int=0),
        helper.make_node("Constant", [], ["one"], value_int=1),
        helper.make_node("Gather", ["sides", "one"], ["across"]),
        helper.make_node("Mul", ["across", "two"], ["end"]),
        helper.make_node("Range", ["none", "end", "one"], ["columns"]),
        helper.make_node("Cast", ["columns"], ["ramp"], to=TensorProto.FLOAT),
        helper.make_node("Less", ["ramp", "limit"], ["left"]),
        helper.make_node("Not", ["left"], ["right"]),
        helper.make_node("And", ["right", "right"], ["same"]),
        helper.make_node("Or", ["same", "right"], ["both"]),
        helper.make_node("Where", ["both", "level", "ramp"], ["mixed"]),
        helper.make_node("Slice", ["size", "zero", "limit_whole"], ["lead"]),
        helper.make_node("Tile", ["x", "repeats"], ["tiled"]),
        helper.make_node("Add", ["tiled", "mixed"], ["y"]),
    ]
    stored = {"limit": np.float32(3), "zero": whole(0), "limit_whole": whole(2), "repeats": whole(1, 1, 2, 2)}
    graph = helper.make_graph(
        nodes,
        "sizes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 3, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    tried.update(node.op_type for node in nodes)
    picture = weights(1, 1, 3, 4)
    np.testing.assert_allclose(answer(model, picture, "torch")["y"], answer(model, picture, "onnxruntime")["y"])


def test_no_operator_was_forgotten() -> None:
    assert set(OPERATORS) <= tried
