"""Streams that are announced but unknown at first are found, and those that appear too late are named."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.verify.remuxed import remux
from tests.video.read.test_timestamps import part
from tests.video.videos import make_video, messages_of, resize_video
from vidsr.context import Context, Notice
from vidsr.frames import Carried
from vidsr.io.pipes import PipeReader
from vidsr.options import ReadOptions
from vidsr.video.read.source import open_source


@contextmanager
def piped(content: bytes, folder: Path) -> Iterator[Path]:
    """A named pipe with these bytes."""
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(content))
    writer.start()
    yield folder / "pipe"
    writer.join()


def sounds_of(source: Any, **options: Any) -> tuple[int, list[Notice]]:
    """How many packets of sound are read, and the warnings."""
    notices: list[Notice] = []
    with open_source(source, ReadOptions(**options), context=Context(notices.append)) as video:
        return sum(isinstance(item, Carried) for item in video), notices


@pytest.fixture(scope="module")
def silent_at_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 seconds whose sound is announced from the beginning, and begins after 9."""
    folder = tmp_path_factory.mktemp("silent")
    whole = make_video(folder / "a.mkv", pts=range(250), sound="mp2", size=(64, 48))
    return remux(whole, folder / "b.ts", packets=lambda packet, index: not packet.stream.index or index > 375)


def test_sound_that_begins_late_is_found_in_a_file(silent_at_first: Path, tmp_path: Path) -> None:
    for source in (silent_at_first, io.BytesIO(silent_at_first.read_bytes())):
        count, notices = sounds_of(source)
        assert count > 30 and notices == []
    assert resize_video(silent_at_first, tmp_path / "b.mkv") == []


def test_sound_that_begins_late_is_found_in_a_pipe(silent_at_first: Path, tmp_path: Path) -> None:
    with piped(silent_at_first.read_bytes(), tmp_path) as pipe:
        count, notices = sounds_of(pipe)
    assert count > 30 and notices == []


def test_a_stream_that_appears_later_is_taken_along_from_a_file_and_named_in_a_pipe(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / f"{index}.ts", 2 * index, frames=50, sound=sound).read_bytes()
        for index, sound in enumerate([None, "aac"])
    ]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    assert sounds_of(tmp_path / "a.ts")[0] > 90
    with piped(b"".join(parts), tmp_path) as pipe:
        count, notices = sounds_of(pipe)
    assert count == 0
    assert "stream 1 (audio, aac) appears at 00:00:02" in messages_of(notices)[0]


def test_as_much_is_probed_as_was_asked_for(silent_at_first: Path, tmp_path: Path) -> None:
    with open_source(silent_at_first, ReadOptions(probe=20_000)) as video:
        assert not video.container.streams.audio[0].codec_context.sample_rate
    with piped(silent_at_first.read_bytes(), tmp_path) as pipe, open_source(pipe, ReadOptions(probe=10**7)) as video:
        assert video.container.streams.audio[0].codec_context.sample_rate == 48000
        assert sum(isinstance(item, Carried) for item in video) > 30


def test_a_pipe_reads_again_what_it_kept() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"abcdef")
    os.close(writing)
    pipe = PipeReader(reading, owned=True)
    pipe.keep()
    assert (pipe.read(2), pipe.peek(2), pipe.read(2)) == (b"ab", b"cd", b"cd")
    pipe.rewind()
    assert pipe.read(3) == b"abc"
    pipe.rewind()
    pipe.forget()
    assert pipe.read_all() == b"abcdef"
    pipe.close()
