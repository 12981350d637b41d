"""Pipes: interrupted at once, nothing lost, a reader that goes away told from a failure."""

import os
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.video.videos import facts_of, frame_from, info_of, make_video, resize_video
from vidsr.context import Context, Stop, Stopped, ignore
from vidsr.errors import NotAVideo, NotPipeable
from vidsr.frames import Frame
from vidsr.io.pipes import PipeReader, PipeWriter, Writer, open_fifo, open_fifo_writer
from vidsr.options import EncodeOptions, ReadOptions
from vidsr.video.read.source import open_source
from vidsr.video.write.sink import open_sink

SOON_S = 1.0


@pytest.fixture
def pipe() -> Any:
    """Both ends of a pipe, closed afterwards where the test has not."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue


def later(action: Any, after_s: float = 0.1) -> threading.Thread:
    thread = threading.Thread(target=lambda: (time.sleep(after_s), action()))
    thread.start()
    return thread


def test_stop_wakes_a_blocked_read(pipe: tuple[int, int]) -> None:
    stop = Stop()
    thread = later(stop.set)
    began = time.monotonic()
    with pytest.raises(Stopped):
        PipeReader(pipe[0], stop).read(10)
    assert time.monotonic() - began < SOON_S
    thread.join()
    stop.close()


def test_stop_wakes_a_blocked_write(pipe: tuple[int, int]) -> None:
    stop = Stop()
    thread = later(stop.set)
    began = time.monotonic()
    with pytest.raises(Stopped):
        Writer(PipeWriter(pipe[1], stop)).write(bytes(1 << 22))
    assert time.monotonic() - began < SOON_S
    thread.join()
    stop.close()


def test_stop_wakes_a_source_that_waits_for_its_first_bytes(pipe: tuple[int, int]) -> None:
    stop = Stop()
    thread = later(stop.set)
    began = time.monotonic()
    with pytest.raises(Stopped):
        open_source(PipeReader(pipe[0], stop), ReadOptions(live=True), context=Context(stop=stop))  # type: ignore[arg-type]
    assert time.monotonic() - began < SOON_S
    thread.join()
    stop.close()


def test_stop_wakes_a_source_in_the_middle_of_a_video(
    pipe: tuple[int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = make_video(tmp_path / "in.nut", sound="aac", pts=range(50)).read_bytes()
    stop = Stop()
    os.write(pipe[1], video[: len(video) * 3 // 4 - 7])
    with open_source(PipeReader(pipe[0], stop), ReadOptions(live=True), context=Context(stop=stop)) as source:  # type: ignore[arg-type]
        thread = later(stop.set)
        with pytest.raises(Stopped):
            list(source)
    assert not capfd.readouterr().err  # of PyAV, which prints a second exception
    thread.join()
    stop.close()


def test_stop_wakes_the_wait_for_the_reader_of_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    stop = Stop()
    thread = later(stop.set)
    with pytest.raises(Stopped):
        open_fifo_writer(tmp_path / "fifo", stop)
    thread.join()
    stop.close()


def test_a_fifo_is_opened_without_waiting_for_its_writer_and_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = open_fifo(tmp_path / "fifo")
    thread = later(lambda: (tmp_path / "fifo").write_bytes(b"film"))
    assert reader.read(100) == b"film"
    assert reader.read(100) == b""
    reader.close()
    thread.join()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list a process's open files")
@pytest.mark.parametrize("readable", [True, False])
def test_a_fifo_that_was_read_or_refused_is_closed(readable: bool, tmp_path: Path) -> None:
    data = make_video(tmp_path / "a.nut").read_bytes() if readable else b"no video" * 100
    os.mkfifo(tmp_path / "fifo")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        thread = later(lambda: (tmp_path / "fifo").write_bytes(data))
        if readable:
            with open_source(tmp_path / "fifo") as source:
                assert sum(isinstance(item, Frame) for item in source) == 12
        else:
            with pytest.raises(NotAVideo):
                open_source(tmp_path / "fifo")
        thread.join()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_everything_is_written_to_a_slow_reader(pipe: tuple[int, int]) -> None:
    sent, got = os.urandom(1 << 19), bytearray()

    def read_slowly() -> None:
        while len(got) < len(sent):
            got.extend(os.read(pipe[0], 5000))

    thread = threading.Thread(target=read_slowly)
    thread.start()
    assert Writer(PipeWriter(pipe[1])).write(sent) == len(sent)
    thread.join()
    assert bytes(got) == sent


def test_short_writes_are_completed() -> None:
    class Half:
        def __init__(self) -> None:
            self.got = b""

        def write(self, data: bytes) -> int:
            self.got += data[: max(len(data) // 2, 1)]
            return max(len(data) // 2, 1)

    half = Half()
    assert Writer(half).write(b"0123456789") == 10
    assert half.got == b"0123456789"


def test_videos_go_through_fifos_of_every_format_that_can_be_piped(tmp_path: Path) -> None:
    for given, format in (
        ("nut", "nut"),
        ("mkv", "mkv"),
        ("ts", "ts"),
        ("ts", "nut"),
        ("ts", "mkv"),
        ("mkv", "ts"),
        ("ts", "flv"),
    ):
        video = make_video(tmp_path / f"in.{given}", sound="aac", pts=range(25))
        for name in ("from", "to"):
            os.mkfifo(tmp_path / name)
        writer = threading.Thread(target=lambda video=video: (tmp_path / "from").write_bytes(video.read_bytes()))  # type: ignore[misc]
        reader = threading.Thread(target=lambda: (tmp_path / "out").write_bytes((tmp_path / "to").read_bytes()))
        writer.start()
        reader.start()
        resize_video(tmp_path / "from", tmp_path / "to", format=format, live=True)
        writer.join()
        reader.join()
        after, before = facts_of(tmp_path / "out"), facts_of(video)
        assert len(after.times) == len(before.times) and after.sound == before.sound, (given, format)
        assert abs(after.sound_ends[0] - before.sound_ends[0] - (after.times[0] - before.times[0])) < Fraction(3, 1000)
        for name in ("from", "to", "out"):
            (tmp_path / name).unlink()


def test_a_reader_that_goes_away_is_a_broken_pipe(pipe: tuple[int, int], tmp_path: Path) -> None:
    video = make_video(tmp_path / "in.mkv", size=(128, 96), pts=range(60))
    os.mkfifo(tmp_path / "to")

    def read_a_little() -> None:
        with (tmp_path / "to").open("rb") as fifo:
            fifo.read(10)

    reader = threading.Thread(target=read_a_little)
    reader.start()
    with pytest.raises(BrokenPipeError):
        resize_video(video, tmp_path / "to", codec="ffv1", live=True)
    reader.join()


def test_a_stopped_sink_writes_no_more_and_does_not_hang(pipe: tuple[int, int]) -> None:
    stop = Stop()
    frame = frame_from((320, 180))

    class End:
        fd = PipeWriter(pipe[1], stop)

        def write(self, data: bytes) -> int:
            return self.fd.write(data)

    thread = later(stop.set, 0.3)
    with (
        pytest.raises(Stopped),
        open_sink(End(), info_of(frame), EncodeOptions(format="nut", codec="ffv1"), context=Context(ignore)) as sink,  # type: ignore[arg-type]
    ):
        for index in range(500):
            sink.write(frame_from((320, 180), index=index, pts=index))
    thread.join()
    stop.close()


@pytest.mark.parametrize("format", ["mp4", "mov"])
def test_formats_that_cannot_be_piped_are_refused_with_one_that_can(format: str) -> None:
    frame = frame_from()
    with pytest.raises(NotPipeable, match=f"{format} needs an output that can seek"):
        open_sink("-", info_of(frame), EncodeOptions(format=format), context=Context(ignore))


def test_an_mp4_with_its_index_at_the_end_is_explained(tmp_path: Path) -> None:
    video = make_video(tmp_path / "in.mp4", size=(320, 180), pts=range(50), codec="mpeg4")
    os.mkfifo(tmp_path / "fifo")
    writer = threading.Thread(target=lambda: _write_quietly(tmp_path / "fifo", video.read_bytes()))
    writer.start()
    with pytest.raises(NotAVideo, match=r"cannot be piped: give the name of the file, or pipe NUT"):
        open_source(tmp_path / "fifo")
    writer.join()


def _write_quietly(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except BrokenPipeError:
        return


def test_live_output_with_a_silent_subtitle_track_does_not_wait_for_it(tmp_path: Path) -> None:
    def subtitles(container: Any, stream: Any) -> None:
        container.add_mux_stream("subrip")

    video = make_video(tmp_path / "in.mkv", pts=range(20), decorate=subtitles)

    class Counting:
        total = 0

        def write(self, data: bytes) -> int:
            self.total += len(data)
            return len(data)

    file = Counting()
    grown = []
    with (
        open_source(video) as source,
        open_sink(
            file, source.info, EncodeOptions(format="mkv", live=True), copy=source.copy_info(), context=Context(ignore)
        ) as sink,
    ):
        for item in source:
            sink.write(item)
            grown.append(file.total)
    assert grown[5] > grown[2] and grown[-1] > grown[5], "frames are held back"
