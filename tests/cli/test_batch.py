"""Several inputs: which output belongs to which."""

from pathlib import Path

import pytest
import typer

from vidsr.cli.batch import jobs
from vidsr.errors import InputError, OutputError


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).touch()
    return path


def test_one_input_goes_to_the_output_itself() -> None:
    assert jobs(["-"], "-", "nut") == [("-", "-")]


def test_a_folder_gives_its_films_and_pictures_in_order(tmp_path: Path) -> None:
    videos = folder_of(tmp_path / "in", "b.mp4", "a.MKV", "c.png", "notes.txt")
    out = tmp_path / "out"
    assert jobs([str(videos)], str(out), None) == [
        (str(videos / "a.MKV"), str(out / "a.MKV")),
        (str(videos / "b.mp4"), str(out / "b.mp4")),
        (str(videos / "c.png"), str(out / "c.png")),
    ]
    assert out.is_dir()


@pytest.mark.parametrize(
    ("name", "container", "target"),
    [
        ("a.avi", None, "a.avi"),
        ("a.webm", None, "a.webm"),
        ("a.gif", None, "a.gif"),
        ("a.gif", "mp4", "a.mp4"),
        ("a.heic", None, "a.png"),
        ("a.mpg", None, "a.mkv"),
        ("a.jpg", "mp4", "a.jpg"),
        ("a.avi", "matroska", "a.mkv"),
        ("a.mp4", "ts", "a.ts"),
    ],
)
def test_an_output_ends_in_what_can_be_written(tmp_path: Path, name: str, container: str | None, target: str) -> None:
    videos = folder_of(tmp_path / "in", name)
    assert jobs([str(videos)], str(tmp_path / "out"), container)[0][1] == str(tmp_path / "out" / target)


def test_two_inputs_that_would_share_an_output_are_refused(tmp_path: Path) -> None:
    videos = folder_of(tmp_path / "in", "a.mpg", "a.mkv")
    with pytest.raises(OutputError, match=r"a\.mkv and .*a\.mpg would both become"):
        jobs([str(videos)], str(tmp_path / "out"), None)
    assert not (tmp_path / "out").exists()


def test_files_that_are_left_out_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = folder_of(tmp_path / "in", "a.mp4", "b.avif", "notes.txt", "c.pdf", ".hidden")
    assert len(jobs([str(videos)], str(tmp_path / "out"), None)) == 2
    said = capsys.readouterr().err
    assert "notes.txt" in said and "c.pdf" in said and ".hidden" not in said


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no videos or images in it"):
        jobs([str(folder_of(tmp_path / "in", "notes.txt"))], str(tmp_path / "out"), None)


def test_several_inputs_need_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be a folder for 2 outputs"):
        jobs(["a.mp4", "b.mp4"], str(tmp_path / "file"), None)


def test_a_pipe_cannot_be_one_of_several(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="one stream"):
        jobs(["a.mp4", "-"], str(tmp_path), None)
