"""Pictures to be written to, however wide or tall."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.video.videos import frame_from, make_video
from vidsr.options import ReadOptions
from vidsr.pipeline import upscale_video
from vidsr.video.convert.scale import blank, chroma_location_of
from vidsr.video.read.source import open_source


@pytest.mark.parametrize("layout", ["yuv420p", "yuv444p10le", "gray"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7488, 48), (48, 20_000), (130_000, 16)])
def test_a_blank_picture_has_any_size_that_can_be_held(width: int, height: int, layout: str) -> None:
    like = frame_from((16, 16)).av_frame
    for picture in (blank(None, width, height, layout), blank(like, width, height, layout)):
        assert (picture.width, picture.height, picture.format.name) == (width, height, layout)


def test_a_wide_blank_picture_keeps_its_siting() -> None:
    wide = blank(None, 20_000, 16, "yuv420p", chroma_location="topleft")
    assert (
        chroma_location_of(wide)
        == chroma_location_of(blank(None, 32, 16, "yuv420p", chroma_location="topleft"))
        == "topleft"
    )


def test_a_wide_photo_is_upscaled(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 9000, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "wide.png")
    upscale_video(tmp_path / "wide.png", tmp_path / "wider.png", model="nearest")
    larger = np.asarray(Image.open(tmp_path / "wider.png"), np.int16)
    assert larger.shape == (16, 18_000, 3)
    assert abs(larger[::2, ::2] - colours).max() <= 1


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("number", "location"), [(0, "left"), (1, "center"), (2, "topleft")])
def test_the_chroma_location_is_found_in_interlaced_frames_too(
    number: int, location: str, interlaced: bool, tmp_path: Path
) -> None:
    def decorate(_: Any, stream: Any) -> None:
        if interlaced:
            stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        stream.codec_context.options = {"x264-params": f"chromaloc={number}" + ":tff=1" * interlaced}

    video = make_video(tmp_path / "a.mkv", pts=range(2), decorate=decorate)
    with open_source(video, ReadOptions(deinterlace="off")) as source:
        assert source.first.av_frame.interlaced_frame == interlaced
        assert source.first.color.chroma_location == location
