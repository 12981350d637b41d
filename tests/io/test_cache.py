"""What is kept between runs, and may be deleted."""

import os
from pathlib import Path

import pytest

from vidsr.io.cache import cache_folder, keep, kept


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_was_kept_is_there_and_nothing_beside_it(cache: Path) -> None:
    path = keep("room", "name", {"a": [1, 2]})
    assert kept("room", "name") == {"a": [1, 2]}
    assert list(cache.rglob("*.*")) == [path]
    keep("room", "name", 3)
    assert kept("room", "name") == 3


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", 100_000 * b"["], ids=["empty", "cut", "no text", "nested"])
def test_what_is_damaged_is_as_good_as_none(text: bytes) -> None:
    keep("room", "name", 1).write_bytes(text)
    assert kept("room", "name") is None
    assert kept("room", "other") is None


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7, raising=False)  # a user whom the system does not know
    assert kept("room", "name") is None
    with pytest.raises(OSError, match="no folder to keep it in is known"):
        keep("room", "name", 1)


def test_each_kind_of_thing_has_its_folder(cache: Path) -> None:
    assert cache_folder("room") == cache / "vidsr" / "room"
