"""What a run says while it works."""

import os
import select
import sys

import pytest

from vidsr.cli.console import Plain, clock, describe, report
from vidsr.context import Progress


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1:00"), (125, "2:05"), (3725, "1:02:05")]
)
def test_times_are_written_as_people_read_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_film_of_known_length_has_a_time_to_go() -> None:
    now = Progress(frames=240, total=720, seconds=4.0, position=10.0, duration=30.0)
    assert describe(now) == "240/720 frames, 60.0 fps, 2.50x real time, 8 s left"


def test_a_stream_without_an_end_has_none() -> None:
    now = Progress(frames=240, total=None, seconds=4.0, position=10.0, duration=None)
    assert describe(now) == "240 frames, 60.0 fps, 2.50x real time"


def test_where_stderr_is_no_terminal_a_line_comes_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with report() as says:
        assert isinstance(says, Plain)
        for tick in range(1, 121):
            says.progress(Progress(tick, None, tick / 10, tick / 10, None))
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split()[1] for line in told.err.splitlines()] == ["50", "100"]


def test_quiet_leaves_the_notices(capsys: pytest.CaptureFixture[str]) -> None:
    with report(quiet=True) as says:
        says.progress(Progress(1, None, 60.0, 1.0, None))
        says.warn("the cover is left out")
    assert capsys.readouterr().err == "vidsr: the cover is left out\n"


def test_on_a_terminal_notices_stand_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with report() as says:
            says.progress(Progress(240, 720, 4.0, 10.0, 30.0))
            says.warn("the cover is left out")
            says.progress(Progress(480, 720, 8.0, 20.0, 30.0))
        shown = b""
        while b"480/720 frames, 60.0 fps" not in shown:
            assert select.select([ours], [], [], 10)[0], shown
            shown += os.read(ours, 1 << 16)
    os.close(ours)
    assert b"vidsr: the cover is left out\r\n" in shown
