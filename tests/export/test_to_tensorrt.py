"""Building TensorRT engines, as far as that goes without a GPU: sizes, graphs, timings, and what is refused."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.networks import network, receptive_field, save
from vidsr.card import ModelCard
from vidsr.color import BT2020, ColorSpec
from vidsr.engines import Setup, open_engine
from vidsr.engines.fp16 import halved
from vidsr.engines.gpus import gpus
from vidsr.engines.tensorrt.plan_file import identity
from vidsr.engines.tensorrt.tensorrt_graph import for_tensorrt, spec_of
from vidsr.errors import EngineError, ParityFailed, WrongOption
from vidsr.export.tensorrt_build import keep_timings, read_timings
from vidsr.export.tensorrt_parity import check_engine
from vidsr.export.to_tensorrt import Sizes, export_engine, graph_for, in_bands, limits_of, with_dynamic_sizes
from vidsr.frames import Frame
from vidsr.options import UpscaleOptions
from vidsr.upscaling import fp16_guard as watched
from vidsr.upscaling import gpu_session as surface_lane
from vidsr.upscaling import session as session
from vidsr.upscaling.gpu_session import GpuSession
from vidsr.upscaling.graph.frame_format import FrameFormat
from vidsr.upscaling.model_file import Model, load_model
from vidsr.upscaling.session import Session, SessionOptions

VARYING = Sizes((64, 48), (96, 64), (128, 96))
FIXED = Sizes((96, 64), (96, 64), (96, 64))
COLOR = ColorSpec(BT2020, full_range=False)
PIXELS = FrameFormat(96, 64, color=COLOR)
KINDS = [
    (1, PIXELS),
    (1, replace(PIXELS, bits=10)),
    (1, replace(PIXELS, surface=True)),
    (3, PIXELS),
    (3, replace(PIXELS, bits=10, color=replace(COLOR, subsampling=(0, 0)))),
    (3, replace(PIXELS, gray=True)),
    (3, replace(PIXELS, bits=10, surface=True)),
]


def stored(folder: Path, channels: int, **options: Any) -> Model:
    options = {"layers": 2, "residual": 0.5, "qp": 0.3, **options}
    step = options.get("unshuffle", 1)
    card = ModelCard("mine", 2, channels, receptive_field(2, step), step, qp=True)  # type: ignore[arg-type]
    return load_model(save(network(channels=channels, **options), folder / "mine.onnx", card))


def frame(pixels: FrameFormat) -> Frame:
    """A picture of this kind, all black."""
    kind = np.uint8 if pixels.bits == 8 else np.uint16
    across, down = pixels.color.subsampling
    small = pixels.height >> down, pixels.width >> across
    shapes: list[tuple[int, ...]] = [(pixels.height, pixels.width), small, small]
    if pixels.surface:
        shapes = [shapes[0], (*small, 2)]
    planes = tuple(np.zeros(shape, kind) for shape in shapes[: 1 if pixels.gray else 3])
    return Frame(planes, pixels.color, pixels.bits, 0, 1, Fraction(1, 25))


@pytest.mark.parametrize(("channels", "pixels"), KINDS)
@pytest.mark.parametrize("precision", ["f16", "f32"])
@pytest.mark.parametrize("unshuffle", [1, 4])
def test_an_engine_is_built_of_the_very_graph_that_an_upscaler_asks_for(
    channels: int, pixels: FrameFormat, precision: Any, unshuffle: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = replace(pixels, width=pixels.width - 2 if unshuffle > 1 else pixels.width)  # and so filled up
    asked: list[bytes] = []
    for module in (session, surface_lane):
        monkeypatch.setattr(module, "setup_for", lambda *_: Setup("tensorrt", "cuda", precision))
    monkeypatch.setattr(watched, "open_engine", lambda graph, **_: asked.append(graph) or open_engine(graph))
    model = stored(tmp_path, channels, unshuffle=unshuffle)
    options = SessionOptions(UpscaleOptions(engine="tensorrt", device="cuda", precision=precision))
    if pixels.surface:
        GpuSession(model, frame(pixels), options, on_device=False).close()
    else:
        Session(model, frame(pixels), options).close()
    built = graph_for(model, pixels, guarded=precision == "f16")
    assert spec_of(asked[0], precision) == spec_of(built, precision)


class Asked(Exception):
    """An engine was asked for."""


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160)])
def test_for_large_frames_an_engine_is_built_for_bands(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def note(graph: bytes, **_: Any) -> None:
        asked.append(graph)
        raise Asked

    monkeypatch.setattr(session, "setup_for", lambda *_: Setup("tensorrt", "cuda", "f16"))
    monkeypatch.setattr(watched, "open_engine", note)
    model, large = stored(tmp_path, 1), replace(PIXELS, width=size[0], height=size[1])
    with pytest.raises(Asked):
        Session(model, frame(large), SessionOptions(UpscaleOptions(engine="tensorrt", device="cuda", precision="f16")))
    warnings: list[str] = []
    sizes = in_bands(Sizes(size, size, size), model, warnings.append)
    assert (sizes.best == size) == (size == (1920, 1080)) == (not warnings)
    built = graph_for(model, replace(large, width=sizes.best[0], height=sizes.best[1]), guarded=True)
    assert spec_of(asked[0], "f16") == spec_of(built, "f16")


@pytest.mark.parametrize(("channels", "pixels"), KINDS)
def test_its_command_builds_it_again(channels: int, pixels: FrameFormat, tmp_path: Path) -> None:
    command = spec_of(graph_for(stored(tmp_path, channels), pixels, guarded=True), "f16").command
    assert command.startswith(f"vidsr export {tmp_path / 'mine.onnx'} --trt --size 96x64")
    assert ("--bits 10" in command) == (pixels.bits == 10)
    assert ("--surface" in command) == pixels.surface


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 10])
def test_a_graph_whose_sizes_vary_is_the_graph_of_each_of_them(channels: int, bits: int, tmp_path: Path) -> None:
    model, pixels = stored(tmp_path, channels), replace(PIXELS, bits=bits)
    graph = graph_for(model, pixels, guarded=True)
    small, large = (replace(pixels, width=size[0], height=size[1]) for size in (VARYING.least, VARYING.most))
    limits = {name: limits_of(name, shape, VARYING) for name, shape in spec_of(graph, "f16").shapes.items()}
    for pick, other in ((0, small), (2, large)):
        spec = spec_of(graph_for(model, other, guarded=True), "f16")
        assert spec.graph == identity(graph)
        assert {name: tuple(shapes[pick]) for name, shapes in limits.items()} == spec.shapes
    built = onnx.load_from_string(for_tensorrt(with_dynamic_sizes(graph, limits), "f16"))
    dims = {port.name: [dim.dim_value for dim in port.type.tensor_type.shape.dim] for port in built.graph.input}
    assert dims["in.y"] == [1, 1, 0, 0, 2][: 5 if bits == 10 else 4]
    assert dims["quantiser"] == [1, 1, 1, 1]


def test_contradictory_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongOption, match="expected a minimum, a usual and a maximum size, got 96x64 64x48 128x96"):
        Sizes((96, 64), (64, 48), (128, 96))
    with pytest.raises(WrongOption, match="must be even, got 63x48 96x64 128x96"):
        Sizes((63, 48), (96, 64), (128, 96))
    assert str(Sizes((63, 49), (63, 49), (63, 49)).option()) == "--size 63x49"
    assert VARYING.option() == "--dynamic 64x48 96x64 128x96"
    many = stored(tmp_path, 1, unshuffle=8)
    VARYING.check_step(many)
    FIXED.check_step(many)
    with pytest.raises(WrongOption, match="mine with --dynamic must be multiples of 8, got 64x48 96x64 98x66"):
        Sizes((64, 48), (96, 64), (98, 66)).check_step(many)
    with pytest.raises(WrongOption, match="takes one size"):
        export_engine("live-x2", sizes=VARYING, pixels=replace(PIXELS, surface=True))


@pytest.mark.parametrize(("channels", "pixels"), KINDS)
def test_an_engine_that_computes_the_same_passes(channels: int, pixels: FrameFormat, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs vidsr[onnx]")
    model = stored(tmp_path, channels)
    pixels = replace(pixels, width=160, height=96)  # more than the corner that is compared
    graph = halved(graph_for(model, pixels, guarded=True))
    with open_engine(graph, engine="onnxruntime", precision="f32", in_flight=1) as engine:
        assert 0 <= check_engine(engine, model, pixels) < 0.1


@pytest.mark.parametrize("surface", [False, True])
def test_an_engine_that_computes_something_else_fails(surface: bool, tmp_path: Path) -> None:
    pixels = replace(PIXELS, surface=surface)
    other = graph_for(stored(tmp_path, 1, seed=1), pixels, guarded=True)
    with (
        open_engine(other, precision="f32", in_flight=1) as engine,
        pytest.raises(ParityFailed, match=r"of mine differs from f32 by up to \d+ levels.* use --precision f32"),
    ):
        check_engine(engine, stored(tmp_path, 1), pixels)


def test_timings_are_kept_with_their_checksum(tmp_path: Path) -> None:
    path, warnings = tmp_path / "deep" / "timings.cache", []
    assert read_timings(path, warnings.append) == b""
    keep_timings(path, b"timings", warnings.append)
    assert path.read_bytes() == hashlib.sha256(b"timings").digest() + b"timings"
    assert read_timings(path, warnings.append) == b"timings"
    assert not warnings


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 40])
def test_damaged_timings_are_deleted_with_a_warning(tmp_path: Path, damaged: bytes) -> None:
    path, warnings = tmp_path / "timings.cache", []
    path.write_bytes(damaged)
    assert read_timings(path, warnings.append) == b""
    assert len(warnings) == 1 and str(path) in warnings[0] and "is damaged and was deleted" in warnings[0]
    assert not path.exists()


def test_timings_that_cannot_be_written_give_a_warning_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    warnings: list[str] = []
    keep_timings(tmp_path / "file" / "timings.cache", b"timings", warnings.append)
    assert len(warnings) == 1 and warnings[0].endswith("the next build takes as long as this one")


def test_without_a_gpu_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if gpus():
        pytest.skip("there is a GPU here")
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path))
    with pytest.raises(EngineError, match="TensorRT needs an NVIDIA GPU, and this machine has none"):
        export_engine("live-x2", sizes=FIXED, pixels=PIXELS)
    assert not list(tmp_path.iterdir())
