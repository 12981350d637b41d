"""`--preset auto`: what is chosen, what is reported, and that measuring loses no frame."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clips import times_of, video
from tests.video.videos import messages_of
from vidsr.errors import WrongOption
from vidsr.frames import Frame
from vidsr.pipeline import auto_preset as presets
from vidsr.pipeline import upscale_video
from vidsr.pipeline.auto_preset import slowest
from vidsr.video.write.encoder_options import PRESETS, presets_of

NAMES = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]


def counted(rates: list[float], asked: list[str]) -> Callable[[str], float]:
    def rate_with(name: str) -> float:
        asked.append(name)
        return rates[NAMES.index(name)]

    return rate_with


@pytest.mark.parametrize(
    ("rates", "chosen", "asked"),
    [
        ([90, 80, 70, 60, 50, 40], "medium", ["veryfast", "faster", "fast", "medium"]),
        ([90, 80, 70, 60, 20, 10], "faster", ["veryfast", "faster", "fast"]),
        ([90, 80, 20, 15, 10, 5], "superfast", ["veryfast", "superfast"]),
        ([9, 8, 7, 6, 5, 4], "ultrafast", ["veryfast", "superfast", "ultrafast"]),
    ],
)
def test_the_slowest_that_keeps_up_is_found_step_by_step(rates: list[float], chosen: str, asked: list[str]) -> None:
    tried: list[str] = []
    assert slowest(NAMES, counted(rates, tried), 24) == (chosen, rates[NAMES.index(chosen)])
    assert tried == asked


@pytest.mark.parametrize(
    "codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "libvpx", "h264_nvenc", "av1_nvenc"]
)
def test_every_encoder_with_speeds_has_several_the_usual_one_among_them(codec: str) -> None:
    names = presets_of(codec)
    assert names == sorted(names, key=PRESETS.index)
    assert len(names) >= 7
    assert presets.USUAL in names and "placebo" not in names


@pytest.mark.parametrize("codec", ["ffv1", "prores_ks", "mjpeg"])
def test_an_encoder_without_speeds_has_none(codec: str) -> None:
    assert presets_of(codec) == []


def upscaled(source: Any, target: Path, **options: Any) -> list[str]:
    """The messages of all warnings."""
    return messages_of(upscale_video(source, target, model="bicubic", preset="auto", **options).notices)


def test_a_machine_with_time_to_spare_takes_it(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv")
    told = upscaled(clip, tmp_path / "larger.mkv")
    assert told == ["preset veryslow, the slowest that keeps up with 25 frames a second"]
    assert b"subme=10" in (tmp_path / "larger.mkv").read_bytes()  # x264 writes its settings down
    assert times_of(tmp_path / "larger.mkv") == times_of(clip)


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9"])
def test_a_machine_that_is_too_slow_takes_the_fastest_and_says_how_slow_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    monkeypatch.setattr(presets, "cores", lambda: 1e-4)
    (told,) = upscaled(video(tmp_path / "clip.mkv"), tmp_path / "larger.mkv", codec=codec)
    assert told.startswith("preset ultrafast makes about 0.") and "of 25 frames a second" in told
    assert len(times_of(tmp_path / "larger.mkv")) == 12


def test_a_stream_that_is_read_once_loses_nothing(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv", times=range(0, 1600, 40))
    told = upscaled(io.BytesIO(clip.read_bytes()), tmp_path / "larger.mkv")
    assert len(told) == 1
    assert times_of(tmp_path / "larger.mkv") == times_of(clip)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv420p10le", "gray"])
def test_what_is_read_once_is_measured_on_a_picture_that_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    taken: list[Frame] = []
    encode = presets._encode
    monkeypatch.setattr(
        presets, "_encode", lambda frames, *rest, **more: (taken.extend(frames), encode(frames, *rest, **more))
    )
    clip = video(tmp_path / "clip.mkv", codec="ffv1", layout=layout)
    upscaled(io.BytesIO(clip.read_bytes()), tmp_path / "larger.mkv")
    assert taken[0].planes[0].std() > (40 if "10" in layout else 10)
    assert not taken[1].shows(taken[0])


def test_a_container_of_its_own_codec_is_measured_with_that(tmp_path: Path) -> None:
    told = upscaled(video(tmp_path / "clip.mkv", sound=False), tmp_path / "larger.webm")
    assert told[0].startswith("preset ")
    assert "libvpx-vp9 is used" in told[1]


def test_an_encoder_without_presets_is_reported_and_an_image_is_not(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv")
    assert upscaled(clip, tmp_path / "larger.mkv", codec="ffv1") == ["ffv1 has no presets: auto chooses none"]
    assert not any("preset" in sentence for sentence in upscaled(clip, tmp_path / "%02d.png"))


def test_two_wishes_for_a_preset_are_refused(tmp_path: Path) -> None:
    small = video(tmp_path / "a.mp4")
    with pytest.raises(WrongOption, match="--preset auto and --encoder-option preset"):
        upscale_video(small, tmp_path / "b.mkv", model="bicubic", preset="auto", encoder_options={"preset": "slow"})


def test_a_job_that_resumes_names_its_preset(tmp_path: Path) -> None:
    with pytest.raises(WrongOption, match="name a preset"):
        upscaled(video(tmp_path / "clip.mkv"), tmp_path / "larger.mkv", resume=True)
    assert not (tmp_path / "larger.mkv").exists()
