"""Integer planes in, integer planes out, and nothing lost between."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.networks import attached, network, runnable
from vidsr.card import QP_NAME
from vidsr.color import BT709, BT2020, SMPTE170M, ChromaLocation, ColorSpec, rgb_to_yuv
from vidsr.engines import Precision, open_engine
from vidsr.engines.graph_format import PLANES_IN, UNSHUFFLED
from vidsr.errors import NotAModel
from vidsr.upscaling.graph.edges import luma_top, plane_index, shuffle

Planes = list[NDArray[Any]]
MATRICES = (BT709, SMPTE170M, BT2020)
DEPTHS = [(bits, full_range) for bits in (8, 10) for full_range in (False, True)]


def run(
    model: onnx.ModelProto,
    planes: Planes,
    color: ColorSpec,
    *,
    channels: int = 1,
    bits: int = 8,
    engine: str = "auto",
    precision: Precision = "f32",
    more: Mapping[str, NDArray[Any]] | None = None,
) -> Planes:
    """Attach the edges, run once, put unshuffled luma into place."""
    height, width = planes[0].shape
    graph = attached(
        model, channels=channels, height=height, width=width, bits=bits, color=color, gray=len(planes) == 1
    )  # fmt: skip
    inputs = {name: plane[None, None] for name, plane in zip(PLANES_IN, planes, strict=False)}
    with open_engine(graph, engine=engine, precision=precision, in_flight=1) as opened:
        results = opened.submit({**inputs, **(more or {})}).result()
        large = {}
        for name, codes in results.items():
            index = plane_index(name)
            large[index] = codes[0, 0].copy()
            if name == UNSHUFFLED:
                scale = round(codes.shape[3] ** 0.5)
                large[index] = np.empty((height * scale, width * scale), planes[0].dtype)
                shuffle(codes, large[index])
        return [large[index] for index in sorted(large)]


def every_code(bits: int) -> NDArray[Any]:
    codes = np.arange(1 << bits, dtype=np.uint8 if bits == 8 else np.uint16)
    return np.resize(codes, (32, 64)).copy()


def repeated(plane: NDArray[Any], scale: int) -> NDArray[Any]:
    return plane.repeat(scale, 0).repeat(scale, 1)


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize(("bits", "full_range"), DEPTHS)
@pytest.mark.parametrize("unshuffle", [1, 2])
def test_a_luma_network_that_adds_nothing_gives_every_code_back(
    engine: str, bits: int, full_range: bool, unshuffle: int
) -> None:
    codes, color = every_code(bits), ColorSpec(BT709, full_range)
    model = network(scale=3, residual=0, unshuffle=unshuffle)
    (large,) = run(model, [codes], color, bits=bits, engine=engine)
    np.testing.assert_array_equal(large, repeated(codes, 3))


@pytest.mark.parametrize(("bits", "full_range"), DEPTHS)
def test_in_bf16_too_what_a_luma_network_adds_to_stays_exact(bits: int, full_range: bool) -> None:
    codes = every_code(bits)
    (large,) = run(
        network(scale=4, residual=0), [codes], ColorSpec(BT709, full_range), bits=bits, precision="auto"
    )  # fmt: skip
    np.testing.assert_array_equal(large, repeated(codes, 4))


@pytest.mark.parametrize("width", [8, 16, 32])
def test_what_a_network_adds_in_bf16_is_rounded_once(width: int) -> None:
    model = network(scale=4, width=width, residual=0.02, layers=3)
    color = ColorSpec(BT709, full_range=True)
    exact, ours = (run(model, [every_code(8)], color, precision=precision)[0] for precision in ("f32", "auto"))
    assert np.abs(exact.astype(int) - ours).max() <= 1
    assert (exact != ours).mean() < 0.02


def test_a_level_means_the_same_to_a_luma_network_at_every_depth() -> None:
    assert [luma_top(bits, full) for bits in (8, 10) for full in (False, True)] == [255, 255, 1020, 1023]
    codes = np.random.default_rng(0).integers(16, 236, (16, 24), np.uint8)
    color = ColorSpec(BT709, full_range=False)
    (eight,) = run(network(residual=0.5), [codes], color)
    (ten,) = run(network(residual=0.5), [codes.astype(np.uint16) * 4], color, bits=10)
    assert np.abs(ten / 4 - eight).max() <= 0.75


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10])
def test_the_pixel_shuffle_outside_the_graph_is_the_one_inside(engine: str, scale: int, bits: int) -> None:
    model = network(scale=scale, residual=1)
    inside = network(scale=scale, residual=1)
    inside.graph.node.append(helper.make_node("Identity", ["y"], ["z"]))
    inside.graph.output[0].name = "z"
    codes = every_code(bits)
    color = ColorSpec(BT709, full_range=True)
    (ours,), (theirs,) = (run(each, [codes], color, bits=bits, engine=engine) for each in (model, inside))
    # what is added to whole codes, rather than to codes / top, may fall on the other side of a half
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.001


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("scale", [2, 3])
def test_the_network_between_the_edges_is_the_stored_one(engine: str, scale: int) -> None:
    codes = every_code(8)
    model = network(scale=scale, residual=1)
    (large,) = run(model, [codes], ColorSpec(BT709, full_range=True), engine=engine)
    for dim, side in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 1, *codes.shape), strict=True):
        dim.dim_value = side
    with open_engine(model.SerializeToString(), engine=engine, precision="f32") as opened:
        plain = opened.submit({"x": codes[None, None].astype(np.float32) / 255}).result()["y"][0, 0]
    assert np.abs(np.clip(plain * 255, 0, 255) - large).max() < 0.501


def affine(gain: float, offset: float) -> onnx.ModelProto:
    """gain * x + offset, twice as large."""
    constants = {"gain": gain, "offset": offset}
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["moved"]),
            helper.make_node("Concat", ["moved"] * 4, ["four"], axis=1),
            helper.make_node("DepthToSpace", ["four"], ["y"], blocksize=2),
        ],
        "affine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "H", "W"])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("bits", [8, 10])
def test_results_are_rounded_and_clamped_to_all_codes(engine: str, bits: int) -> None:
    top = (1 << bits) - 1
    codes, color = every_code(bits), ColorSpec(BT709, full_range=True)
    (large,) = run(affine(1.7, -0.2), [codes], color, bits=bits, engine=engine)
    expected = np.clip(1.7 * codes - 0.2 * top, 0, top)
    assert np.abs(repeated(expected, 2) - large).max() <= 0.501
    assert (large.min(), large.max()) == (0, top)


def reference(planes: Planes, color: ColorSpec, bits: int) -> Planes:
    """What a network that repeats every pixel makes of the planes, sample by sample at its place; not yet rounded."""
    step, top = 1 << (bits - 8), (1 << bits) - 1
    zeros = np.array([0 if color.full_range else 16, 128, 128]) * step
    spans = np.array([top] * 3 if color.full_range else [219 * step, 224 * step, 224 * step])
    height, width = planes[0].shape

    def places(count: int, axis: int) -> NDArray[Any]:
        """Where chroma samples lie, in luma samples."""
        halved = color.subsampling[1 - axis]
        on_luma = color.chroma_location == "topleft" or (axis == 1 and color.chroma_location == "left")
        return np.arange(count) * (2 if halved else 1) + (0.5 if halved and not on_luma else 0)

    def enlarged(plane: NDArray[Any]) -> NDArray[Any]:
        lines = np.stack([np.interp(np.arange(width), places(plane.shape[1], 1), line) for line in plane])
        return np.stack([np.interp(np.arange(height), places(len(plane), 0), line) for line in lines.T]).T

    def reduced(value: NDArray[Any]) -> NDArray[Any]:
        for axis in (0, 1):
            if not color.subsampling[1 - axis]:
                continue
            count = (value.shape[axis] + 1) // 2
            padded = np.pad(value, [(1, 2) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
            take = [padded.take(np.arange(count) * 2 + offset, axis) for offset in range(3)]
            on_luma = color.chroma_location == "topleft" or (axis == 1 and color.chroma_location == "left")
            value = take[0] / 4 + take[1] / 2 + take[2] / 4 if on_luma else (take[1] + take[2]) / 2
        return value

    units = [(plane.astype(float) - zero) / span for plane, zero, span in zip(planes, zeros, spans, strict=True)]
    yuv = np.stack([units[0], enlarged(units[1]), enlarged(units[2])], axis=2)
    rgb = (yuv @ np.linalg.inv(rgb_to_yuv(color.matrix)).T).repeat(2, 0).repeat(2, 1)
    y, u, v = np.moveaxis(rgb @ rgb_to_yuv(color.matrix).T, 2, 0)
    values = (y, reduced(u), reduced(v))
    return [np.clip(value * span + zero, 0, top) for value, zero, span in zip(values, zeros, spans, strict=True)]


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize(
    ("subsampling", "chroma_location"),
    [((1, 1), "left"), ((1, 1), "center"), ((1, 1), "topleft"), ((1, 0), "left"), ((0, 0), "left")],
)
@pytest.mark.parametrize(("height", "width"), [(12, 20), (11, 19)])
def test_chroma_stays_where_it_sits(
    engine: str, subsampling: tuple[int, int], chroma_location: ChromaLocation, height: int, width: int
) -> None:
    rng = np.random.default_rng(3)
    across, down = subsampling
    small = ((height + down) >> down, (width + across) >> across)
    planes: Planes = [rng.integers(0, 256, size, np.uint8) for size in ((height, width), small, small)]
    color = ColorSpec(SMPTE170M, full_range=False, subsampling=subsampling, chroma_location=chroma_location)
    results = run(network(channels=3, residual=0), planes, color, channels=3, engine=engine)
    for result, expected in zip(results, reference(planes, color, 8), strict=True):
        assert result.shape == expected.shape
        assert np.abs(result - expected).max() < 0.501


def behind_a_wall(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, whose pixel shuffle is not the last operator."""
    walled = onnx.ModelProto.FromString(model.SerializeToString())
    walled.graph.node.append(helper.make_node("Neg", ["y"], ["less"]))
    walled.graph.node.append(helper.make_node("Neg", ["less"], ["wall"]))
    walled.graph.output[0].name = "wall"
    return walled


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize(
    ("scale", "subsampling", "chroma_location"),
    [(4, (1, 1), "left"), (4, (1, 1), "center"), (2, (1, 0), "left"), (3, (0, 0), "left"), (2, (1, 1), "topleft")],
)
@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize(("bits", "height", "width"), [(8, 12, 20), (10, 11, 19)])
def test_the_matrix_inside_the_last_convolution_is_the_one_outside(
    engine: str,
    scale: int,
    subsampling: tuple[int, int],
    chroma_location: ChromaLocation,
    repeats: bool,
    bits: int,
    height: int,
    width: int,
) -> None:
    rng = np.random.default_rng(3)
    model = network(channels=3, scale=scale, residual=0.3)
    if not repeats:
        *_, total, shuffled = model.graph.node
        shuffled.input[0] = total.input[0]
    across, down = subsampling
    small = ((height + down) >> down, (width + across) >> across)
    kind = np.uint8 if bits == 8 else np.uint16
    planes: Planes = [rng.integers(0, 1 << bits, size).astype(kind) for size in ((height, width), small, small)]
    color = ColorSpec(BT709, full_range=False, subsampling=subsampling, chroma_location=chroma_location)
    inside, outside = (
        run(each, planes, color, channels=3, bits=bits, engine=engine) for each in (model, behind_a_wall(model))
    )
    for ours, theirs in zip(inside, outside, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours.astype(int) - theirs).max() <= 1  # a half may fall on either side
        assert (ours != theirs).mean() < 0.01


@pytest.mark.parametrize(("bits", "full_range"), DEPTHS)
@pytest.mark.parametrize("matrix", MATRICES)
def test_an_rgb_network_that_adds_nothing_gives_every_colour_back(bits: int, full_range: bool, matrix: int) -> None:
    rng = np.random.default_rng(matrix)
    codes = rng.integers(0, 1 << bits, (3, 64, 64)).astype(np.uint8 if bits == 8 else np.uint16)
    color = ColorSpec(matrix, full_range, subsampling=(0, 0))
    results = run(network(channels=3, residual=0), list(codes), color, channels=3, bits=bits)
    for result, plane in zip(results, codes, strict=True):
        np.testing.assert_array_equal(result, repeated(plane, 2))


def test_a_gray_picture_goes_through_an_rgb_network() -> None:
    codes = every_code(8)
    (large,) = run(network(channels=3, residual=0), [codes], ColorSpec(BT709, full_range=False), channels=3)
    np.testing.assert_array_equal(large, repeated(codes, 2))


@pytest.mark.parametrize("engine", runnable())
def test_the_stored_quantiser_becomes_an_input(engine: str) -> None:
    model = network(qp=0.25, residual=1)
    codes, color = every_code(8), ColorSpec(BT709, full_range=False)

    def at(value: float) -> NDArray[Any]:
        return run(model, [codes], color, engine=engine, more={QP_NAME: np.full((1, 1, 1, 1), value, np.float32)})[0]

    assert not np.array_equal(at(0.25), at(0.9))


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("opset", [11, 13, 17, 21])
def test_files_of_older_and_newer_operator_sets_run(engine: str, opset: int) -> None:
    codes = every_code(8)
    (large,) = run(network(residual=0, opset=opset), [codes], ColorSpec(BT709, full_range=True), engine=engine)
    np.testing.assert_array_equal(large, repeated(codes, 2))


def test_a_network_in_half_precision_runs() -> None:
    model = network(residual=0)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.elem_type = TensorProto.FLOAT16
    codes = every_code(8)
    (large,) = run(model, [codes], ColorSpec(BT709, full_range=True))
    np.testing.assert_array_equal(large, repeated(codes, 2))


def test_the_stored_model_is_left_as_it_was() -> None:
    model = network(qp=0.5)
    before = model.SerializeToString(deterministic=True)
    attached(model, channels=1, height=8, width=8, bits=8, color=ColorSpec(BT709, full_range=True))
    assert model.SerializeToString(deterministic=True) == before


def test_an_old_network_that_cannot_be_converted_is_refused() -> None:
    model = network(opset=12)
    model.graph.node[-1].op_type = "Nonsense"
    with pytest.raises(NotAModel, match="the network uses opset 12, which ONNX cannot convert to 13"):
        attached(model, channels=1, height=8, width=8, bits=8, color=ColorSpec(BT709, full_range=True))


def test_a_network_that_takes_integers_is_refused() -> None:
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    with pytest.raises(NotAModel, match="the network takes uint8"):
        attached(model, channels=1, height=8, width=8, bits=8, color=ColorSpec(BT709, full_range=True))
