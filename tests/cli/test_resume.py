"""`vidsr upscale --resume` as its user meets it: stopped by a signal, told how to go on, gone on with."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.clips import size_of, times_of, video
from vidsr.cli import app


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "vidsr", "upscale", "-m", "bicubic", "--resume", *map(str, arguments)]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_keeps_what_is_done_and_says_how_to_go_on(tmp_path: Path, name: str) -> None:
    number = signal.Signals[name]
    source = video(tmp_path / "a clip.mkv", times=range(0, 24000, 40), sound=False)
    target = tmp_path / "larger.mkv"
    with subprocess.Popen(command("--preset", "slower", source, target), stderr=subprocess.PIPE) as process:
        journal, end = tmp_path / "larger.mkv.vidsr" / "journal.jsonl", time.monotonic() + 60
        while not journal.exists():
            assert time.monotonic() < end, "no segment was made"
            time.sleep(0.01)
        sent = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
        assert time.monotonic() - sent < 1
        assert process.stderr is not None
        said = process.stderr.read().decode().splitlines()[-1]
    again = f"upscale -m bicubic --resume --preset slower '{source}' {target}"
    assert said == f"vidsr: stopped; resume with: vidsr {again}"
    assert not target.exists() and list(journal.parent.glob("*.packets"))


def test_a_film_of_two_segments_is_made(tmp_path: Path) -> None:
    source, target = video(tmp_path / "clip.mkv", times=range(0, 10400, 40), sound=False), tmp_path / "larger.mkv"
    first = CliRunner().invoke(app, ["upscale", "-m", "bicubic", "--resume", str(source), str(target)])
    assert first.exit_code == 0
    assert (times_of(target), size_of(target)) == (times_of(source), (128, 96))


def test_films_that_are_there_already_are_left_as_they_are(tmp_path: Path) -> None:
    videos, out = tmp_path / "in", tmp_path / "out"
    videos.mkdir()
    out.mkdir()
    for name in ("a.mkv", "b.mkv"):
        video(videos / name, times=[0, 40])
    (out / "a.mkv").write_bytes(b"done before")
    shown = CliRunner().invoke(app, ["upscale", "-m", "bicubic", "--resume", str(videos), str(out)])
    assert shown.exit_code == 0
    assert f"{out / 'a.mkv'} exists already, and is left as it is" in shown.stderr
    assert (out / "a.mkv").read_bytes() == b"done before"
    assert times_of(out / "b.mkv") == times_of(videos / "b.mkv")
