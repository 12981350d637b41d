"""Temporary files and folders: those of a living run are left alone, those of a killed one removed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidsr.io.atomic import begin_part, discard_part, end_part, new_file, new_folder

fcntl = pytest.importorskip("fcntl")


@pytest.mark.parametrize("make", [new_file, new_folder])
def test_what_a_killed_run_has_left_is_removed_and_nothing_else(make: Callable[[Path], int], tmp_path: Path) -> None:
    file, folder = tmp_path / ".vidsr-0123456789ab.part", tmp_path / ".vidsr-ba9876543210.part"
    file.write_bytes(b"half a film")
    folder.mkdir()
    (folder / "1.png").write_bytes(b"a picture")
    (tmp_path / "film.part").write_bytes(b"somebody's")
    part, fd = begin_part(tmp_path / "out", make)
    assert {path.name for path in tmp_path.iterdir()} == {"film.part", part.name}
    discard_part(part)
    os.close(fd)


@pytest.mark.parametrize("make", [new_file, new_folder])
def test_what_another_run_is_at_is_left_alone(make: Callable[[Path], int], tmp_path: Path) -> None:
    part, fd = begin_part(tmp_path / "out", make)
    other, other_fd = begin_part(tmp_path / "other", new_file)
    assert part.exists() and other.exists()
    for each in (part, other):
        discard_part(each)
    os.close(fd)
    os.close(other_fd)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [new_file, new_folder])
def test_a_part_that_another_run_takes_for_remains_is_begun_again(
    make: Callable[[Path], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []
    lock = fcntl.flock

    def late(fd: Any, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.glob(".vidsr-*.part"))
            discard_part(taken[0])
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    part, fd = begin_part(tmp_path / "out", make)
    assert taken != [part] and list(tmp_path.iterdir()) == [part]
    end_part(part)
    os.close(fd)
