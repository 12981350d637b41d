"""ONNX Runtime's other providers: run on buffers of the CPU where no GPU is, and what is refused and not hidden."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="needs vidsr[onnx]")

from tests.engines.test_contract import IN, OUT, graph, picture
from vidsr.engines import Setup, gpus, open_engine
from vidsr.engines import onnxruntime as on_onnxruntime
from vidsr.engines.gpus import Gpu
from vidsr.engines.onnxruntime import CPU, CUDA, TENSORRT, OnnxruntimeGpuEngine, providers_for
from vidsr.engines.tensorrt import dlpack
from vidsr.engines.tensorrt.dlpack import DeviceArray
from vidsr.errors import EngineBusy, EngineError, EngineMissing, NotAModel

L4 = Gpu("NVIDIA L4", "8.9", 24 << 30)


@pytest.fixture
def engine() -> Iterator[OnnxruntimeGpuEngine]:
    """All that runs on a GPU, with the CPU's provider and buffers."""
    with OnnxruntimeGpuEngine(graph(), [(CPU, {})], device=("cpu", 0), in_flight=2) as engine:
        yield engine


def test_bound_buffers_give_what_the_plain_session_does(engine: OnnxruntimeGpuEngine) -> None:
    with open_engine(graph(), engine="onnxruntime", device="cpu") as plain:
        for seed in range(3):
            expected = plain.submit({IN: picture(seed)}).result()[OUT].copy()
            np.testing.assert_array_equal(engine.submit({IN: picture(seed)}).result()[OUT], expected)


def test_runs_under_way_do_not_disturb_one_another(engine: OnnxruntimeGpuEngine) -> None:
    alone = [engine.submit({IN: picture(seed)}).result()[OUT].copy() for seed in range(6)]
    runs = [engine.submit({IN: picture(seed)}) for seed in range(2)]
    for seed in range(6):
        np.testing.assert_array_equal(runs.pop(0).result()[OUT], alone[seed])
        if seed < 4:
            runs.append(engine.submit({IN: picture(seed + 2)}))
    kept = [engine.submit({IN: picture()}) for _ in range(2)]
    with pytest.raises(EngineBusy, match="2 runs are in progress"):
        engine.submit({IN: picture()})
    del kept


def test_what_lies_on_the_device_is_read_there_and_results_stay(engine: OnnxruntimeGpuEngine) -> None:
    expected = engine.submit({IN: picture()}).result()[OUT].copy()
    source = picture()
    lent = DeviceArray(source.ctypes.data, source.shape, source.dtype, (dlpack.CPU, 0), source)
    made = engine.submit({IN: lent}, on_device=True).result()[OUT]
    assert not isinstance(made, np.ndarray)
    np.testing.assert_array_equal(np.from_dlpack(made), expected)


def test_pictures_of_another_size_are_refused(engine: OnnxruntimeGpuEngine) -> None:
    with pytest.raises(EngineError, match=r"in.y is \(1, 1, 9, 9\); the network takes \(1, 1, 24, 40\)"):
        engine.submit({IN: np.zeros((1, 1, 9, 9), np.uint8)})
    with pytest.raises(NotAModel, match="cannot run the network"):
        OnnxruntimeGpuEngine(b"no graph at all", [(CPU, {})], device=("cpu", 0), in_flight=1)


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_a_provider_that_is_not_taken_is_an_error_and_nothing_is_printed(
    provider: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if gpus.gpus():
        pytest.skip("there is a GPU here")
    on_onnxruntime.try_provider.cache_clear()
    with pytest.raises(EngineMissing, match=f"{provider}.*vidsr.gpu."):
        on_onnxruntime.try_provider(provider, 0)
    assert capfd.readouterr() == ("", "")


def test_operators_that_stay_on_the_cpu_are_named() -> None:
    opened = on_onnxruntime.open_session(graph(), [(CPU, {})])
    assert on_onnxruntime.operators_on_cpu(opened) == []
    parts = opened.get_provider_graph_assignment_info()
    mixed = SimpleNamespace(get_providers=lambda: [CUDA, CPU], get_provider_graph_assignment_info=lambda: parts)
    assert {"Conv", "DepthToSpace", "Round"} <= set(on_onnxruntime.operators_on_cpu(mixed))


def test_devices_and_precisions_that_it_has_not_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(on_onnxruntime, "try_provider", lambda *what: tried.append(what))
    monkeypatch.setattr(on_onnxruntime, "gpu_of", lambda device: None if device in ("cpu", "cuda:1") else L4)
    assert on_onnxruntime.settle("auto", "auto") == ("cuda", "f16")
    assert on_onnxruntime.settle("cuda:0", "f32") == ("cuda:0", "f32")
    assert on_onnxruntime.settle("cpu", "auto") == ("cpu", "f32")
    assert tried == [(CUDA, 0)] * 2
    with pytest.raises(EngineError, match="finds no cuda:1 here"):
        on_onnxruntime.settle("cuda:1", "auto")
    with pytest.raises(EngineError, match="computes in f16 or f32 on a GPU"):
        on_onnxruntime.settle("cuda", "bf16")


def test_a_gpu_that_cuda_cannot_use_is_an_error_where_it_was_asked_for_and_a_word_where_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: Any) -> None:
        raise EngineMissing("no CUDA")

    monkeypatch.setattr(on_onnxruntime, "try_provider", missing)
    monkeypatch.setattr(on_onnxruntime, "gpu_of", lambda _: L4)
    with pytest.raises(EngineMissing, match="no CUDA"):
        on_onnxruntime.settle("cuda", "auto")
    assert on_onnxruntime.settle("auto", "auto") == ("cpu", "f32")
    assert "computes on the CPU although there is a GPU: no CUDA" in caplog.text


def test_engines_of_tensorrt_are_kept_apart_by_all_that_is_in_a_graph(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path))
    half = Setup("onnxruntime-tensorrt", "cuda:1", "f16")
    (name, options), (other, cuda) = providers_for(graph(), half)
    assert (name, other) == (TENSORRT, CUDA)
    assert (options["device_id"], options["trt_fp16_enable"], cuda["device_id"]) == ("1", "1", "1")
    kept = {
        providers_for(each, setup)[0][1]["trt_engine_cache_path"]
        for each in (graph(), graph(seed=1), graph(height=48))
        for setup in (half, Setup("onnxruntime-tensorrt", "cuda:1", "f32"))
    }
    assert len(kept) == 6 and all(path.startswith(str(tmp_path)) for path in kept)
    assert [provider for provider, _ in providers_for(graph(), replace(half, engine="onnxruntime"))] == [CUDA]


def test_every_option_is_one_that_its_provider_knows() -> None:
    libraries = {path.name: path for path in Path(onnxruntime.__file__).parent.joinpath("capi").glob("lib*")}
    asked = providers_for(graph(), Setup("onnxruntime-tensorrt", "cuda", "f16"))
    for kind, (_, options) in zip(("tensorrt", "cuda"), asked, strict=True):
        if (library := libraries.get(f"libonnxruntime_providers_{kind}.so")) is None:
            pytest.skip("onnxruntime-gpu is not installed")
        content = library.read_bytes()
        assert [name for name in options if name.encode() not in content] == []
