"""`vidsr upscale` with pictures as films, and films as pictures."""

import signal
from fractions import Fraction
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.cli.test_upscale import names, running, upscale, wait_for_a_file_in
from tests.clips import times_of, video
from tests.video.videos import drawing
from vidsr.cli import app
from vidsr.cli.batch import jobs


def pictures(folder: Path, count: int = 3) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        Image.fromarray(drawing(32, 24, number)).save(folder / f"{number:05d}.png")
    return folder


@pytest.mark.parametrize("name", ["frames", "frames/%05d.png"])
def test_pictures_become_a_film_at_the_rate_given(name: str, tmp_path: Path) -> None:
    pictures(tmp_path / "frames")
    shown = upscale(tmp_path / name, tmp_path / "film.mp4", "--fps", "30000/1001", "--verify")
    assert shown.exit_code == 0 and "3 frames" in shown.stderr
    assert times_of(tmp_path / "film.mp4") == [index * Fraction(1001, 30000) for index in range(3)]


def test_a_film_of_pictures_is_verified_at_its_rate(tmp_path: Path) -> None:
    pictures(tmp_path / "frames")
    upscale(tmp_path / "frames", tmp_path / "film.mkv", "--fps", "10")
    arguments = ["verify", str(tmp_path / "frames"), str(tmp_path / "film.mkv")]
    right, wrong = (CliRunner().invoke(app, [*arguments, *more]).stdout for more in (["--fps", "10"], []))
    assert "all exact" in right and "all exact" not in wrong


def test_the_rate_that_is_taken_is_told(tmp_path: Path) -> None:
    pictures(tmp_path / "frames")
    shown = upscale(tmp_path / "frames" / "%05d.png", tmp_path / "film.mp4")
    assert "25 frames a second are assumed for these images; --fps sets another rate" in shown.stderr.replace("\n", " ")
    assert times_of(tmp_path / "film.mp4")[1] == Fraction(1, 25)


@pytest.mark.parametrize("source", ["frames", "frames/%05d.png"])
def test_pictures_become_pictures_without_a_word(source: str, tmp_path: Path) -> None:
    pictures(tmp_path / "frames")
    shown = upscale("-q", "--verify", tmp_path / source, tmp_path / "large" / "%d.png", "--fps", "7")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert names(tmp_path / "large") == ["1.png", "2.png", "3.png"]


def test_a_film_becomes_pictures(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv", sound=False)
    assert upscale("-q", "--verify", clip, tmp_path / "large" / "%03d.png").exit_code == 0
    assert len(names(tmp_path / "large")) == 12


def test_a_folder_without_a_rate_is_done_picture_by_picture(tmp_path: Path) -> None:
    pictures(tmp_path / "frames")
    assert upscale(tmp_path / "frames", tmp_path / "large").exit_code == 0
    assert names(tmp_path / "large") == ["00001.png", "00002.png", "00003.png"]


def test_a_folder_into_one_film_without_a_rate_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="give --fps to join images"):
        jobs([str(pictures(tmp_path / "frames"))], str(tmp_path / "film.mp4"), None)
    with pytest.raises(typer.BadParameter, match="several inputs"):
        jobs(["a.png", "b.png"], str(tmp_path / "film.mp4"), None, one=True)


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "24/0", "1/2/3", "inf", "", "1e3", "1001"])
def test_a_rate_that_is_none_is_wrong_usage(rate: str, tmp_path: Path) -> None:
    pictures(tmp_path / "frames", 1)
    assert upscale(tmp_path / "frames", tmp_path / "film.mp4", "--fps", rate).exit_code == 2


def test_a_rate_for_a_film_that_has_one_is_wrong_usage(tmp_path: Path) -> None:
    shown = upscale(video(tmp_path / "clip.mkv"), tmp_path / "larger.mkv", "--fps", "24")
    assert shown.exit_code == 2 and "has time stamps" in shown.stderr
    assert names(tmp_path) == ["clip.mkv"]


def test_a_missing_sequence_is_said_plainly(tmp_path: Path) -> None:
    shown = upscale(tmp_path / "frames" / "%05d.png", tmp_path / "film.mp4")
    assert shown.exit_code == 3 and "no such image, for example 00001.png" in shown.stderr.replace("\n", " ")


def test_a_signal_leaves_none_of_the_pictures(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv", times=range(0, 20000, 40), size=(320, 240), sound=False)
    with running(clip, tmp_path / "large" / "%d.png") as process:
        wait_for_a_file_in(tmp_path, besides=1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert names(tmp_path) == ["clip.mkv"]
