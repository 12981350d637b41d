from pathlib import Path

import numpy as np
import pytest

from vidsr.errors import DataError
from vidsr.evaluate.quality.compression import CODECS, codec_of
from vidsr.evaluate.quality.images import studio_frame
from vidsr.video.recode import recode


def test_a_codec_or_crf_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"through 'h264'; there are libx264, libx265, libsvtav1, libvpx-vp9"):
        codec_of("h264", [])
    with pytest.raises(ValueError, match="libx264 takes CRFs from 0 to 51"):
        codec_of("libx264", [23, 52])
    assert codec_of("libvpx-vp9", [63]).highest == 63


def test_a_protocol_names_codec_and_preset():
    assert CODECS["libx264"].said() == "x264 medium"
    assert CODECS["libx264"].said("slow") == "x264 slow"
    assert CODECS["libvpx-vp9"].said() == "libvpx-vp9 cpu-used 4"


def test_what_is_too_small_for_a_codec_is_refused():
    CODECS["libx264"].check(Path("a.png"), 40, 40)
    with pytest.raises(
        DataError, match=r"a\.png would be sent at 48x90, but x265 takes pictures of at least 64 pixels a side"
    ):
        CODECS["libx265"].check(Path("a.png"), 48, 90)


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_spends_fewer_bits_at_a_higher_crf(name):
    rng = np.random.default_rng(0)
    frame = studio_frame(rng.integers(60, 180, (96, 128, 3)).astype(np.uint8))
    sizes = [recode([frame] * 2, codec=name, crf=crf, options=CODECS[name].options())[1] for crf in (20, 45)]
    assert sizes[0] > 1.5 * sizes[1] > 0
