"""A recording that is stopped keeps what was written; a job on a file leaves nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import pytest

from tests.notices import Notices
from tests.video.videos import make_video
from vidsr.context import Context, Progress, Stopped
from vidsr.options import EncodeOptions, UpscaleOptions
from vidsr.pipeline.stages import JobOptions
from vidsr.pipeline.video import run_job
from vidsr.prefetch import prefetch

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
OPTIONS = JobOptions(upscale=UpscaleOptions("bicubic"), encode=EncodeOptions(preset="ultrafast"))


def camera(tmp_path: Path) -> Path:
    """A FIFO from which a video comes, and then nothing, while it stays open."""
    video = make_video(tmp_path / "a.nut", pts=range(25), options={"fflags": "flush_packets"}).read_bytes()
    fifo = tmp_path / "camera.nut"
    os.mkfifo(fifo)

    def feed() -> None:
        with fifo.open("wb", buffering=0) as file:
            file.write(video[: len(video) * 3 // 4])
            time.sleep(20)

    threading.Thread(target=feed, daemon=True).start()
    return fifo


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv"])
def test_a_recording_that_is_stopped_keeps_what_was_written(tmp_path, name):
    notices, context = Notices(), Context()

    def enough(now: Progress) -> None:
        if now.frames == 5:
            context.stop.set()

    context = Context(notices, enough)
    with pytest.raises(Stopped):
        run_job(camera(tmp_path), tmp_path / name, OPTIONS, context=context)
    assert frames_in(tmp_path / name) == 5
    assert any("stopped" in message for message in notices.messages)


def test_a_file_that_is_stopped_leaves_nothing(tmp_path):
    def enough(now: Progress) -> None:
        if now.frames == 5:
            context.stop.set()

    context = Context(Notices(), enough)
    with pytest.raises(Stopped):
        run_job(make_video(tmp_path / "a.mp4", pts=range(25)), tmp_path / "b.mp4", OPTIONS, context=context)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_ctrl_c_ends_a_recording_with_its_exit_code(tmp_path):
    command = [sys.executable, "-m", "vidsr", "upscale", str(camera(tmp_path)), str(tmp_path / "b.mp4")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([*command, "--model", "bicubic"], stderr=subprocess.PIPE, text=True, env=environment) as run:
        while not any(file.stat().st_size > 2000 for file in tmp_path.glob(".*/b.mp4")) and run.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert "stopped" in said
    assert frames_in(tmp_path / "b.mp4") > 0


def test_prefetch_leaves_a_thread_alone_that_nothing_wakes():
    stalled, stop = threading.Event(), threading.Event()

    def items():
        yield 1
        stalled.wait(30)

    found = []
    for item in prefetch(items(), depth=2, stopped=stop.is_set):
        found.append(item)
        stop.set()
    assert found == [1]
    stalled.set()
