"""The samples: the clip is what its script draws, and the scripts run."""

import runpy
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

SAMPLES = Path(__file__).parent.parent / "samples"


def on_shelf(name: str) -> bool:
    return (SAMPLES.parent / "export" / f"{name}.onnx").exists()


def test_the_clip_is_short_and_has_sound():
    clip = SAMPLES / "clip.mp4"
    assert clip.stat().st_size < 1_000_000
    with av.open(str(clip)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.width, video.codec_context.height, video.average_rate) == (480, 270, 24)
        assert video.frames == 144
        assert sound.codec_context.name == "aac"
        assert abs(float(sound.duration * sound.time_base) - 6) < 0.1


def test_the_clip_shows_what_the_script_draws():
    drawing = runpy.run_path(str(SAMPLES / "draw.py"))
    index = 30
    drawn = np.asarray(drawing["shrink"](drawing["draw_frame"](index)), np.float64)
    with av.open(str(SAMPLES / "clip.mp4")) as container:
        picture = next(picture for i, picture in enumerate(container.decode(video=0)) if i == index)
        shown = picture.reformat(format="rgb24").to_ndarray().astype(np.float64)
    assert np.abs(drawn.mean(axis=2) - shown.mean(axis=2)).mean() < 4


def test_the_clip_can_be_had_as_large_as_it_is_drawn(tmp_path):
    drawing = runpy.run_path(str(SAMPLES / "draw.py"))
    drawing["write_clip"](tmp_path / "large.mp4", large=True, frames=2)
    with av.open(str(tmp_path / "large.mp4")) as container:
        first, *_ = container.decode(video=0)
        assert (first.width, first.height, int(first.colorspace)) == (1920, 1080, 1)
        shown = first.reformat(format="rgb24").to_ndarray().astype(np.float64)
    drawn = np.asarray(drawing["draw_frame"](0), np.float64)
    assert np.abs(drawn.mean(axis=2) - shown.mean(axis=2)).mean() < 2


def test_the_tune_is_as_long_as_the_clip_and_does_not_clip():
    tune = runpy.run_path(str(SAMPLES / "draw.py"))["play_tune"]()
    assert tune.shape == (1, 6 * 44100)
    assert 0.5 < np.abs(tune).max() <= 1


@pytest.mark.skipif(not (on_shelf("live-x2") and on_shelf("live-x3") and on_shelf("live-x4")), reason="no shelf yet")
def test_the_python_sample_runs(tmp_path):
    short = tmp_path / "short.mp4"
    cut(SAMPLES / "clip.mp4", short, packets=5)
    done = subprocess.run(
        [sys.executable, SAMPLES / "python_api.py", short], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "short.mp4: 5 frames" in done.stdout
    assert "(90, 160, 3) -> (360, 640, 3)" in done.stdout
    assert "a frame at 0.000 s: 960x540" in done.stdout


def test_the_picture_of_the_readme_can_be_made_with_any_model(tmp_path):
    target = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, SAMPLES / "before_after.py", "lanczos", target], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert target.stat().st_size > 10_000


def cut(source: Path, target: Path, *, packets: int) -> None:
    """Copy the first packets of the film."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for _, packet in zip(range(packets), reading.demux(video=0), strict=False):
            packet.stream = stream
            writing.mux(packet)
