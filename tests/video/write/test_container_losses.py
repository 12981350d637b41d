"""What a container cannot hold is said, and nothing is said where it can."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.video.videos import enlarge, facts_of, make_film


def decorated(folder: Path) -> Path:
    """An mp4 with chapters and a title that lies on its side, with pixels of 4:3."""

    def decorate(container: Any, stream: Any) -> None:
        chapter = {"id": 1, "start": 0, "end": 10, "time_base": Fraction(1, 25), "metadata": {"title": "One"}}
        container.set_chapters([chapter])
        container.metadata["title"] = "A film"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    return make_film(folder / "a.mp4", decorate=decorate)


CHAPTERS, TAGS, SIDE, PIXELS = "chapters are left", "(title) are left", "lies on its side", "pixels of 4:3"


@pytest.mark.parametrize(
    ("extension", "codec", "lost"),
    [
        ("mp4", "libx264", []),
        ("mov", "libx264", []),
        ("mkv", "libx264", []),
        ("mp4", "libvpx-vp9", []),
        ("nut", "libx264", [SIDE]),
        ("mkv", "libvpx-vp9", [PIXELS]),
        ("ts", "libx264", [CHAPTERS, TAGS, SIDE]),
        ("y4m", "libx264", [CHAPTERS, TAGS, SIDE, PIXELS]),
        ("flv", "libx264", [CHAPTERS, SIDE]),
    ],
)
def test_what_the_container_cannot_say_is_said(extension: str, codec: str, lost: list[str], tmp_path: Path) -> None:
    target = tmp_path / f"b.{extension}"
    told = enlarge(decorated(tmp_path), target, codec=codec)
    assert len(told) == len(lost) and all(part in sentence for part, sentence in zip(lost, told, strict=True)), told
    after = facts_of(target)
    assert bool(after.chapters) == (CHAPTERS not in lost)
    assert ("title" in after.tags) == (TAGS not in lost)
    assert (after.aspect == Fraction(4, 3)) == (PIXELS not in lost)
