"""A film from source to sink: nothing but the picture changes, and nothing is left half done."""

import inspect
import io
import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.clips import size_of, sound_of, times_of, video
from tests.networks import network, save
from tests.notices import Notices
from vidsr.context import Code, Progress
from vidsr.errors import OutputError, SameFile, TargetExists, UnknownModel
from vidsr.pipeline import upscale_video
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.video.read.source import open_source
from vidsr.video.write.sink import open_sink

VARIABLE = [0, 40, 100, 500, 520, 2000]  # milliseconds


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "clip.mkv")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_every_frame_comes_once_at_its_own_time(tmp_path: Path, suffix: str) -> None:
    source = video(tmp_path / f"clip.{suffix}", times=VARIABLE)
    target = tmp_path / f"larger.{suffix}"
    summary = upscale_video(source, target, model="bicubic")
    assert times_of(target) == times_of(source) == [Fraction(time, 1000) for time in VARIABLE]
    assert summary.frames == len(VARIABLE)
    assert size_of(target) == summary.output_size == (128, 96)


def test_sound_is_copied_byte_by_byte(clip: Path, tmp_path: Path) -> None:
    upscale_video(clip, tmp_path / "larger.mkv", model="bicubic")
    assert sound_of(tmp_path / "larger.mkv") == sound_of(clip)


def test_a_network_enlarges_a_film(clip: Path, tmp_path: Path) -> None:
    summary = upscale_video(clip, tmp_path / "larger.mkv", model=save(network(scale=3), tmp_path / "tiny.onnx"))
    assert size_of(tmp_path / "larger.mkv") == (192, 144)
    assert summary.frames == 12


def test_the_summary_names_both_ends(clip: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    summary = upscale_video(clip, "-", model="bicubic")
    assert (summary.source, summary.target) == (str(clip), "stdout")
    assert capfdbinary.readouterr().out.startswith(b"nut/")


def test_threads_that_the_user_gives_the_encoder_win(clip: Path, tmp_path: Path) -> None:
    upscale_video(clip, tmp_path / "larger.mkv", model="bicubic", encoder_options={"threads": "5"})
    assert b" threads=5 " in (tmp_path / "larger.mkv").read_bytes()  # x264 writes its settings down


def test_the_shelf_enlarges_twice_where_nothing_is_said(clip: Path, tmp_path: Path) -> None:
    summary = upscale_video(clip, tmp_path / "larger.mkv")
    assert (summary.model, summary.output_size) == ("live-x2", (128, 96))


def test_the_summary_says_what_was_done(clip: Path, tmp_path: Path) -> None:
    summary = upscale_video(str(clip), str(tmp_path / "larger.mkv"), model="lanczos", height=72)
    assert (summary.source, summary.target, summary.model) == (str(clip), str(tmp_path / "larger.mkv"), "lanczos")
    assert (summary.input_size, summary.output_size) == ((64, 48), (96, 72))
    assert (summary.frames, bool(summary.damage), summary.notices) == (12, False, ())
    assert summary.fps == pytest.approx(12 / summary.seconds)
    assert summary.speed == pytest.approx(0.48 / summary.seconds)


def test_progress_is_told_after_every_frame(clip: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    upscale_video(clip, tmp_path / "larger.mkv", model="bicubic", progress=told.append)
    assert [now.frames for now in told] == list(range(1, 13))
    assert told[-1].position == pytest.approx(0.48)
    assert told[-1].eta == pytest.approx(0, abs=0.5)


def test_what_progress_raises_ends_the_run_and_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def progress(now: Progress) -> None:
        if now.frames == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        upscale_video(clip, tmp_path / "larger.mkv", model="bicubic", progress=progress)
    assert names(tmp_path) == ["clip.mkv"]


def test_an_existing_target_is_left_alone_unless_overwriting_is_asked_for(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "larger.mkv"
    target.write_bytes(b"precious")
    with pytest.raises(TargetExists, match="--overwrite"):
        upscale_video(clip, target, model="bicubic")
    assert target.read_bytes() == b"precious"
    upscale_video(clip, target, model="bicubic", overwrite=True)
    assert size_of(target) == (128, 96)


@pytest.mark.parametrize("link", [os.symlink, os.link, None])
def test_the_input_under_any_name_is_refused(clip: Path, tmp_path: Path, link: object) -> None:
    target = clip
    if callable(link):
        target = tmp_path / "other.mkv"
        link(clip, target)
    before = clip.read_bytes()
    with pytest.raises(SameFile, match="is the input itself"):
        upscale_video(clip, target, model="bicubic", overwrite=True)
    assert clip.read_bytes() == before


@pytest.mark.parametrize("target", [".", "missing/larger.mkv", "larger.docx"])
def test_a_target_that_cannot_be_is_refused_and_leaves_nothing(clip: Path, tmp_path: Path, target: str) -> None:
    with pytest.raises(OutputError):
        upscale_video(clip, tmp_path / target, model="bicubic")
    assert names(tmp_path) == ["clip.mkv"]


def test_an_unknown_model_is_known_before_the_input_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="unknown model 'bicubik'; did you mean bicubic"):
        upscale_video(tmp_path / "missing.mkv", tmp_path / "larger.mkv", model="bicubik")


def test_an_odd_result_becomes_even_and_says_so(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv", times=[0])
    said = Notices()
    summary = upscale_video(clip, tmp_path / "larger.mkv", model="bicubic", width=101, height=77, warn=said)
    assert summary.output_size == size_of(tmp_path / "larger.mkv") == (100, 76)
    assert said == list(summary.notices) and said.codes == [Code.ASPECT]


def test_an_input_already_that_large_is_only_resized_and_told_so(clip: Path, tmp_path: Path) -> None:
    tiny = save(network(), tmp_path / "tiny.onnx")
    summary = upscale_video(clip, tmp_path / "smaller.mkv", model=tiny, height=24)
    assert summary.output_size == (32, 24)
    assert summary.model == "lanczos"
    assert [str(notice) for notice in summary.notices] == ["the input is 64x48 already: it is resized without a model"]


def test_a_size_of_another_shape_keeps_the_shape_of_the_picture(clip: Path, tmp_path: Path) -> None:
    upscale_video(clip, tmp_path / "wide.mkv", model="bicubic", width=192, height=96)
    with av.open(str(tmp_path / "wide.mkv")) as container:
        assert Fraction(container.streams.video[0].display_aspect_ratio or 0) == Fraction(4, 3)


@pytest.mark.parametrize("fifth", [Fraction(1, 5), 0.2])
def test_a_piece_is_cut_out(clip: Path, tmp_path: Path, fifth: Fraction | float) -> None:
    piece = tmp_path / "piece.mkv"
    upscale_video(clip, piece, model="bicubic", start=fifth, duration=fifth)
    assert times_of(piece) == [Fraction(time, 1000) for time in range(0, 200, 40)]


def test_tiles_change_nothing(tmp_path: Path) -> None:
    clip, tiny = video(tmp_path / "clip.mkv", times=[0, 40]), save(network(), tmp_path / "tiny.onnx")
    for name, tile in (("whole.mkv", None), ("tiled.mkv", 32)):
        upscale_video(clip, tmp_path / name, model=tiny, tile=tile, precision="f32", codec="ffv1")
    assert pixels(tmp_path / "tiled.mkv") == pixels(tmp_path / "whole.mkv")


def pixels(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(plane) for frame in container.decode(video=0) for plane in frame.planes]


def test_a_picture_becomes_a_picture(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "small.png")
    summary = upscale_video(tmp_path / "small.png", tmp_path / "large.png", model="nearest", scale=3)
    assert summary.frames == 1
    larger = np.asarray(Image.open(tmp_path / "large.png"), np.int16)
    assert larger.shape == (15, 21, 3)
    assert abs(larger[1::3, 1::3] - colours).max() <= 1


def test_file_objects_are_read_and_written(clip: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    summary = upscale_video(io.BytesIO(clip.read_bytes()), out, model="bicubic", format="nut")
    (tmp_path / "larger.nut").write_bytes(out.getvalue())
    assert len(times_of(tmp_path / "larger.nut")) == summary.frames == 12


def test_several_runs_leave_no_threads_and_no_files_open(clip: Path, tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")

    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(descriptors.iterdir())) if descriptors.is_dir() else 0

    upscale_video(clip, tmp_path / "0.mkv", model="bicubic")
    before = held()
    for number in range(1, 4):
        upscale_video(clip, tmp_path / f"{number}.mkv", model="bicubic")
    assert held() == before


def defaults(function: object) -> Iterator[tuple[str, object]]:
    for name, parameter in inspect.signature(function).parameters.items():  # type: ignore[arg-type]
        if parameter.default is not parameter.empty:
            yield name, parameter.default


@pytest.mark.parametrize("room", [load_upscaler, open_source, open_sink])
def test_an_option_has_the_same_default_wherever_it_stands(room: object) -> None:
    ours = dict(defaults(upscale_video))
    theirs = {name: value for name, value in defaults(room) if name in ours}
    assert theirs == {name: ours[name] for name in theirs}
