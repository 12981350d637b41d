"""Inputs that are no video are refused in a sentence; damaged and odd ones are upscaled with all that there is."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.conftest import SMALL
from tests.faults.inputs import (
    appearing,
    changed,
    cut,
    gif,
    header_alone,
    huge,
    joined,
    linked,
    noise,
    retimed,
    sound_alone,
    still,
    two_videos,
    written,
)
from tests.faults.scene import contents, run, upscale
from tests.video.damaged import flip_bits, make_hole, whole_video, without_key
from tests.video.videos import facts_of, frames_of, make_video

NOTHING = "FFmpeg finds no video or image in it"
Make = Callable[[Path, Path], Path]
"""(a folder with whole videos, the folder to make it in) -> the input."""


class Refused(NamedTuple):
    """An input that ends a run with exit code 3."""

    what: str
    make: Make
    sentence: str


REFUSED = [
    Refused("an mp4 cut off before its index", lambda f, d: changed(f, d, "late.mp4", cut(0.6)), NOTHING),
    Refused("a file of no bytes", lambda _, d: written(d / "a.mp4", b""), NOTHING),
    Refused("text named as a film", lambda _, d: written(d / "a.mp4", b"no film at all\n" * 40), NOTHING),
    Refused("random bytes", lambda _, d: written(d / "a.mp4", noise(20_000)), NOTHING),
    Refused("sound alone", lambda _, d: sound_alone(d / "a.mka", cover=False), "holds no video stream; give a file"),
    Refused("sound and its cover", lambda _, d: sound_alone(d / "a.mka", cover=True), "holds only cover art; give a"),
    Refused(
        "a codec that nobody knows",
        lambda f, d: changed(f, d, "video.mp4", lambda data: data.replace(b"avc1", b"xyz1")),
        "video codec has no decoder here; convert it first",
    ),
    Refused(
        "a header without frames",
        lambda _, d: header_alone(d / "a.mkv"),
        r"a\.mkv: FFmpeg finds no video or image in it",
    ),
    Refused("a file that is not there", lambda _, d: d / "gone.mp4", r"gone\.mp4 is not there; check the path"),
    Refused("a link to nothing", lambda _, d: linked(d / "a.mp4", d / "gone.mp4"), r"a\.mp4 is not there; check the"),
    Refused("a link to itself", lambda _, d: linked(d / "a.mp4", d / "a.mp4"), "Too many levels of symbolic links"),
    Refused("a name that is too long", lambda _, d: d / f"{'a' * 300}.mp4", "cannot be opened: File name too long"),
    Refused("pictures that are not there", lambda _, d: d / "%05d.png", r"%05d\.png"),
]


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.what)
def test_an_input_that_is_no_video_is_refused_in_a_sentence(fault: Refused, videos: Path, tmp_path: Path) -> None:
    source = fault.make(videos, tmp_path)
    before = contents(tmp_path)
    shown = upscale(source, tmp_path / "out.mkv")
    assert shown.code == 3 and re.search(fault.sentence, shown.sentence), shown
    assert contents(tmp_path) == before


def test_a_folder_for_an_input_needs_a_folder_for_the_outputs(videos: Path, tmp_path: Path) -> None:
    shown = upscale(videos, tmp_path / "out.mkv")
    assert shown.code == 2 and "there are several inputs; name" in " ".join(shown.said)
    assert contents(tmp_path) == {}


def test_a_file_that_may_not_be_read_is_refused(videos: Path, tmp_path: Path) -> None:
    video = changed(videos, tmp_path, "video.mp4")
    video.chmod(0)
    shown = run(video, tmp_path / "out.mkv", bound_by_permissions=True)
    assert shown.code == 3 and "video.mp4 may not be read by this user; check its permissions" in shown.sentence
    video.chmod(0o600)
    assert list(contents(tmp_path)) == ["video.mp4"]


def flipped(path: Path) -> Path:
    """A video with bits flipped."""
    return written(path, flip_bits(whole_video(path, "mpeg2").read_bytes()))


class Accepted(NamedTuple):
    """An input that is upscaled, with so many frames, and a sentence about it where there is one to say."""

    what: str
    make: Make
    frames: int | range
    said: str = ""


DAMAGED = "is damaged: "
MANY = range(1, SMALL + 1)
TAKEN = [
    Accepted("an mp4 cut off behind its index", lambda f, d: changed(f, d, "video.mp4", cut(0.7)), MANY, "lost frame"),
    Accepted("a matroska cut off", lambda f, d: changed(f, d, "video.mkv", cut(0.6)), MANY, "breaks off at 00:00:00"),
    Accepted(
        "a transport stream cut off", lambda f, d: changed(f, d, "video.ts", cut(0.6)), MANY, "breaks off at 00:00:00"
    ),
    Accepted("a wrong extension", lambda f, d: changed(f, d, "video.mkv", to="a.mp4"), SMALL),
    Accepted("no extension", lambda f, d: changed(f, d, "video.ts", to="a"), SMALL),
    Accepted("a photo", lambda _, d: still(d / "a.jpg"), 1),
    Accepted(
        "a size that changes",
        lambda f, d: joined(d / "a.ts", f / "video.ts", make_video(d / "b.ts", size=(96, 64), pts=range(SMALL))),
        2 * SMALL,
    ),
    Accepted(
        "a pixel format that changes",
        lambda f, d: joined(
            d / "a.ts", f / "video.ts", make_video(d / "b.ts", pixel_format="yuv444p", pts=range(SMALL))
        ),
        2 * SMALL,
    ),
    Accepted("a clock that is set back", lambda f, d: joined(d / "a.ts", f / "video.ts", f / "video.ts"), 2 * SMALL),
    Accepted("flipped bits in an mp4", lambda _, d: flipped(d / "a.mp4"), range(20, 37), "corrupt frames"),
    Accepted("flipped bits in a transport stream", lambda _, d: flipped(d / "a.ts"), range(20, 37), "corrupt frames"),
    Accepted("flipped bits in a matroska", lambda _, d: flipped(d / "a.mkv"), range(20, 37), "corrupt frames"),
    Accepted("a hole in a transport stream", lambda f, d: changed(f, d, "video.ts", make_hole), MANY, DAMAGED),
    Accepted(
        "no key picture at the start",
        lambda _, d: without_key(whole_video(d / "a.mkv", "h264"), d / "b.mkv"),
        range(25, 32),
        r"\d lost frames at 00:00:00",
    ),
    Accepted("times below zero", lambda f, d: retimed(f / "video.mkv", d / "a.mkv", lambda i: 40 * i - 200), SMALL),
    Accepted(
        "a gap of 100 s",
        lambda f, d: retimed(f / "video.mkv", d / "a.mkv", lambda i: 40 * i + 100_000 * (i > 4)),
        SMALL,
    ),
    Accepted(
        "times that go back",
        lambda f, d: retimed(f / "video.mkv", d / "a.mkv", lambda i: 40 * i - 70 * (i == 5)),
        SMALL,
    ),
    Accepted("an odd size in 4:4:4", lambda _, d: make_video(d / "a.mkv", size=(321, 181), pixel_format="yuv444p"), 12),
    Accepted("an odd size in 4:2:0", lambda _, d: make_video(d / "a.mkv", size=(63, 47), codec="ffv1"), 12),
    Accepted(
        "one pixel", lambda _, d: make_video(d / "a.mkv", size=(1, 1), codec="ffv1", pixel_format="bgr0", pts=[0]), 1
    ),
    Accepted("one frame", lambda _, d: make_video(d / "a.mp4", pts=[0]), 1),
    Accepted("gray", lambda _, d: make_video(d / "a.mkv", codec="ffv1", pixel_format="gray"), 12),
    Accepted("a palette", lambda _, d: gif(d / "a.gif"), 4),
    Accepted(
        "two films in one", lambda _, d: two_videos(d / "a.mkv"), 5, "is a second video: it is copied, not upscaled"
    ),
    Accepted("sound that begins on the way", lambda f, d: appearing(f, d / "a.ts"), 60 + SMALL),
]


@pytest.mark.parametrize("odd", TAKEN, ids=lambda odd: odd.what)
def test_an_odd_input_is_upscaled_with_all_that_there_is(odd: Accepted, videos: Path, tmp_path: Path) -> None:
    source = odd.make(videos, tmp_path)
    before, target = contents(tmp_path), tmp_path / "out.mkv"
    shown = upscale(source, target)
    assert shown.code == 0, shown
    said = "\n".join(shown.said)
    assert re.search(odd.said, said) if odd.said else DAMAGED not in said
    frames = frames_of(target)
    assert len(frames) in (range(odd.frames, odd.frames + 1) if isinstance(odd.frames, int) else odd.frames)
    assert all(b.pts > a.pts for a, b in pairwise(frames))
    after = contents(tmp_path)
    assert after.pop("out.mkv") and after == before
    if DAMAGED in said:
        strict = upscale("--strict", source, tmp_path / "strict.mkv")
        assert strict.code == 7 and re.search(r"is damaged: .* at \d\d:\d\d:\d\d; .*--strict", strict.sentence)
        assert not (tmp_path / "strict.mkv").exists() and len(list(tmp_path.iterdir())) == len(after) + 1


def test_a_picture_of_8k_is_made_to_fit(tmp_path: Path) -> None:
    assert upscale("--height", "270", huge(tmp_path / "a.jpg"), tmp_path / "out.mkv").code == 0
    assert facts_of(tmp_path / "out.mkv").size == (480, 270)


def test_a_gap_in_time_stays_a_gap(videos: Path, tmp_path: Path) -> None:
    source = retimed(videos / "video.mkv", tmp_path / "a.mkv", lambda i: 40 * i + 100_000 * (i > 4))
    assert upscale(source, tmp_path / "out.mkv").code == 0
    assert facts_of(tmp_path / "out.mkv").times == facts_of(source).times


def test_times_below_zero_are_no_hindrance_to_nut(videos: Path, tmp_path: Path) -> None:
    source = retimed(videos / "video.mkv", tmp_path / "a.mkv", lambda i: 40 * i - 200)
    assert upscale(source, tmp_path / "out.nut").code == 0
    assert len(frames_of(tmp_path / "out.nut")) == SMALL
