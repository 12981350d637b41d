"""What vidsr writes is faithful between any two containers, and where it is not, that was announced."""

import os
from fractions import Fraction
from pathlib import Path

import pytest

from tests.verify.remuxed import rich
from tests.video.films import enlarge, make_film
from tests.video.test_carry import subtitled
from tests.video.test_source import with_cover
from tests.video.test_untold import decorated
from vidsr.errors import InputError
from vidsr.pipeline import upscale_video
from vidsr.verify import verify_video

CONTAINERS = ("mp4", "mkv", "mov", "ts", "nut")


@pytest.mark.parametrize("after", CONTAINERS)
@pytest.mark.parametrize("before", CONTAINERS)
def test_a_film_is_faithful_from_any_container_to_any_other(before: str, after: str, tmp_path: Path) -> None:
    film = rich(tmp_path / f"a.{before}", time_base=Fraction(1, 1000), pts=[0, 40, 100, 133, 500, 520, 960], last=40)
    notices = enlarge(film, tmp_path / f"b.{after}", preset="ultrafast")
    found = verify_video(film, tmp_path / f"b.{after}", notices=notices)
    assert found.differences == ()
    announced = {finding.name for finding in found.findings if finding.state == "announced"}
    assert announced <= {"chapters", "tags"} and (not announced or after == "ts")


@pytest.mark.parametrize("after", [*CONTAINERS, "webm", "flv", "y4m"])
@pytest.mark.parametrize("make", [subtitled, with_cover, decorated])
def test_what_a_container_cannot_hold_is_announced(make, after: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    film = make(tmp_path)
    notices = enlarge(film, tmp_path / f"b.{after}", preset="ultrafast")
    assert verify_video(film, tmp_path / f"b.{after}", notices=notices).differences == ()


@pytest.mark.parametrize(
    ("sound", "before", "after"),
    [
        ("pcm_s16le", "mkv", "mp4"), ("pcm_s16le", "mov", "mkv"), ("eac3", "mp4", "nut"), ("mp2", "ts", "mp4"),
        ("libopus", "mkv", "ts"), ("libopus", "ts", "mp4"), ("aac", "ts", "flv"), ("flac", "mkv", "ts"),
        ("alac", "mov", "mkv"), ("ac3", "ts", "mkv"), ("libmp3lame", "avi", "mp4"),
    ],
)  # fmt: skip
def test_sound_is_the_same_whatever_wraps_it(sound: str, before: str, after: str, tmp_path: Path) -> None:
    film = make_film(tmp_path / f"a.{before}", sound=sound, pts=range(50))
    notices = enlarge(film, tmp_path / f"b.{after}", preset="ultrafast")
    found = verify_video(film, tmp_path / f"b.{after}", notices=notices)
    assert found.differences == ()
    payload = [finding.state for finding in found.findings if finding.name == "stream 1 payload"]
    assert payload == ([] if (sound, after) == ("flac", "ts") else ["holds"])


MEDIA = Path(os.environ["VIDSR_DATA"], "media") if "VIDSR_DATA" in os.environ else None
ODD = sorted(path for path in [*MEDIA.glob("*.*"), *MEDIA.glob("hls/list.m3u8")] if path.is_file()) if MEDIA else []


@pytest.mark.skipif(not ODD, reason="VIDSR_DATA names no folder with media/")
@pytest.mark.parametrize("after", ["mkv", "mp4"])
def test_odd_media_come_out_faithful_or_announced(after: str, tmp_path: Path) -> None:
    read = 0
    for film in ODD:
        target = tmp_path / f"{film.name}.{after}"
        try:
            summary = upscale_video(film, target, model="nearest", preset="ultrafast")
        except InputError:  # text, sound alone, an index that was cut off
            continue
        found = verify_video(film, target, notices=summary.notices)
        assert found.differences == (), film.name
        read += 1
    assert read > len(ODD) // 2
