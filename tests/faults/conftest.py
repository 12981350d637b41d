import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scene import TIME_LIMIT_S
from tests.video.videos import make_video

SMALL = 10
"""Frames of the videos that faults are made of."""


@pytest.fixture(autouse=True)
def nothing_hangs() -> Iterator[None]:
    """Fail a test that takes too long, wherever it waits."""

    def late(*_: object) -> None:
        raise TimeoutError(f"hung for {TIME_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(TIME_LIMIT_S)
    threads = set(threading.enumerate())
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
        assert not thread.is_alive(), f"{thread.name} was left behind"


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small videos with sound: video.mp4 (index first), .mkv, .ts, .nut; late.mp4 (index last)."""
    folder = tmp_path_factory.mktemp("films")
    for name in ("video.mkv", "video.ts", "video.nut", "late.mp4"):
        make_video(folder / name, sound="aac", pts=range(SMALL))
    make_video(folder / "video.mp4", sound="aac", pts=range(SMALL), options={"movflags": "faststart"})
    return folder
