"""Tags and what else an input says about itself reach the output, or are missed by `verify` and announced."""

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.videos import codes_of, make_video, resize_video
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video.metadata import video_tags


def latin_1(path: Path) -> Path:
    """A video with a title, a chapter and a language tag, each with one byte that is not UTF-8."""

    def decorate(container: Any, stream: Any) -> None:
        container.metadata["title"] = "Cafe!"
        stream.metadata["title"] = "Cafe!"
        if path.suffix == ".mkv":
            chapter = {"id": 1, "start": 0, "end": 10, "time_base": Fraction(1, 25), "metadata": {"title": "Cafe!"}}
            container.set_chapters([chapter])

    make_video(path, decorate=decorate, options={"write_crc32": "0"} if path.suffix == ".mkv" else {})
    path.write_bytes(path.read_bytes().replace(b"Cafe!", b"Caf\xe9!"))
    return path


@pytest.mark.parametrize("before", ["avi", "mkv", "mp4"])
@pytest.mark.parametrize("after", ["mkv", "mp4", "avi"])
def test_a_tag_in_latin_1_is_read_and_written_as_utf_8(before: str, after: str, tmp_path: Path) -> None:
    video, target = latin_1(tmp_path / f"a.{before}"), tmp_path / f"b.{after}"
    notices = resize_video(video, target)
    with av.open(str(target)) as written:
        assert written.metadata["title"] == "Café!"
        if before == "mkv" and after != "avi":
            assert written.chapters()[0]["metadata"] == {"title": "Café!"}
    assert verify_video(video, target, notices=notices).faithful


ODD = {
    "my key": "hello", "comment-deu": "Hallo", "note-de": "x", "odd-one": "y", "creation_time": "2024-05-06 07:08:09",
}  # fmt: skip


@pytest.mark.parametrize("before", ["nut", "mp4"])
@pytest.mark.parametrize("after", ["mkv", "mp4", "mov", "nut"])
def test_keys_with_blanks_and_languages_and_dates_without_a_zone_are_kept(
    before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decorate(container: Any, _: Any) -> None:
        container.metadata.update(ODD)

    options = {"movflags": "use_metadata_tags"} if before == "mp4" else {}
    video, target = make_video(tmp_path / f"a.{before}", decorate=decorate, options=options), tmp_path / f"b.{after}"
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # which FFmpeg would take for that of the date
    time.tzset()
    assert resize_video(video, target) == []
    assert verify_video(video, target).faithful
    if before == "mp4":  # NUT's muxer gives the date a zone
        with av.open(str(target)) as written:
            dates = [value for key, value in written.metadata.items() if key.lower() == "creation_time"]
        assert dates[0].startswith("2024-05-06T07:08:09") and dates[0].endswith("Z")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("after", ["mkv", "mp4", "nut"])
def test_a_date_that_is_none_is_kept_as_text_or_announced(after: str, tmp_path: Path) -> None:
    def decorate(container: Any, _: Any) -> None:
        container.metadata["creation_time"] = "2011:01:02 03:04:05"

    video, target = make_video(tmp_path / "a.nut", decorate=decorate), tmp_path / f"b.{after}"
    notices = resize_video(video, target)
    assert codes_of(notices) == ([] if after == "nut" else [Code.TAGS])
    assert verify_video(video, target, notices=notices).faithful


def test_a_tag_with_a_language_that_repeats_another_is_one_tag() -> None:
    tags = {"location": "+1+2/", "location-eng": "+1+2/", "title": "a", "title-ger": "b"}
    assert video_tags(tags) == {"location": "+1+2/", "title": "a", "title-ger": "b"}


def test_verify_misses_a_tag_that_only_looks_alike(tmp_path: Path) -> None:
    def made(name: str, tags: dict[str, str]) -> Path:
        return make_video(tmp_path / name, decorate=lambda container, _: container.metadata.update(tags))

    found = verify_video(made("a.nut", {"comment-deu": "Hallo"}), made("b.nut", {"comment-ger": "Hello"}))
    assert [one.code for one in found.differences] == [Code.TAGS]
