"""`vidsr upscale` as its user meets it: pipes, signals, several inputs, what it says and where."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.clips import size_of, times_of, video
from vidsr.cli import app
from vidsr.cli.params import tile_of
from vidsr.video.read.hwdecode import can_open_gpu


def upscale(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["upscale", "-m", "bicubic", *map(str, arguments)])


def upscale_alone(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["upscale", *arguments])


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own with pipes on all sides, ended whatever happens."""
    command = [sys.executable, "-m", "vidsr", "upscale", "-m", "bicubic", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "clip.mkv")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_line_says_what_was_done(clip: Path, tmp_path: Path) -> None:
    shown = upscale(clip, tmp_path / "larger.mkv")
    assert shown.exit_code == 0
    assert shown.stdout == ""
    last = r"vidsr: 12 frames in [\d.]+ s, [\d.]+ fps, 64x48 to 128x96 by bicubic\n"
    assert re.fullmatch(last, shown.stderr)


def test_quiet_says_nothing_but_what_must_be_known(clip: Path, tmp_path: Path) -> None:
    assert upscale("-q", clip, tmp_path / "larger.mkv").stderr == ""
    shown = upscale("-q", "--size", "101x77", clip, tmp_path / "odd.mkv")
    assert shown.stderr == "vidsr: 101x77 becomes 100x76: chroma subsampling needs even sides\n"


def test_json_is_the_summary_on_stderr(clip: Path, tmp_path: Path) -> None:
    shown = upscale("--json", "--scale", "3", clip, tmp_path / "larger.mkv")
    summary = json.loads(shown.stderr)
    assert (summary["frames"], summary["input_size"], summary["output_size"]) == (12, [64, 48], [192, 144])
    assert shown.stdout == ""


def test_the_summary_says_what_was_computed(clip: Path, tmp_path: Path) -> None:
    words = ["--json", "--model", "live-x2", "--precision", "f32", clip]
    shares = json.loads(upscale(*words, tmp_path / "part.mkv", "--compute", ".5").stderr)["shares"]
    assert 0 < shares["computed"] <= 0.5
    assert sum(shares.values()) == pytest.approx(1, abs=0.001)
    assert json.loads(upscale(*words, tmp_path / "all.mkv").stderr)["shares"] is None
    said = upscale(*words, tmp_path / "resumed.mkv", "--resume", "--compute", ".5").stderr
    resumed = json.loads(said.splitlines()[-1])
    assert resumed["shares"] is None
    assert "every pixel" in resumed["notices"][0]["message"]


@pytest.mark.parametrize(
    ("options", "size"), [([], (128, 96)), (["--height", "72"], (96, 72)), (["--size", "80x40"], (80, 40))]
)
def test_the_size_is_the_one_asked_for(clip: Path, tmp_path: Path, options: list[str], size: tuple[int, int]) -> None:
    assert upscale(*options, clip, tmp_path / "larger.mkv").exit_code == 0
    assert size_of(tmp_path / "larger.mkv") == size


def test_a_piece_is_given_in_seconds_or_by_the_clock(clip: Path, tmp_path: Path) -> None:
    assert upscale("--start", "0:00.2", "--duration", "0.2", clip, tmp_path / "piece.mkv").exit_code == 0
    assert len(times_of(tmp_path / "piece.mkv")) == 5


@pytest.mark.parametrize(
    "options",
    [
        ["--scale", "2", "--height", "96"],
        ["--scale", "5"],
        ["--size", "large"],
        ["--size", "0x10"],
        ["--start", "soon"],
        ["--encoder-option", "tune"],
        ["--precision", "int4"],
        ["--tile", "64"],
        ["--compute", "half"],
        ["--compute", "1.5"],
        ["--source-quality", "52"],
        ["--source-quality", "nan"],
        ["--height", "1000000"],
        ["--size", "1000000x10"],
    ],
)
def test_options_that_make_no_sense_exit_with_2(clip: Path, tmp_path: Path, options: list[str]) -> None:
    assert upscale(*options, clip, tmp_path / "larger.mkv").exit_code == 2
    assert names(tmp_path) == ["clip.mkv"]


@pytest.mark.parametrize(("given", "missing"), [([], "INPUT"), (["in.mp4"], "OUTPUT")])
def test_the_argument_that_is_missing_is_named(given: list[str], missing: str) -> None:
    shown = upscale_alone(*given)
    assert shown.exit_code == 2 and f"Missing argument '{missing}'" in shown.stderr


def test_an_empty_name_is_no_input(tmp_path: Path) -> None:
    shown = upscale("", tmp_path / "out")
    assert shown.exit_code == 3 and "the name of the input is empty" in shown.stderr
    assert names(tmp_path) == []


def test_encoder_options_reach_the_encoder(clip: Path, tmp_path: Path) -> None:
    arguments = ["--encoder-option", "x264-params=keyint=7", "--encoder-option", "tune=psnr"]
    assert upscale(*arguments, clip, tmp_path / "larger.mkv").exit_code == 0
    assert b"keyint=7 " in (tmp_path / "larger.mkv").read_bytes()


@pytest.mark.parametrize(
    ("option", "shown"),
    [("crf", "20"), ("codec", "libx264"), ("device", "auto"), ("precision", "auto")],
)
def test_help_shows_the_default_of_the_field(option: str, shown: str) -> None:
    text = CliRunner().invoke(app, ["upscale", "--help"], env={"COLUMNS": "200"}).stdout
    line = next(line for line in text.splitlines() if f"--{option} " in line)
    assert f"[default: {shown}]" in line


def test_a_folder_is_done_file_by_file_and_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    videos = tmp_path / "in"
    videos.mkdir()
    video(videos / "a.mkv", times=[0, 40])
    (videos / "b.mkv").write_text("no film")
    video(videos / "c.mp4", times=[0, 40])
    shown = upscale(videos, tmp_path / "out")
    assert shown.exit_code == 3
    assert names(tmp_path / "out") == ["a.mkv", "c.mp4"]
    assert "b.mkv" in shown.stderr
    assert f"vidsr: {tmp_path / 'out' / 'c.mp4'}: 2 frames in" in shown.stderr
    assert shown.stderr.endswith("vidsr: 1 of 3 inputs failed\n")


def test_a_folder_as_target_of_one_input_is_refused(clip: Path, tmp_path: Path) -> None:
    shown = upscale(clip, tmp_path)
    assert shown.exit_code == 6
    assert len(shown.stderr.splitlines()) == 1


def test_stdin_goes_to_stdout_as_nut(tmp_path: Path) -> None:
    source = video(tmp_path / "clip.nut")
    with running("-", "-") as process:
        out, said = process.communicate(source.read_bytes(), timeout=60)
    assert process.returncode == 0, said.decode()
    (tmp_path / "larger.nut").write_bytes(out)
    assert times_of(tmp_path / "larger.nut") == times_of(source)
    assert size_of(tmp_path / "larger.nut") == (128, 96)


def test_the_summary_names_each_pipe(tmp_path: Path) -> None:
    source = video(tmp_path / "clip.nut")
    with running("--json", "-", "-") as process:
        _, said = process.communicate(source.read_bytes(), timeout=60)
    summary = json.loads(said)
    assert (summary["source"], summary["target"]) == ("stdin", "stdout")


def test_a_format_that_cannot_be_piped_is_refused_with_one_that_can(clip: Path) -> None:
    shown = upscale("-f", "mp4", clip, "-")
    assert shown.exit_code == 6
    assert re.search(r"nut|ts|mkv|matroska", shown.stderr)
    assert shown.stdout == ""


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_a_terminal_is_no_film(clip: Path, tmp_path: Path, name: str) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    arguments = ["-", tmp_path / "larger.mkv"] if name == "stdin" else [clip, "-"]
    command = [sys.executable, "-m", "vidsr", "upscale", "-m", "bicubic", *map(str, arguments)]
    shown = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, **{name: theirs})  # type: ignore[call-overload]
    os.close(ours)
    os.close(theirs)
    assert f"{name} is a terminal" in shown.stderr.decode()
    assert shown.returncode == (3 if name == "stdin" else 6)


def test_a_closed_stdin_is_an_empty_one(tmp_path: Path) -> None:
    script = 'exec "$@" <&-'
    command = [sys.executable, "-m", "vidsr", "upscale", "-m", "bicubic", "-", str(tmp_path / "larger.mkv")]
    shown = subprocess.run(["sh", "-c", script, "sh", *command], stderr=subprocess.PIPE, timeout=60)
    assert shown.returncode == 3
    assert shown.stderr.startswith(b"vidsr: stdin")


def test_a_signal_ends_a_run_that_is_at_work(tmp_path: Path) -> None:
    source = video(tmp_path / "clip.mkv", times=range(0, 20000, 40), size=(320, 240), sound=False)
    with running("--preset", "placebo", source, tmp_path / "larger.mkv") as process:
        wait_for_a_file_in(tmp_path, besides=1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    assert names(tmp_path) == ["clip.mkv"]


AT_ONCE = """
import os, signal
from vidsr.cli import Commands, main
Commands.make_context = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)
main()
"""


def test_a_signal_before_the_command_has_begun_has_its_own_exit_code() -> None:
    assert subprocess.run([sys.executable, "-c", AT_ONCE], timeout=60).returncode == 143


STUCK = """
import sys, time
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
ResizingUpscaler.submit = lambda *_: time.sleep(60)
from vidsr.cli import main
main()
"""


def test_a_signal_ends_a_run_even_where_a_thread_cannot_be_woken(clip: Path, tmp_path: Path) -> None:
    arguments = ["upscale", "-m", "bicubic", str(clip), str(tmp_path / "larger.mkv")]
    with subprocess.Popen([sys.executable, "-c", STUCK, *arguments]) as process:
        wait_for_a_file_in(tmp_path, besides=1)
        time.sleep(0.1)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert time.monotonic() - sent < 1
    assert names(tmp_path) == ["clip.mkv"]


def test_a_live_frame_leaves_before_the_next_arrives(tmp_path: Path) -> None:
    data = video(tmp_path / "clip.nut", times=range(0, 2000, 40), sound=False).read_bytes()
    (tmp_path / "half.nut").write_bytes(data[: len(data) // 2])
    arrived = len(times_of(tmp_path / "half.nut"))
    with running("-", "-") as process, (tmp_path / "out.nut").open("wb") as out:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[: len(data) // 2])  # and no more
        end = time.monotonic() + 60
        while frames_so_far(tmp_path / "out.nut") < arrived - 1:
            assert time.monotonic() < end, "frames wait for others"
            if select.select([process.stdout], [], [], 0.2)[0]:
                out.write(os.read(process.stdout.fileno(), 1 << 16))
                out.flush()
    assert arrived > 10


def frames_so_far(path: Path) -> int:
    try:
        return len(times_of(path))
    except (ValueError, EOFError):  # not even a whole header
        return 0


def wait_for_a_file_in(folder: Path, *, besides: int = 0) -> None:
    end = time.monotonic() + 60
    while len(os.listdir(folder)) <= besides:  # noqa: PTH208
        assert time.monotonic() < end, "nothing was begun"
        time.sleep(0.02)


@pytest.mark.skipif(can_open_gpu("cuda"), reason="there is a GPU")
def test_who_asks_for_a_gpu_to_decode_is_told_where_there_is_none(clip: Path, tmp_path: Path) -> None:
    told = "vidsr: no GPU can decode here, `vidsr doctor` shows why: the CPU decodes"
    assert told in upscale(clip, tmp_path / "asked.mkv", "--hwaccel", "cuda").stderr
    assert told not in upscale(clip, tmp_path / "plain.mkv").stderr


def test_a_tile_is_a_number_or_auto() -> None:
    assert [tile_of(text) for text in (None, "auto", "256")] == [None, "auto", 256]
    for text in ("0", "-3", "whole", "1e3"):
        with pytest.raises(typer.BadParameter, match=f"expected a tile size such as 256, or auto; got '{text}'"):
            tile_of(text)
