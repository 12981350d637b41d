import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scene import TIME_LIMIT_S
from tests.video.videos import make_film

SMALL = 10
"""Frames of the films that faults are made of."""


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
    """A folder with small films, with sound: film.mp4 (its index in front), .mkv, .ts, .nut; late.mp4 (at its end)."""
    folder = tmp_path_factory.mktemp("films")
    for name in ("film.mkv", "film.ts", "film.nut", "late.mp4"):
        make_film(folder / name, sound="aac", pts=range(SMALL))
    make_film(folder / "film.mp4", sound="aac", pts=range(SMALL), options={"movflags": "faststart"})
    return folder
