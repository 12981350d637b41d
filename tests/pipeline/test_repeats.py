"""Pictures that stand still are computed once, and nobody sees that in the result."""

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.clips import drawn, times_of
from tests.networks import network, save
from vidsr.cli import app
from vidsr.color import ColorSpec
from vidsr.frames import Frame
from vidsr.pipeline import stages, upscale_video
from vidsr.video.read.source import open_source

SHOWN = [0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 3, 0]  # which picture, frame by frame


def slides(path: Path, codec: str = "ffv1", layout: str = "yuv420p", **options: str) -> Path:
    """A film of pictures that stand still for a while."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, layout
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, which in enumerate(SHOWN):
            picture = av.VideoFrame.from_ndarray(drawn((64, 48), 7 * which), format="gray").reformat(format=layout)
            picture.pts, picture.time_base = 40 * number, Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(network(scale=2, qp=0.5), tmp_path / "tiny.onnx")


def test_only_pictures_that_change_are_computed_and_the_summary_counts_the_others(tmp_path: Path, model: Path) -> None:
    video = slides(tmp_path / "slides.mkv")
    summary = upscale_video(video, tmp_path / "larger.mkv", model=model)
    assert (summary.frames, summary.frames_reused) == (12, 7)
    assert times_of(tmp_path / "larger.mkv") == times_of(video)


def test_the_command_says_how_many_repeat(tmp_path: Path) -> None:
    video = slides(tmp_path / "slides.mkv")
    words = ["upscale", "-m", "bicubic", str(video), str(tmp_path / "larger.mkv"), "--overwrite"]
    assert "vidsr: 12 frames (7 repeated) in " in CliRunner().invoke(app, words).stderr
    assert json.loads(CliRunner().invoke(app, [*words, "--json"]).stderr)["frames_reused"] == 7


@pytest.mark.parametrize(
    ("codec", "layout", "settings"),
    [
        ("ffv1", "yuv420p", {}),
        ("ffv1", "yuva420p", {}),
        ("ffv1", "yuv420p", {"tile": 36}),
        ("ffv1", "yuv420p", {"height": 80}),
        ("ffv1", "yuv420p", {"resume": True, "segment_frames": 3}),
        ("libx264", "yuv420p", {}),
    ],
    ids=["luma", "alpha", "tiles", "resized", "segments", "H.264"],
)
def test_the_result_is_the_same_byte_by_byte(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, codec: str, layout: str, settings: dict[str, Any]
) -> None:
    video = slides(tmp_path / "slides.mkv", codec, layout, **({"bf": "0", "crf": "30"} if codec == "libx264" else {}))
    once, every = tmp_path / "once.mkv", tmp_path / "every.mkv"
    lossless = {"model": model, "codec": "ffv1", "encoder_options": {"threads": "1"}, **settings}
    if "resume" in settings:
        del lossless["encoder_options"]  # it sets its own
    assert upscale_video(video, once, **lossless).frames_reused >= 5
    monkeypatch.setattr(stages, "_repeats", lambda frame, before: False)
    assert upscale_video(video, every, **lossless).frames_reused == 0
    assert packets(once) == packets(every)


def packets(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(video=0) if packet.size]


def test_a_picture_that_the_codec_repeats_keeps_its_quantiser(tmp_path: Path) -> None:
    video = slides(tmp_path / "slides.mkv", "libx264", crf="30", bf="0")
    with open_source(video) as source:
        frames = [item for item in source if isinstance(item, Frame)]
    repeated = [(frame, before) for before, frame in itertools.pairwise(frames) if frame.shows(before)]
    assert len(repeated) >= 5
    assert all(frame.qp == before.qp for frame, before in repeated)
    assert len({frame.qp for frame in frames}) > 1


def test_one_sample_makes_another_picture() -> None:
    plane = np.zeros((48, 64), np.uint8)
    frame = Frame((plane, plane[::2, ::2], plane[::2, ::2]), color=ColorSpec(1, full_range=False))
    assert frame.shows(replace(frame, pts=5, planes=tuple(each.copy() for each in frame.planes)))
    for index in range(3):
        planes = [each.copy() for each in frame.planes]
        planes[index][-1, -1] = 1
        assert not frame.shows(replace(frame, planes=tuple(planes)))
