"""TensorRT on a real GPU: an engine is built, found again, and keeps the promises of every engine."""

from pathlib import Path

import numpy as np
import pytest

from tests.networks import network, receptive_field, save
from vidsr.card import ModelCard
from vidsr.engines import installed, open_engine
from vidsr.engines.gpus import gpus
from vidsr.engines.graph_format import PLANES_IN, PLANES_OUT
from vidsr.errors import EngineBusy, EngineError, EngineMissing
from vidsr.export.to_tensorrt import Sizes, export_engine, graph_for
from vidsr.upscaling.graph.frame_format import FrameFormat
from vidsr.upscaling.model_file import Model, load_model

PIXELS = FrameFormat(96, 64)
IN, OUT = PLANES_IN[0], PLANES_OUT[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    card = ModelCard("mine", 2, 1, receptive_field(2))
    return load_model(save(network(residual=0.5), tmp_path_factory.mktemp("model") / "mine.onnx", card))


@pytest.fixture
def built(model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An engine for PIXELS and, in 10 bits, for sizes around it."""
    if not gpus():
        pytest.skip("there is no NVIDIA GPU here")
    if "tensorrt" not in installed():
        pytest.skip("TensorRT is not installed; 'pip install vidsr[trt]' installs it")
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path))
    phases: list[str] = []
    size = (PIXELS.width, PIXELS.height)
    path = export_engine(
        model.name, sizes=Sizes(size, size, size), pixels=PIXELS, progress=lambda phase, *_: phases.append(phase)
    )
    assert phases and list(tmp_path.glob("timings-*.cache"))
    return path


def picture(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (1, 1, PIXELS.height, PIXELS.width), np.uint8)


@pytest.mark.gpu
def test_a_built_engine_computes_what_the_cpu_does(built: Path, model: Model) -> None:
    graph = graph_for(model, PIXELS, guarded=True)
    with open_engine(graph, engine="tensorrt") as ours, open_engine(graph, device="cpu", precision="f32") as exact:
        alone = [ours.submit({IN: picture(seed)}).result()[OUT].copy() for seed in range(4)]
        for seed, found in enumerate(alone):
            expected = exact.submit({IN: picture(seed)}).result()[OUT].astype(int)
            assert np.abs(found - expected).max() <= 2
        runs = [ours.submit({IN: picture(seed)}) for seed in range(2)]
        with pytest.raises(EngineBusy, match="2 runs are in progress"):
            ours.submit({IN: picture(0)})
        for seed in range(4):
            np.testing.assert_array_equal(runs.pop(0).result()[OUT], alone[seed])
            if seed < 2:
                runs.append(ours.submit({IN: picture(seed + 2)}))
        for _ in range(5):
            ours.submit({IN: picture(0)})  # a run that nobody waits for takes no place
        with pytest.raises(EngineError, match="the engine takes"):
            ours.submit({IN: picture(0)[:, :, :8]})


@pytest.mark.gpu
def test_pictures_on_the_gpu_are_read_there_and_results_stay(built: Path, model: Model) -> None:
    torch = pytest.importorskip("torch", reason="lends a tensor on the GPU")
    with open_engine(graph_for(model, PIXELS, guarded=True), engine="tensorrt") as engine:
        expected = engine.submit({IN: picture(0)}).result()[OUT].copy()
        padded = torch.zeros(1, 1, PIXELS.height, PIXELS.width + 32, dtype=torch.uint8, device="cuda")
        lent = padded[..., : PIXELS.width].copy_(torch.from_numpy(picture(0)))
        made = engine.submit({IN: lent}, on_device=True).result()[OUT]
        np.testing.assert_array_equal(torch.from_dlpack(made).cpu().numpy(), expected)


@pytest.mark.gpu
def test_an_engine_of_many_sizes_in_ten_bits_takes_each(built: Path, model: Model) -> None:
    ten = FrameFormat(96, 64, bits=10)
    export_engine(model.name, sizes=Sizes((64, 48), (96, 64), (128, 96)), pixels=ten)
    for width, height in ((64, 48), (128, 96)):
        graph = graph_for(model, FrameFormat(width, height, bits=10), guarded=True)
        codes = np.random.default_rng(0).integers(0, 1024, (1, 1, height, width), np.uint16)
        with open_engine(graph, engine="tensorrt") as ours, open_engine(graph, device="cpu", precision="f32") as exact:
            found, expected = (each.submit({IN: codes}).result()[OUT].astype(int) for each in (ours, exact))
            assert np.abs(found - expected).max() <= 4
    with pytest.raises(EngineMissing, match="--size 130x96 --bits 10"):
        open_engine(graph_for(model, FrameFormat(130, 96, bits=10), guarded=True), engine="tensorrt")


def test_cudas_bindings_say_that_there_is_no_gpu() -> None:
    pytest.importorskip("cuda.bindings", reason="needs vidsr[trt]")
    if gpus():
        pytest.skip("there is a GPU here")
    from vidsr.engines.tensorrt import cuda

    for function in (lambda: cuda.use(0), cuda.Stream, lambda: cuda.DeviceBuffer((4,), np.dtype("u1"))):
        with pytest.raises(EngineError, match=r"a CUDA call failed: .* \(cuda\w+\)"):
            function()
