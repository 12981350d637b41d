"""Nothing but the picture changes: odd and broken videos in, every container out."""

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from tests.video.videos import Facts, facts_of, resize_video

DATA = os.environ.get("VIDSR_DATA")
UNREADABLE = {"audio_only.m4a", "text_not_video.mp4", "trunc_no_moov.mp4", "zero_length.mp4"}
RESIZED_ON_THE_WAY = {"size_change.h264"}


def media() -> list[str]:
    if DATA is None:
        return []
    folder = Path(DATA) / "media"
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in UNREADABLE)
    return [*names, "hls/list.m3u8"]


def assert_same_times(before: Facts, after: Facts, *, shifted: bool) -> None:
    assert len(after.times) == len(before.times)
    offset = after.times[0] - before.times[0]
    coarser = max(before.tick, after.tick)
    if not shifted:
        assert abs(offset) <= coarser / 2, "the film was shifted"
        offset = Fraction(0)
    # Offsets are found from rounded times, so they add their own half tick.
    slack = coarser / 2 + (coarser / 2 if shifted else 0)
    worst = max(abs(a - b - offset) for a, b in zip(after.times, before.times, strict=True))
    assert worst <= slack, f"a frame is {float(worst) * 1000:.3f} ms off"
    coarsest = max(coarser, before.sound_tick, after.sound_tick)
    for a, b in zip(after.sound_starts, before.sound_starts, strict=True):
        assert abs(a - b - offset) <= coarsest / 2 + (coarsest / 2 if shifted else 0), "the sound was shifted"


def assert_same_lengths(before: Facts, after: Facts, *, abut: bool) -> None:
    coarser = max(before.tick, after.tick)
    last = before.end - before.times[-1]
    assert abs(after.durations[-1] - last) <= coarser and abs(after.end - after.times[-1] - last) <= coarser
    if abut:  # frames of a mkv may leave gaps
        gaps = [b - a for a, b in pairwise(after.times)]
        worst = max(abs(a - b) for a, b in zip(after.durations, [*gaps, last], strict=True))
        assert worst <= coarser, f"a frame ends {float(worst) * 1000:.3f} ms beside the next"


def pairs() -> list[tuple[str, str]]:
    few = ("chapters.mkv", "cover_first.mp4", "vfr_irregular_pts.mp4", "bitflips.ts", "neg_pts.mp4", "y4m_420.y4m")
    rest = [(name, extension) for name in few for extension in ("mov", "ts", "nut") if DATA is not None]
    return [(name, extension) for name in media() for extension in ("mp4", "mkv")] + rest


@pytest.mark.parametrize(("name", "extension"), pairs())
def test_times_sound_chapters_and_tags_of_every_video_are_kept(name: str, extension: str, tmp_path: Path) -> None:
    source = Path(str(DATA)) / "media" / name
    target = tmp_path / f"out.{extension}"
    resize_video(source, target, preset="ultrafast")
    before, after = facts_of(source), facts_of(target)
    lossless = ("mp4", "mkv", "mov")
    assert_same_times(before, after, shifted=extension not in lossless or source.suffix not in (".mp4", ".mkv", ".mov"))
    assert list(after.sound.values()) == list(before.sound.values())
    if name not in RESIZED_ON_THE_WAY:
        assert after.size == (2 * before.size[0], 2 * before.size[1])
    assert after.aspect == before.aspect
    if extension in lossless and source.suffix in (".mp4", ".mov", ".mkv"):
        assert_same_lengths(before, after, abut=source.suffix != ".mkv")
    if extension in lossless:
        assert [title for *_, title in after.chapters] == [title for *_, title in before.chapters]
        for new, old in zip(after.chapters, before.chapters, strict=True):
            assert abs(new[0] - old[0]) <= Fraction(1, 1000) and abs(new[1] - old[1]) <= Fraction(1, 1000)
        assert {key: value for key, value in after.tags.items() if key in before.tags} == before.tags
        assert after.languages == before.languages
