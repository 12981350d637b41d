"""The order of CUDA calls, recorded without a GPU; and the results on a GPU, if there is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.engines.test_contract import IN, OUT, graph, picture
from tests.networks import attached, network
from vidsr.color import BT709, ColorSpec
from vidsr.engines import Setup, open_engine, settle
from vidsr.engines.torch import torch_engine as on_torch
from vidsr.engines.torch.device import CudaDevice
from vidsr.errors import EngineError

UPLOAD, COMPUTE, DOWNLOAD = range(3)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The calls to CUDA, recorded. Computing happens on the CPU; replaying a graph does nothing."""
    calls: list[tuple[Any, ...]] = []
    numbers = iter(range(99))

    class Stream:
        def __init__(self, device: Any) -> None:
            self.number = next(numbers)

        def wait_stream(self, other: "Stream") -> None:
            calls.append((self.number, "waits for", other.number))

        def synchronize(self) -> None:
            calls.append(("synchronize", self.number))

    class Event:
        def __init__(self, *, blocking: bool) -> None:
            assert blocking

        def record(self, stream: Stream) -> None:
            calls.append((stream.number, "ends"))

        def synchronize(self) -> None:
            calls.append(("end",))

    class Graph:
        def replay(self) -> None:
            calls.append(("replay",))

    @contextmanager
    def within(what: Any, **_: Any) -> Iterator[None]:
        calls.append(("within", getattr(what, "number", "capture")))
        yield

    class CudaOnCpu(CudaDevice):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.device = torch.device("cpu")

    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *args, pin_memory=False, **options: empty(*args, **options))
    for name, stand_in in {
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
        "stream": within,
        "graph": within,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(on_torch, "CudaDevice", CudaOnCpu)
    return calls


def opened() -> on_torch.TorchEngine:
    return on_torch.open_graph(graph(), Setup("torch", "cuda", "f16"), in_flight=2, threads=0)


def test_a_graph_is_recorded_once_after_it_has_run(orders: list[tuple[Any, ...]]) -> None:
    opened()
    computed = (COMPUTE, "waits for", UPLOAD), ("within", COMPUTE)
    assert orders == [*computed, *computed, *computed, ("within", "capture")]  # built, run, recorded


def test_a_run_computes_when_it_is_uploaded_and_ends_when_it_is_downloaded(orders: list[tuple[Any, ...]]) -> None:
    engine = opened()
    orders.clear()
    run = engine.submit({IN: picture()})
    assert orders == [
        ("within", UPLOAD),
        (COMPUTE, "waits for", UPLOAD),
        ("within", COMPUTE),
        ("replay",),
        (DOWNLOAD, "waits for", COMPUTE),
        ("within", DOWNLOAD),
        (DOWNLOAD, "waits for", COMPUTE),
        (DOWNLOAD, "ends"),
    ]
    run.result()
    assert orders[-1] == ("end",)


def test_a_result_that_stays_ends_when_it_is_computed(orders: list[tuple[Any, ...]]) -> None:
    engine = opened()
    orders.clear()
    assert isinstance(engine.submit({IN: torch.from_numpy(picture())}, on_device=True).result()[OUT], torch.Tensor)
    assert orders[2:] == [
        ("within", COMPUTE),
        ("replay",),
        (DOWNLOAD, "waits for", COMPUTE),
        (DOWNLOAD, "ends"),
        ("end",),
    ]


def test_a_slot_is_not_written_to_before_its_run_has_ended(orders: list[tuple[Any, ...]]) -> None:
    engine = opened()
    for _ in range(2):
        engine.submit({IN: picture()})  # without waiting for it
    assert orders.count(("end",)) == 2


def test_what_is_closed_has_come_to_its_end(orders: list[tuple[Any, ...]]) -> None:
    opened().close()
    assert orders[-3:] == [("synchronize", stream) for stream in (UPLOAD, COMPUTE, DOWNLOAD)]


def test_a_failed_run_does_not_break_close(orders: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(EngineError, match="larger --tile"), opened():
        monkeypatch.setattr(torch.cuda.Stream, "synchronize", failing)
        raise EngineError("give a larger --tile")


@pytest.fixture
def gpu() -> str:
    try:
        return settle(engine="torch", device="cuda").device
    except EngineError as exc:
        pytest.skip(str(exc))


@pytest.mark.gpu
@pytest.mark.parametrize("bits", [8, 10])
def test_a_gpu_computes_what_the_cpu_does(gpu: str, bits: int) -> None:
    deep, color = network(width=32, layers=4), ColorSpec(BT709, False)
    model = attached(deep, channels=1, height=48, width=64, bits=bits, color=color, guarded=True)
    codes = np.random.default_rng(0).integers(0, 1 << bits, (1, 1, 48, 64)).astype(np.uint8 if bits == 8 else np.uint16)
    results = {}
    for device, precision in (("cpu", "f32"), (gpu, "f32"), (gpu, "f16")):
        with open_engine(model, engine="torch", device=device, precision=precision) as engine:  # type: ignore[arg-type]
            (made, _) = engine.submit({IN: codes}).result().values()
            results[device, precision] = made.astype(int)
    exact = results["cpu", "f32"]
    assert np.abs(results[gpu, "f32"] - exact).max() <= 1
    assert np.abs(results[gpu, "f16"] - exact).max() <= (1 if bits == 8 else 4)


@pytest.mark.gpu
def test_pictures_on_the_gpu_are_read_there_and_stay_there(gpu: str) -> None:
    with open_engine(graph(), engine="torch", device=gpu, precision="f32") as engine:
        expected = engine.submit({IN: picture()}).result()[OUT].copy()
        lent = torch.from_numpy(picture()).to(gpu)
        made = engine.submit({IN: lent}, on_device=True).result()[OUT]  # type: ignore[call-arg]
        for seed in range(1, 4):
            engine.submit({IN: picture(seed)}).result()
        assert made.is_cuda
        np.testing.assert_array_equal(made.cpu().numpy(), expected)
