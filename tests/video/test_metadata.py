"""Tags and what else an input says about itself reach the output, or are missed by `verify` and announced."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.videos import make_video, resize_video
from vidsr.verify import verify_video


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
