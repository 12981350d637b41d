"""A network whose numbers are too large for f16."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.engines.test_choice import native_of_openvino
from tests.networks import network, receptive_field, save
from tests.notices import Notices
from tests.upscaling.test_upscaler import frame, same, upscaled
from tests.video.videos import make_video
from vidsr.card import ModelCard
from vidsr.context import Context, ignore
from vidsr.engines import Engine, Setup, installed
from vidsr.engines.fp16 import halved
from vidsr.engines.graph_format import FINITE
from vidsr.frames import Frame
from vidsr.options import UpscaleOptions
from vidsr.pipeline import upscale_video
from vidsr.upscaling import fp16_guard as watched
from vidsr.upscaling.fp16_guard import GuardedEngine
from vidsr.upscaling.upscaler import load_upscaler, open_upscaler

SENTENCE = "{} makes numbers too large for f16, so f32 computes; --precision f32 says so from the start"
HALF = [
    name for name in installed() if name == "torch" or (name == "openvino" and "f16" in native_of_openvino())
]  # fmt: skip

pytestmark = pytest.mark.skipif(not HALF, reason="no engine computes in f16 here")


def saved(folder: Path, *, gain: float, channels: int = 1, name: str = "loud") -> Path:
    """A network whose features are `gain` times as large as its picture needs, which f32 does not mind."""
    model = network(channels=channels, residual=0.5)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for name_of, factor in (("w0", gain), ("b0", gain), ("b1", gain), ("w2", 1 / gain)):
        larger = (numpy_helper.to_array(weights[name_of]) * factor).astype(np.float32)
        weights[name_of].CopyFrom(numpy_helper.from_array(larger, name_of))
    return save(model, folder / f"{name}.onnx", ModelCard(name, 2, channels, receptive_field(2)))


def dark(small: Frame) -> Frame:
    return Frame(tuple(plane // 200 for plane in small.planes), small.color, small.bits)


@pytest.mark.parametrize("engine", HALF)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("tile", [None, 24])
def test_f32_takes_over_and_says_so_once(engine: str, channels: int, tile: int | None, tmp_path: Path) -> None:
    loud = saved(tmp_path, gain=30000, channels=channels)
    told = Notices()
    with load_upscaler(loud, engine=engine, precision="f16", tile=tile, warn=told) as upscaler:
        runs = [upscaler.submit(frame(seed=seed)) for seed in range(2)]
        for seed in range(5):
            same(runs.pop(0).result(), upscaled(frame(seed=seed), loud, engine=engine, tile=tile))
            runs.append(upscaler.submit(frame(seed=seed + 2)))
    assert told.messages == [SENTENCE.format("loud")]


@pytest.mark.parametrize("engine", HALF)
@pytest.mark.parametrize("bits", [8, 10])
def test_a_network_that_f16_holds_is_computed_in_it(engine: str, bits: int, tmp_path: Path) -> None:
    quiet, told = saved(tmp_path, gain=1), Notices()
    large = upscaled(frame(bits=bits), quiet, engine=engine, precision="f16", warn=told)
    exact = upscaled(frame(bits=bits), quiet, engine=engine)
    off = np.abs(large.planes[0].astype(int) - exact.planes[0])
    assert not told and 0 < off.max() <= (1 if bits == 8 else 4)


@pytest.mark.parametrize("engine", HALF)
def test_a_frame_that_stands_alone_does_not_depend_on_those_before_it(engine: str, tmp_path: Path) -> None:
    loud, bright = saved(tmp_path, gain=30000), frame()
    options = UpscaleOptions(loud, engine=engine, precision="f16", stateless=True)
    with open_upscaler(options) as upscaler:
        alone = upscaler(dark(bright))
    with pytest.raises(AssertionError):  # it is one that f16 holds, and rounds
        same(alone, upscaled(dark(bright), loud, engine=engine))
    with open_upscaler(options) as upscaler:
        same(upscaler.submit(bright).result(), upscaled(bright, loud, engine=engine))
        same(upscaler.submit(dark(bright)).result(), alone)


@pytest.mark.parametrize("engine", HALF)
def test_the_user_is_told(engine: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video, loud = make_video(tmp_path / "a.mkv", codec="ffv1", size=(32, 24), pts=range(3)), saved(tmp_path, gain=30000)
    done = upscale_video(video, tmp_path / "b.mkv", model=loud, engine=engine, precision="f16")
    assert SENTENCE.format("loud") in map(str, done.notices)
    upscaled(frame(), loud, engine=engine, precision="f16")
    assert caplog.text.count(SENTENCE.format("loud")) == 2  # once a call


def test_without_f16_nothing_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[bytes] = []
    real = watched.open_engine
    monkeypatch.setattr(watched, "open_engine", lambda graph, **options: graphs.append(graph) or real(graph, **options))
    upscaled(frame(), saved(tmp_path, gain=1))
    assert [port.name for port in onnx.load_from_string(graphs[0]).graph.output] == ["out.unshuffled"]


def test_a_run_that_can_be_resumed_lets_every_frame_stand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    real = GuardedEngine.__init__
    monkeypatch.setattr(
        GuardedEngine,
        "__init__",
        lambda self, *args, stateless: asked.append(stateless) or real(self, *args, stateless=stateless),
    )
    video, quiet = make_video(tmp_path / "a.mkv", codec="ffv1", size=(32, 24), pts=range(3)), saved(tmp_path, gain=1)
    for resume in (False, True):
        upscale_video(video, tmp_path / f"{resume}.mkv", model=quiet, engine=HALF[0], precision="f16", resume=resume)
    assert asked == [False, True]


def test_a_network_that_cannot_be_halved_is_computed_in_f32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by an engine that turns the whole network into float16, weights and all, before it runs."""
    loud, told, real = saved(tmp_path, gain=1e6), Notices(), watched.open_engine

    def halving(graph: bytes, *, precision: str, **options: Any) -> Engine:
        return real(halved(graph) if precision == "f16" else graph, precision="f32", **options)

    expected = upscaled(frame(), loud, engine=HALF[0])
    monkeypatch.setattr(watched, "open_engine", halving)
    same(upscaled(frame(), loud, engine=HALF[0], precision="f16", warn=told), expected)
    (sentence,) = told.messages
    assert sentence.startswith("f32 computes: the network's w0 reaches ") and "more than float16 holds" in sentence


def test_where_engines_are_built_ahead_another_one_computes_in_f32(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Loud:
        in_flight = 1

        def submit(self, inputs: Any) -> Any:
            return self

        def result(self) -> Any:
            return {FINITE: np.float32("nan")}

        def close(self) -> None: ...

    monkeypatch.setattr(watched, "settle", lambda **options: Setup("torch", options["device"], options["precision"]))
    monkeypatch.setattr(watched, "open_engine", lambda graph, **options: asked.append((graph, options)) or Loud())
    made = Setup("tensorrt", "cuda:1", "f16")
    engine = watched.open_guarded(
        lambda guarded: b"guarded" if guarded else b"",
        made,
        UpscaleOptions(),
        Context(ignore),
        title="loud",
        in_flight=1,
    )
    engine.submit({}).result()
    found = [(graph, each["engine"], each["device"], each["precision"]) for graph, each in asked]
    assert found == [(b"guarded", "tensorrt", "cuda:1", "f16"), (b"", "torch", "cuda:1", "f32")]
