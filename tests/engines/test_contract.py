"""The contract of every engine, tested on each that is installed."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks import attached, network, runnable
from vidsr.card import QP_NAME
from vidsr.color import ColorSpec
from vidsr.engines import Engine, installed, open_engine, settle
from vidsr.engines.graph_format import PLANES_IN, PLANES_OUT
from vidsr.errors import EngineBusy, EngineError, NotAModel

HEIGHT, WIDTH = 24, 40
IN, OUT = PLANES_IN[0], PLANES_OUT[0]


def graph(*, height: int = HEIGHT, width: int = WIDTH, features: int = 8, **options: Any) -> bytes:
    """Codes in, codes out."""
    model = network(unshuffle=2, width=features, **options)
    return attached(model, channels=1, height=height, width=width, bits=8, color=ColorSpec(1, full_range=True))


def picture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (1, 1, height, width), np.uint8)


ON_GPUS = ("onnxruntime", "torch")  # those that also compute there
PLACES = [(name, "cpu") for name in runnable()] + [
    pytest.param((name, "cuda"), marks=pytest.mark.gpu) for name in installed() if name in ON_GPUS
]


@pytest.fixture(params=PLACES, ids="-".join)
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """An engine and a device, as `open_engine` takes them."""
    name, device = request.param
    try:
        settle(engine=name, device=device)
    except EngineError as exc:
        pytest.skip(str(exc))
    return {"engine": name, "device": device}


@pytest.fixture
def engine(place: dict[str, str]) -> Iterator[Engine]:
    with open_engine(graph(), **place, precision="f32", in_flight=2) as engine:
        yield engine


def test_a_run_gives_named_arrays_of_the_graphs_own_type(engine: Engine) -> None:
    result = engine.submit({IN: picture()}).result()
    assert {key: (value.shape, value.dtype) for key, value in result.items()} == {
        OUT: ((1, 1, 2 * HEIGHT, 2 * WIDTH), np.uint8)
    }


def test_engines_agree(engine: Engine) -> None:
    with open_engine(graph(), precision="f32") as first:
        expected = first.submit({IN: picture()}).result()[OUT].astype(int)
    result = engine.submit({IN: picture()}).result()[OUT].astype(int)
    # sums in another order may fall on the other side of a half
    assert np.abs(result - expected).max() <= 1
    assert (result != expected).mean() < 0.01


def test_results_belong_to_what_was_submitted_in_that_order(engine: Engine) -> None:
    alone = [engine.submit({IN: picture(seed)}).result()[OUT].copy() for seed in range(6)]
    assert not np.array_equal(alone[0], alone[1])
    runs = [engine.submit({IN: picture(seed)}) for seed in range(2)]
    for seed in range(6):
        np.testing.assert_array_equal(runs.pop(0).result()[OUT], alone[seed])
        if seed < 4:
            runs.append(engine.submit({IN: picture(seed + 2)}))


def test_more_runs_than_in_flight_are_refused(engine: Engine) -> None:
    runs = [engine.submit({IN: picture()}) for _ in range(engine.in_flight)]
    with pytest.raises(EngineBusy, match="2 runs are in progress"):
        engine.submit({IN: picture()})
    runs[0].result()
    runs.append(engine.submit({IN: picture()}))


def test_a_run_that_was_garbage_collected_takes_no_slot(engine: Engine) -> None:
    for _ in range(5):
        engine.submit({IN: picture()})


def test_inputs_are_not_modified_and_may_be_reused(engine: Engine) -> None:
    codes, expected = picture(), engine.submit({IN: picture()}).result()[OUT].copy()
    np.testing.assert_array_equal(engine.submit({IN: codes}).result()[OUT], expected)
    np.testing.assert_array_equal(codes, picture())
    codes[:] = 0
    other = engine.submit({IN: codes}).result()[OUT].copy()
    assert not np.array_equal(other, expected)


@pytest.mark.parametrize("kind", ["padded lines", "read-only", "upside down"])
def test_planes_as_decoders_provide_them_are_taken(engine: Engine, kind: str) -> None:
    expected = engine.submit({IN: picture()}).result()[OUT].copy()
    plane = picture()
    if kind == "padded lines":
        plane = np.pad(plane, [(0, 0), (0, 0), (0, 0), (0, 24)])[..., :WIDTH]
    elif kind == "upside down":
        plane = np.ascontiguousarray(plane[:, :, ::-1])[:, :, ::-1]
    else:
        plane.flags.writeable = False
    np.testing.assert_array_equal(engine.submit({IN: plane}).result()[OUT], expected)


def test_waiting_lets_other_threads_run(place: dict[str, str]) -> None:
    turns, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            turns[0] += 1

    heavy, during = graph(features=32, layers=8, height=320, width=320), 0
    with open_engine(heavy, **place, precision="f32") as engine:
        thread = threading.Thread(target=count)
        thread.start()
        for _ in range(20):  # on a busy machine the thread may have no turn in a single run
            run = engine.submit({IN: picture(0, 320, 320)})
            before = turns[0]
            run.result()
            during = turns[0] - before
            if during > 100:
                break
        done.set()
        thread.join()
    assert during > 100


def test_bytes_that_are_not_a_graph_are_refused(place: dict[str, str]) -> None:
    with pytest.raises(NotAModel, match="cannot run the network"):
        open_engine(b"no graph at all", **place)


def test_the_qp_is_an_input(place: dict[str, str]) -> None:
    with open_engine(graph(qp=0.5), **place, precision="f32") as engine:
        clean, compressed = (
            engine.submit({IN: picture(), QP_NAME: np.full((1, 1, 1, 1), q, np.float32)}).result()[OUT].copy()
            for q in (0, 1)
        )
    assert not np.array_equal(clean, compressed)
