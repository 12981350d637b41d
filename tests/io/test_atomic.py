"""Atomic writes and temporary folders: those of a running process are left alone, those of a killed one removed."""

import resource
from pathlib import Path

import pytest

from vidsr.errors import DiskFull, OutputError
from vidsr.io import atomic
from vidsr.io.atomic import TemporaryFolder, lock_folder, remove_temporary, write_atomically


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))  # as a full disk: writing fails in the middle
    try:
        with pytest.raises(DiskFull, match="its previous content, if any, is kept"):
            write_atomically(target, bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"old")]


def test_a_file_in_place_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(DiskFull, match="could not be written"):
        write_atomically(tmp_path / "file" / "new.png", b"")
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / ".vidsr-0123456789ab.part"
    left.mkdir()
    (left / "out.mkv").write_bytes(b"half a video")
    (tmp_path / "video.part").write_bytes(b"somebody else's")
    with TemporaryFolder(tmp_path) as folder:
        assert {path.name for path in tmp_path.iterdir()} == {"video.part", folder.name}
    assert [path.name for path in tmp_path.iterdir()] == ["video.part"]


def test_what_another_process_uses_is_left_alone(tmp_path: Path) -> None:
    with TemporaryFolder(tmp_path) as one, TemporaryFolder(tmp_path) as other:
        assert one.is_dir() and other.is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("locked", [True, False])
def test_a_folder_that_another_process_removes_before_it_is_locked_is_made_again(
    locked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []

    def late(folder: Path) -> object:
        if not taken:
            taken.append(folder)
            if locked:
                raise OutputError("the other process holds the lock")
            lock = lock_folder(folder)
            atomic._remove(folder)
            return lock
        return lock_folder(folder)

    monkeypatch.setattr(atomic, "lock_folder", late)
    with TemporaryFolder(tmp_path) as folder:
        assert taken != [folder] and list(tmp_path.iterdir()) == [folder]


def test_a_process_that_must_exit_removes_its_temporary_files(tmp_path: Path) -> None:
    folder = TemporaryFolder(tmp_path)
    (folder.path / "out.mkv").write_bytes(b"half a video")
    remove_temporary()
    assert list(tmp_path.iterdir()) == []
    folder.remove()


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with pytest.raises(OutputError, match="another run is using"):
        lock_folder(tmp_path)
    lock.release()
    lock_folder(tmp_path).release()
