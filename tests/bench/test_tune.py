"""Streams and frames in flight are measured once, and nothing breaks where that was not or cannot be kept."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.networks import network, save
from vidsr.bench.tune import candidates, tune
from vidsr.card import ModelCard
from vidsr.color import ColorSpec
from vidsr.engines.tuning import FOLDER, Tuning, keep_tuning, machine_key, quickest, trial, tuning
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.io.cache import read_cache
from vidsr.upscaling.upscaler import load_upscaler


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(network(scale=2, width=8, layers=2), tmp_path / "small.onnx", ModelCard("small", 2, 1, 3))


def test_where_nothing_was_measured_one_frame_is_computed_at_a_time() -> None:
    assert tuning() == Tuning(streams=1, in_flight=2)
    assert read_cache(FOLDER, machine_key()) is None


def test_what_was_measured_is_kept_for_pictures_up_to_that_size() -> None:
    keep_tuning(Tuning(1, 3, 480 * 270))
    assert tuning() == Tuning(1, 3, 480 * 270)
    many = Tuning(4, 5, 480 * 270)
    assert (many.streams_for(480 * 270), many.streams_for(1920 * 1080)) == (4, 1)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", *(f'{{"tuning": {{"streams": {each}}}}}' for each in ("1", '"x"', "Infinity")), 100_000 * "["],
    ids=lambda text: text[:40],
)
def test_a_damaged_file_is_as_good_as_none(text: str) -> None:
    keep_tuning(Tuning(1, 3)).write_text(text)
    assert tuning() == Tuning()


def test_streams_that_no_machine_has_are_not_taken() -> None:
    keep_tuning(Tuning(4000, 5, 10))
    assert tuning() == Tuning()


def test_a_folder_that_cannot_be_read_is_as_good_as_none(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert tuning() == Tuning()


def test_without_a_home_nothing_is_kept_and_models_are_found(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "VIDSR_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7, raising=False)  # a user whom the system does not know
    assert tuning() == Tuning()
    frame = Frame((np.full((36, 52), 128, np.uint8),), ColorSpec(1, full_range=True))
    with load_upscaler(model) as upscaler:
        assert upscaler.submit(frame).result().height == 72


def test_results_do_not_depend_on_it(model: Path) -> None:
    luma = np.random.default_rng(0).integers(0, 256, (36, 52), np.uint8)
    frame = Frame((luma,), ColorSpec(1, full_range=True))
    results = []
    for candidate in (Tuning(), Tuning(2, 3, 10_000)):
        with trial(candidate), load_upscaler(model) as upscaler:
            assert upscaler.in_flight == candidate.in_flight
            runs = [upscaler.submit(frame) for _ in range(candidate.in_flight)]
            results += [run.result().planes[0] for run in runs]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_a_machine_is_tuned_by_the_whole_way(model: Path) -> None:
    steps: list[tuple[int, int]] = []
    chosen, times = tune(model, size="90p-180p", frames=6, runs=1, progress=lambda done, all: steps.append((done, all)))
    assert chosen in times
    assert tuning() == chosen
    assert steps[-1] == (len(times), len(times))
    assert {each.most_pixels for each in times} == {160 * 90}


def test_a_choice_that_cannot_be_kept_is_said(model: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match=r"streams and . frames in flight are fastest, but cannot be kept: "):
        tune(model, size="90p-180p", frames=4, runs=1)


def test_more_streams_have_to_be_worth_their_memory() -> None:
    usual, waiting, two = candidates(2)
    assert quickest({usual: 10.0, waiting: 10.1, two: 9.9}) == usual
    assert quickest({usual: 10.0, waiting: 10.1, two: 9.0}) == two
    assert [each.streams for each in candidates(16)] == [1, 1, 2, 4, 8]
