import json
from dataclasses import replace
from functools import partial

import pytest

from vidsr.io.cache import cache_folder
from vidsr.options import UpscaleOptions
from vidsr.upscaling import model_choice
from vidsr.upscaling.model_choice import Demand, candidates, choose, network_seconds
from vidsr.upscaling.model_file import load_model
from vidsr.upscaling.session import SessionOptions
from vidsr.upscaling.upscaler import load_upscaler

DEMAND = Demand(32, 32, 64 * 64, rate=1)
OPTIONS = SessionOptions(UpscaleOptions(device="cpu"))


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("VIDSR_MEASURE", "1")


def chosen(rate: float, scale: int = 2):
    return choose(scale, replace(DEMAND, rate=rate), load_model, OPTIONS)


def measured() -> dict[str, str]:
    """Return the cached files by the model they are about."""
    return {json.loads(file.read_text())["model"]: file for file in cache_folder(model_choice.CACHE).iterdir()}


@pytest.mark.parametrize("scale", [2, 4])
def test_candidates_are_luma_networks_of_the_factor_the_best_first(scale: int) -> None:
    assert [card.name for _, card in candidates(scale)] == [f"fast-x{scale}", f"live-x{scale}"]


def test_the_best_is_taken_where_it_keeps_up() -> None:
    path, choice = chosen(0.001)
    assert (path.stem, choice.model, choice.better) == ("fast-x2", "fast-x2", None)
    assert [*measured()] == ["fast-x2"]  # the lighter one need not be measured


def test_the_lightest_is_taken_where_nothing_keeps_up() -> None:
    path, choice = chosen(1e9)
    assert path.stem == choice.model
    assert choice.better_fps <= choice.fps < choice.rate


def test_a_second_choice_reads_the_cache() -> None:
    chosen(1e9)
    for model, seconds in (("fast-x2", 1.0), ("live-x2", 0.01)):
        file = measured()[model]
        file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": seconds}))
    path, choice = chosen(24)
    assert path.stem == "live-x2"
    assert choice.fps == pytest.approx(100, rel=0.01)
    assert (choice.better, choice.better_fps) == ("fast-x2", pytest.approx(1, rel=0.01))
    assert "99 fps here, 24 needed" in str(choice) and "fast-x2 would make 1" in str(choice)
    assert chosen(0.5)[0].stem == "fast-x2"


@pytest.mark.parametrize("content", ["{", "[]", '{"seconds": -1.0}', '{"seconds": "fast"}'])
def test_a_damaged_cache_is_measured_again(content: str) -> None:
    chosen(0.001)
    file = measured()["fast-x2"]
    file.write_text(content)
    assert chosen(0.001)[0].stem == "fast-x2"
    assert json.loads(file.read_text())["seconds"] > 0


def test_threads_depth_and_instructions_are_measured_apart(monkeypatch) -> None:
    key = partial(model_choice._key, load_model("live-x2"), (32, 32))
    one = SessionOptions(replace(OPTIONS.upscale, threads=1))
    keys = [key(8, OPTIONS), key(10, OPTIONS), key(8, one)]
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert len({*keys, key(8, OPTIONS)}) == 4


def test_large_frames_are_measured_on_a_part() -> None:
    large = Demand(3840, 2160, 1, rate=1)
    height, width = model_choice._part(load_model("fast-x2").card, large)
    assert height * width * 112032 <= model_choice.MOST_MACS
    assert (height % 2, width % 2) == (0, 0)
    assert network_seconds(load_model("live-x2"), replace(large, width=63, height=33), OPTIONS) > 0


def test_one_network_needs_no_measuring() -> None:
    assert chosen(1e9, scale=3) is None
    assert not cache_folder(model_choice.CACHE).exists()


def test_an_upscaler_chooses_only_where_no_model_is_named(monkeypatch) -> None:
    with load_upscaler(device="cpu") as free, load_upscaler("live-x2", device="cpu") as named:
        for upscaler in (free, named):
            upscaler.keep_up(0.001, 8)
        assert free.plan(32, 32).card.name == free.choice.model == "fast-x2"
        assert [file.stem for file in free.files] == ["fast-x2"]
        assert (named.plan(32, 32).card.name, named.choice) == ("live-x2", None)
    monkeypatch.setenv("VIDSR_MEASURE", "0")
    with load_upscaler(device="cpu") as fixed:
        fixed.keep_up(0.001, 8)
        assert (fixed.plan(32, 32).card.name, fixed.choice) == ("live-x2", None)
