"""The cache: files that may be deleted at any time."""

import os
from pathlib import Path

import pytest

from vidsr.io.cache import cache_folder, read_cache, write_cache


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_was_written_is_read_and_leaves_no_other_file(cache: Path) -> None:
    path = write_cache("room", "name", {"a": [1, 2]})
    assert read_cache("room", "name") == {"a": [1, 2]}
    assert list(cache.rglob("*.*")) == [path]
    write_cache("room", "name", 3)
    assert read_cache("room", "name") == 3


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", 100_000 * b"["], ids=["empty", "cut", "no text", "nested"])
def test_a_damaged_file_counts_as_missing(text: bytes) -> None:
    write_cache("room", "name", 1).write_bytes(text)
    assert read_cache("room", "name") is None
    assert read_cache("room", "other") is None


def test_without_a_home_nothing_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7, raising=False)  # a user whom the system does not know
    assert read_cache("room", "name") is None
    with pytest.raises(OSError, match="no cache folder is known"):
        write_cache("room", "name", 1)


def test_each_kind_of_thing_has_its_folder(cache: Path) -> None:
    assert cache_folder("room") == cache / "vidsr" / "room"
