"""Pictures to be written to, however wide or tall."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.video.videos import frame_from
from vidsr.pipeline import upscale_video
from vidsr.video.convert.scale import blank, chroma_location_of


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
