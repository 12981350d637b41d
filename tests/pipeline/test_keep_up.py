"""Jobs without a named model take the best network that keeps up, and stay with it."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.clips import video
from vidsr.context import Progress
from vidsr.io.cache import cache_folder
from vidsr.pipeline import upscale_video
from vidsr.upscaling.model_choice import CACHE


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDSR_MEASURE", "1")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "clip.mkv", times=range(0, 1800, 40))


def make_fast(model: str) -> None:
    """Change the measured times such that one network keeps up, and the others do not."""
    for file in cache_folder(CACHE).iterdir():
        known = json.loads(file.read_text())
        file.write_text(json.dumps(known | {"seconds": 1e-4 if known["model"] == model else 10.0}))


def test_the_summary_says_which_model_was_taken_and_why(clip: Path, tmp_path: Path) -> None:
    upscale_video(clip, tmp_path / "a.mkv", device="cpu", duration=0.1)
    make_fast("fast-x2")
    summary = upscale_video(clip, tmp_path / "b.mkv", device="cpu", duration=0.1)
    assert summary.choice is not None
    assert summary.model == summary.choice.model == "fast-x2"
    assert not summary.notices
    assert json.loads(json.dumps(asdict(summary), default=str))["choice"]["model"] == "fast-x2"


def test_a_named_model_and_a_still_measure_nothing(clip: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "still.png")
    named = upscale_video(clip, tmp_path / "a.mkv", model="live-x2", device="cpu", duration=0.1)
    still = upscale_video(tmp_path / "still.png", tmp_path / "large.png", device="cpu")
    assert (named.choice, still.choice, still.model) == (None, None, "live-x2")
    assert not cache_folder(CACHE).exists()


def test_a_job_is_continued_with_the_model_that_it_was_begun_with(clip: Path, tmp_path: Path) -> None:
    upscale_video(clip, tmp_path / "first.mkv", device="cpu", duration=0.1)
    if len([*cache_folder(CACHE).iterdir()]) == 1:  # the best keeps up, and live-x2 was not measured
        make_fast("")
        upscale_video(clip, tmp_path / "second.mkv", device="cpu", duration=0.1)

    def stop(now: Progress) -> None:
        if now.frames >= 25:
            raise KeyError

    make_fast("fast-x2")
    with pytest.raises(KeyError):
        upscale_video(clip, tmp_path / "a.mkv", device="cpu", resume=True, segment_frames=10, progress=stop)
    make_fast("live-x2")
    summary = upscale_video(clip, tmp_path / "a.mkv", device="cpu", resume=True, segment_frames=10)
    assert (summary.model, summary.frames) == ("fast-x2", 45)
    assert upscale_video(clip, tmp_path / "b.mkv", device="cpu", duration=0.1).model == "live-x2"
