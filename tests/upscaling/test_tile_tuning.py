"""Tiles that are measured."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.networks import network, save
from tests.notices import Notices
from vidsr.card import ModelCard
from vidsr.color import BT709, ColorSpec
from vidsr.errors import OutOfMemory
from vidsr.frames import Frame
from vidsr.upscaling import tile_tuning as measured
from vidsr.upscaling.upscaler import Upscaler, load_upscaler


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(measured, "BANDS", (2000, 5000))
    monkeypatch.setattr(measured, "SIDE", 40)
    return tmp_path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(network(channels=3), tmp_path / "mine.onnx", ModelCard("mine", 2, 3, 3))


def picture() -> Frame:
    rng = np.random.default_rng(0)
    planes = tuple(rng.integers(0, 256, size).astype(np.uint8) for size in ((90, 110), (45, 55), (45, 55)))
    return Frame(planes, ColorSpec(BT709, full_range=False))


def enlarged(model: Path, **options: Any) -> tuple[Frame, tuple[int, int]]:
    with load_upscaler(model, precision="f32", **options) as upscaler:
        assert isinstance(upscaler, Upscaler)
        large = upscaler.submit(picture()).result()
        (session,) = upscaler._sessions.values()
        return large, session._size  # type: ignore[union-attr]


def test_the_quickest_tiles_are_found_told_and_kept(cache: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Notices()
    tried: list[tuple[int, int]] = []

    def seconds(network: Any, frame: Any, options: Any, size: tuple[int, int]) -> list[float]:
        tried.append(size)
        return [abs(size[0] - 60) + 1.0]

    monkeypatch.setattr(measured, "frame_times", seconds)
    whole, _ = enlarged(model)
    large, size = enlarged(model, tile="auto", warn=told)
    assert size in tried and size[1] == 110 and size != (90, 110)
    sentence = f"tiles of 110x{size[0]} are the fastest here for mine at 110x90: {1000 * (61 - size[0])} ms a frame"
    assert told.messages == [sentence]
    for plane, expected in zip(large.planes, whole.planes, strict=True):
        np.testing.assert_array_equal(plane, expected)
    tried.clear()
    assert enlarged(model, tile="auto", warn=told)[1] == size
    assert (tried, len(told)) == ([], 1)


def test_measuring_runs_every_candidate(cache: Path, model: Path) -> None:
    _, size = enlarged(model, tile="auto")
    (kept,) = (cache / "vidsr" / "tiles").iterdir()
    assert tuple(json.loads(kept.read_text())) == size


def test_what_was_kept_and_makes_no_sense_is_measured_again(cache: Path, model: Path) -> None:
    enlarged(model, tile="auto")
    (kept,) = (cache / "vidsr" / "tiles").iterdir()
    for nonsense in ("[1, 1]", "{", "7", "[Infinity, 1]"):
        kept.write_text(nonsense)
        assert enlarged(model, tile="auto")[1] == tuple(json.loads(kept.read_text()))


def test_what_does_not_fit_is_passed_over(cache: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(network: Any, frame: Any, options: Any, size: tuple[int, int]) -> list[float]:
        if size == (90, 110):
            raise OutOfMemory("too large")
        return [1.0]

    monkeypatch.setattr(measured, "frame_times", seconds)
    assert enlarged(model, tile="auto")[1] != (90, 110)


def test_what_cannot_be_kept_is_said_and_computed_all_the_same(
    cache: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(model))  # a file, where no folder can be made
    told = Notices()
    large, _ = enlarged(model, tile="auto", warn=told)
    assert large.height == 180
    assert [sentence.split(":")[0] for sentence in told.messages][
        1
    ] == "the fastest tiles cannot be cached, and are measured again each time"
