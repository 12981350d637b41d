"""What PyTorch makes of a graph, beside what every engine promises."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")

from tests.engines.test_contract import IN, OUT, graph, picture
from tests.networks import attached, network
from vidsr import zoo
from vidsr.card import read_card
from vidsr.color import BT709, ColorSpec
from vidsr.engines import Precision, Setup, open_engine, settle
from vidsr.engines.graph_format import PLANES_IN
from vidsr.engines.torch import torch_engine
from vidsr.errors import EngineError, NotAModel, OutOfMemory
from vidsr.upscaling.model_file import read_graph as load

HEIGHT, WIDTH = 18, 26


def planes(bits: int, subsampling: tuple[int, int], channels: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(bits)
    across, down = subsampling
    small = ((HEIGHT + down) >> down, (WIDTH + across) >> across)
    sizes = [(HEIGHT, WIDTH), small, small][:channels]
    kind = np.uint8 if bits == 8 else np.uint16
    return {
        name: rng.integers(0, 1 << bits, (1, 1, *size)).astype(kind)
        for name, size in zip(PLANES_IN, sizes, strict=False)
    }


def answer(
    model: bytes, inputs: Mapping[str, Any], engine: str = "torch", precision: Precision = "f32"
) -> dict[str, NDArray[Any]]:
    with open_engine(model, engine=engine, device="cpu", precision=precision, in_flight=1) as opened:
        return {name: array.copy() for name, array in opened.submit(inputs).result().items()}


def plain(*nodes: onnx.NodeProto, shape: tuple[int, ...] = (1, 1, 4, 4), **stored: NDArray[Any]) -> bytes:
    """A graph of x and y."""
    made = helper.make_graph(
        list(nodes),
        "plain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize(
    ("name", "subsampling"),
    [("live-x4", (1, 1)), ("fast-x2", (1, 1)), *(("srresnet-x4", each) for each in ((0, 0), (1, 0), (1, 1)))],
)
def test_the_shelfs_networks_are_computed_as_openvino_does(
    name: str, subsampling: tuple[int, int], bits: int, full_range: bool
) -> None:
    path = zoo.find(name)
    card = read_card(path)
    assert card is not None
    color = ColorSpec(
        BT709, full_range, subsampling=subsampling, chroma_location="left" if any(subsampling) else "center"
    )
    model = attached(load(path), channels=card.channels, height=HEIGHT, width=WIDTH, bits=bits, color=color)
    inputs = planes(bits, subsampling, card.channels)
    inputs |= {"quantiser": np.full((1, 1, 1, 1), 0.4, np.float32)} if card.qp else {}
    expected, ours = answer(model, inputs, "openvino"), answer(model, inputs)
    assert expected.keys() == ours.keys()
    for port, codes in ours.items():
        off = np.abs(codes.astype(int) - expected[port])
        assert codes.dtype == expected[port].dtype
        assert off.max() <= 1 and (off > 0).mean() < 0.005  # sums in another order fall on the other side of a half


@pytest.mark.parametrize(("precision", "most"), [("f16", 1), ("bf16", 8)])
def test_a_coarser_precision_is_that_of_the_convolutions(precision: Precision, most: int) -> None:
    model, codes = graph(residual=1), {IN: picture()}
    off = np.abs(answer(model, codes, precision=precision)[OUT].astype(int) - answer(model, codes)[OUT])
    assert 0 < off.max() <= most
    repeats = graph(residual=0)
    np.testing.assert_array_equal(answer(repeats, codes, precision=precision)[OUT], answer(repeats, codes)[OUT])


@pytest.mark.parametrize("bits", [8, 10])
def test_a_pixel_shuffle_that_stays_in_the_graph_gives_the_plane(bits: int) -> None:
    codes, color = planes(bits, (1, 1), 1), ColorSpec(BT709, False)
    options: dict[str, Any] = {"channels": 1, "height": HEIGHT, "width": WIDTH, "bits": bits, "color": color}
    (apart,) = answer(attached(network(scale=3), **options), codes).values()
    (whole,) = answer(attached(network(scale=3), **options, shuffled=True), codes).values()
    shuffled = apart.reshape(HEIGHT, WIDTH, 3, 3).transpose(0, 2, 1, 3).reshape(whole.shape)
    np.testing.assert_array_equal(whole, shuffled)


def test_what_lies_on_the_device_is_read_there_and_may_stay_there() -> None:
    lent = torch.from_numpy(picture())
    with open_engine(graph(), engine="torch", device="cpu", precision="f32") as engine:
        expected = engine.submit({IN: picture()}).result()[OUT].copy()
        np.testing.assert_array_equal(engine.submit({IN: lent}).result()[OUT], expected)
        np.testing.assert_array_equal(engine.submit({IN: lent[0, 0]}).result()[OUT], expected)  # as decoders shape it
        first = engine.submit({IN: lent}, on_device=True).result()[OUT]  # type: ignore[call-arg]
        for seed in range(1, 4):
            engine.submit({IN: picture(seed)}, on_device=True).result()  # type: ignore[call-arg]
        np.testing.assert_array_equal(np.from_dlpack(first), expected)  # whoever took it keeps it


def test_a_lent_picture_of_another_size_is_refused() -> None:
    with open_engine(graph(), engine="torch", device="cpu") as engine:
        with pytest.raises(EngineError, match=r"in.y is \(1, 1, 3, 40\); the network takes \(1, 1, 24, 40\)"):
            engine.submit({IN: picture(0, 3)})
        with pytest.raises(EngineError, match=r"cannot run the network: shape .* is invalid"):
            engine.submit({IN: torch.zeros(3, 4, dtype=torch.uint8)}).result()
        assert engine.submit({IN: picture()}).result()  # and nothing is stuck


def test_weights_stored_in_f16_are_computed_in_what_is_asked_for() -> None:
    cast = helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16)
    conv = helper.make_node("Conv", ["half", "w"], ["wide"])
    back = helper.make_node("Cast", ["wide"], ["y"], to=TensorProto.FLOAT)
    model = plain(cast, conv, back, w=np.full((1, 1, 1, 1), 3, np.float16))
    given = {"x": np.full((1, 1, 4, 4), 1 + 2**-14, np.float32)}  # what f16 does not hold
    assert np.all(answer(model, given)["y"] == 3 * (1 + 2**-14))
    assert np.all(answer(model, given, precision="f16")["y"] == 3)


def test_an_operator_that_is_not_known_is_named() -> None:
    with pytest.raises(NotAModel, match="the operator Det is not supported; use --engine openvino"):
        answer(plain(helper.make_node("Det", ["x"], ["y"])), {})
    with pytest.raises(NotAModel, match=r"the operator com\.example\.Relu is not supported"):
        answer(plain(helper.make_node("Relu", ["x"], ["y"], domain="com.example")), {})


def test_a_setting_that_is_not_known_is_named() -> None:
    resize = helper.make_node("Resize", ["x", "", "by"], ["y"], coordinate_transformation_mode="tf_crop_and_resize")
    with pytest.raises(NotAModel, match="its Resize in mode tf_crop_and_resize is not supported"):
        answer(plain(resize, by=np.array([1, 1, 2, 2], np.float32)), {})
    reshape = [
        helper.make_node("Cast", ["x"], ["n"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["x", "n"], ["y"]),
    ]
    with pytest.raises(NotAModel, match="its Reshape depends on the content of the picture"):
        answer(plain(*reshape, shape=(4,)), {})


def test_a_graph_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(NotAModel, match="w, an input of its Conv, is not computed"):
        answer(plain(helper.make_node("Conv", ["x", "w"], ["y"])), {})
    with pytest.raises(NotAModel, match=r"cannot run the network: .* to have 3 channels"):
        answer(plain(helper.make_node("Conv", ["x", "w"], ["y"]), w=np.zeros((2, 3, 1, 1), np.float32)), {})
    with pytest.raises(NotAModel, match="its output y is not computed from its input"):
        answer(plain(helper.make_node("Identity", ["w"], ["y"]), w=np.zeros(3, np.float32)), {})


def test_a_picture_that_does_not_fit_is_told_to_be_cut() -> None:
    tile = helper.make_node("Tile", ["x", "times"], ["y"])
    with pytest.raises(OutOfMemory, match="give a smaller --tile"):
        answer(plain(tile, times=np.array([1, 1, 1 << 24, 1 << 24], np.int64)), {})


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "f32")])
def test_precision_auto_on_a_cpu_is_bf16_only_if_that_is_native(
    native: bool, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_engine, "has_native_bf16", lambda: native)
    assert settle(engine="torch", device="cpu") == Setup("torch", "cpu", precision)


@pytest.mark.parametrize(
    ("count", "device", "sentence"),
    [(0, "cuda", "finds no GPU here"), (2, "cuda:2", "finds 2 GPUs here, and cuda:2 is not among them")],
)
def test_a_gpu_that_is_not_there_is_said(
    count: int, device: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(EngineError, match=f"PyTorch {sentence}; use --device cpu"):
        open_engine(graph(), engine="torch", device=device)


def test_precision_auto_is_f16_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert settle(engine="torch") == Setup("torch", "cuda", "f16")
    assert settle(engine="torch", device="cuda:0", precision="bf16") == Setup("torch", "cuda:0", "bf16")
