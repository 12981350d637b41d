"""EBML elements."""

import io
from pathlib import Path

import pytest

from vidsr.video import ebml
from vidsr.video.boxes import box, extended_languages

HUGE = bytes.fromhex("01ffffffffffff00")  # a size of 2 ** 56 - 256


@pytest.mark.parametrize("damaged", [b"\xec" + HUGE, ebml._id_bytes(ebml.TRACKS) + HUGE])
def test_a_size_larger_than_any_file_ends_the_search(damaged: bytes) -> None:
    file = io.BytesIO(ebml._id_bytes(ebml.SEGMENT) + HUGE + damaged + b"abc")
    found = ebml.find_tracks(file)
    assert found is None or found[1] == b"abc"


def test_a_file_on_disk_with_such_a_size_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mkv"
    path.write_bytes(ebml._id_bytes(ebml.SEGMENT) + HUGE + b"\xec" + HUGE + bytes(20))
    with path.open("rb") as file:
        assert ebml.find_tracks(file) is None


def test_a_language_box_too_short_for_its_version_names_no_language() -> None:
    track = box("trak", box("tkhd", bytes(24)) + box("mdia", box("elng", b"\0")))
    assert extended_languages(io.BytesIO(box("moov", track))) == {}
