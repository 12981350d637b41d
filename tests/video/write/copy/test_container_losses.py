"""What a container cannot store is warned of, and nothing else is."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.video.videos import facts_of, make_video, resize_video
from vidsr.context import Code


def decorated(folder: Path) -> Path:
    """An mp4 with chapters and a title that lies on its side, with pixels of 4:3."""

    def decorate(container: Any, stream: Any) -> None:
        chapter = {"id": 1, "start": 0, "end": 10, "time_base": Fraction(1, 25), "metadata": {"title": "One"}}
        container.set_chapters([chapter])
        container.metadata["title"] = "A film"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    return make_video(folder / "a.mp4", decorate=decorate)


@pytest.mark.parametrize(
    ("extension", "codec", "lost"),
    [
        ("mp4", "libx264", []),
        ("mov", "libx264", []),
        ("mkv", "libx264", []),
        ("mp4", "libvpx-vp9", []),
        ("nut", "libx264", [Code.ROTATION]),
        ("mkv", "libvpx-vp9", [Code.ASPECT]),
        ("ts", "libx264", [Code.CHAPTERS, Code.TAGS, Code.ROTATION]),
        ("y4m", "libx264", [Code.CHAPTERS, Code.TAGS, Code.ROTATION]),
        ("flv", "libx264", [Code.CHAPTERS, Code.ROTATION]),
    ],
)
def test_what_the_container_cannot_store_is_warned_of(
    extension: str, codec: str, lost: list[Code], tmp_path: Path
) -> None:
    target = tmp_path / f"b.{extension}"
    notices = resize_video(decorated(tmp_path), target, codec=codec)
    assert [notice.codes for notice in notices] == [(code,) for code in lost]
    after = facts_of(target)
    assert bool(after.chapters) == (Code.CHAPTERS not in lost)
    assert ("title" in after.tags) == (Code.TAGS not in lost)
    assert (after.aspect == Fraction(4, 3)) == (Code.ASPECT not in lost)
