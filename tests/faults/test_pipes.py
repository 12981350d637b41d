"""Pipes that break, stall or begin badly, and signals: over within a second, and nothing left behind."""

import errno
import io
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import av
import pytest

from tests.faults.inputs import joined
from tests.faults.scene import contents, ended, run, started
from tests.video.videos import facts_of, frames_of, make_video

SOON_S = 1.0
SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"]
PIPE = subprocess.PIPE


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """More than pipes hold."""
    return make_video(
        tmp_path_factory.mktemp("long") / "a.nut", codec="ffv1", size=(160, 120), pts=range(60)
    ).read_bytes()


def begun(folder: Path) -> None:
    """Wait until an output is being written."""
    while not any(path.stat().st_size for path in folder.glob(".vidsr-*.part/*")):
        time.sleep(0.01)


def stopped_within(process: "subprocess.Popen[bytes]", number: int, seconds: float) -> tuple[str, ...]:
    """Send a signal, and return what was said."""
    sent = time.monotonic()
    process.send_signal(number)
    shown = ended(process)
    assert time.monotonic() - sent < seconds
    assert shown.code == 128 + number
    return shown.said


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_a_run_whose_stdin_has_stalled(name: str, videos: Path, tmp_path: Path) -> None:
    with started("-", tmp_path / "out.mkv", stdin=PIPE) as process:
        assert process.stdin is not None
        process.stdin.write((videos / "video.nut").read_bytes()[:3000])
        begun(tmp_path)
        said = stopped_within(process, signal.Signals[name], SOON_S)
    if not contents(tmp_path):  # the signal came before the first frame
        assert said == ()
        return
    with av.open(str(tmp_path / "out.mkv")) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert len(said) == 1 and re.search(rf"stopped: \S+out.mkv is complete until then, with {frames} frames?$", said[0])


def test_a_signal_ends_a_run_that_waits_for_its_first_byte(tmp_path: Path) -> None:
    with started("-", tmp_path / "out.mkv", stdin=PIPE) as process:
        time.sleep(1.5)  # until it has begun, which nothing shows
        assert stopped_within(process, signal.SIGTERM, SOON_S) == ()
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_a_run_whose_reader_has_stalled(name: str, long_video: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.nut").write_bytes(long_video)
    with started("--codec", "ffv1", tmp_path / "a.nut", "-", stdout=PIPE) as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 10)
        time.sleep(0.3)  # until the pipe is full
        assert stopped_within(process, signal.Signals[name], SOON_S) == ()
    assert list(contents(tmp_path)) == ["a.nut"]


def test_a_signal_ends_a_run_that_waits_for_the_reader_of_a_fifo(videos: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with started("-f", "nut", videos / "video.nut", tmp_path / "fifo") as process:
        time.sleep(1.5)
        assert stopped_within(process, signal.SIGINT, SOON_S) == ()


def test_a_killed_run_leaves_no_output_and_the_next_one_clears_up_behind_it(videos: Path, tmp_path: Path) -> None:
    with started("-", tmp_path / "out.mkv", stdin=PIPE) as process:
        assert process.stdin is not None
        process.stdin.write((videos / "video.nut").read_bytes()[:3000])
        begun(tmp_path)
        process.kill()
        assert ended(process).code == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".vidsr-") and left.name.endswith(".part")
    assert run(videos / "video.nut", tmp_path / "out.mkv").code == 0
    assert list(contents(tmp_path)) == ["out.mkv"]


def test_a_run_leaves_what_another_is_writing_alone(videos: Path, tmp_path: Path) -> None:
    with started("-", tmp_path / "one.mkv", stdin=PIPE) as process:
        assert process.stdin is not None
        process.stdin.write((videos / "video.nut").read_bytes()[:3000])
        begun(tmp_path)
        assert run(videos / "video.nut", tmp_path / "other.mkv").code == 0
        process.stdin.write((videos / "video.nut").read_bytes()[3000:])
        process.stdin.close()
        assert ended(process).code == 0
    assert list(contents(tmp_path)) == ["one.mkv", "other.mkv"]
    assert len(frames_of(tmp_path / "one.mkv")) == len(frames_of(videos / "video.nut"))


def test_a_reader_that_goes_away_ends_the_run_without_a_word(long_video: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.nut").write_bytes(long_video)
    with started("--codec", "ffv1", tmp_path / "a.nut", "-", stdout=PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        shown = ended(process)
    assert shown.code == 141 and shown.said == ()


def test_a_reader_that_was_never_there_is_no_different(videos: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    shown = run(videos / "video.nut", "-", stdout=theirs)
    os.close(theirs)
    assert shown.code == 141 and shown.said == ()


def test_a_slow_reader_gets_every_byte(videos: Path, tmp_path: Path) -> None:
    with started(videos / "video.nut", "-", stdout=PIPE) as process:
        assert process.stdout is not None
        data = b""
        while piece := os.read(process.stdout.fileno(), 1000):
            data += piece
            time.sleep(0.02)
        assert ended(process).code == 0
    (tmp_path / "out.nut").write_bytes(data)
    assert facts_of(tmp_path / "out.nut").times == facts_of(videos / "video.nut").times


def test_an_empty_stdin_is_no_video(tmp_path: Path) -> None:
    shown = run("-", tmp_path / "out.mkv", stdin=subprocess.DEVNULL)
    assert shown.code == 3 and shown.sentence.startswith("stdin")
    assert contents(tmp_path) == {}


def test_an_mp4_with_its_index_at_the_end_cannot_be_piped(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", size=(320, 180), pts=range(50), codec="mpeg4")
    with video.open("rb") as file, subprocess.Popen(["cat"], stdin=file, stdout=PIPE) as cat:
        shown = run("-", tmp_path / "out.mkv", stdin=cat.stdout)
        assert cat.stdout is not None
        cat.stdout.close()
    assert shown.code == 3 and "give the name of the file, or pipe NUT" in shown.sentence
    assert list(contents(tmp_path)) == ["a.mp4"]


def test_a_sender_that_dies_midway_is_told_of(tmp_path: Path) -> None:
    data = make_video(tmp_path / "a.mkv", pts=range(50)).read_bytes()
    shown = run("-", tmp_path / "out.mkv", input=data[: len(data) // 2])
    assert shown.code == 0 and "stdin is damaged: it breaks off at 00:00:0" in shown.sentence
    strict = run("--strict", "-", tmp_path / "strict.mkv", input=data[: len(data) // 2])
    assert strict.code == 7 and list(contents(tmp_path)) == ["a.mkv", "out.mkv"]


def test_a_stream_that_appears_on_the_way_is_no_hindrance(videos: Path, tmp_path: Path) -> None:
    silent = make_video(tmp_path / "a.ts", codec="mpeg2video", pts=range(250))
    both = joined(tmp_path / "b.ts", silent, make_video(tmp_path / "c.ts", codec="mpeg2video", sound="mp2"))
    shown = run("-", tmp_path / "out.mkv", input=both.read_bytes())
    assert shown.code == 0 and len(frames_of(tmp_path / "out.mkv")) == 250 + 12


def test_a_disk_that_fails_while_it_is_read_ends_the_run(videos: Path, tmp_path: Path) -> None:
    from vidsr.errors import StreamBroken
    from vidsr.pipeline import upscale_video

    class Failing:
        name = "a.nut"

        def __init__(self) -> None:
            self._file = io.BytesIO((videos / "video.nut").read_bytes())
            self._left = 3000

        def read(self, size: int) -> bytes:
            self._left -= size
            if self._left < 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return self._file.read(min(size, 500))

    with pytest.raises(StreamBroken, match=r"a\.nut (broke off|cannot be opened): Input/output error"):
        upscale_video(Failing(), tmp_path / "out.mkv", model="nearest")  # type: ignore[arg-type]
    assert contents(tmp_path) == {}


def test_a_stalled_writer_is_waited_for(videos: Path, tmp_path: Path) -> None:
    data = (videos / "video.nut").read_bytes()
    with started("-", tmp_path / "out.mkv", stdin=PIPE) as process:
        assert process.stdin is not None
        pipe = process.stdin

        def write() -> None:
            pipe.write(data[:4000])
            time.sleep(1)
            pipe.write(data[4000:])
            pipe.close()

        writer = threading.Thread(target=write)
        writer.start()
        shown = ended(process)
        writer.join()
    assert shown.code == 0 and shown.said == ()
    assert len(frames_of(tmp_path / "out.mkv")) == len(frames_of(videos / "video.nut"))
