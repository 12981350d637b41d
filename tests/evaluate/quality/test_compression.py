from pathlib import Path

import numpy as np
import pytest

from vidsr.errors import DataError
from vidsr.evaluate.quality.compression import CODECS, find_codec
from vidsr.evaluate.quality.images import limited_frame
from vidsr.video.convert.recode import recode


def test_unknown_codecs_and_crfs_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"codecs libx264, libx265, libsvtav1, libvpx-vp9; got 'h264'"):
        find_codec("h264", [])
    with pytest.raises(ValueError, match="libx264 takes CRFs from 0 to 51; got 52"):
        find_codec("libx264", [23, 52])
    assert find_codec("libvpx-vp9", [63]).max_crf == 63


def test_a_protocol_names_codec_and_preset():
    assert CODECS["libx264"].label() == "x264 medium"
    assert CODECS["libx264"].label("slow") == "x264 slow"
    assert CODECS["libvpx-vp9"].label() == "libvpx-vp9 cpu-used 4"


def test_frames_too_small_for_a_codec_are_refused():
    CODECS["libx264"].check_size(Path("a.png"), 40, 40)
    with pytest.raises(DataError, match=r"a\.png would be encoded at 48x90, but x265 needs at least 64 pixels a side"):
        CODECS["libx265"].check_size(Path("a.png"), 48, 90)


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_spends_fewer_bits_at_a_higher_crf(name):
    rng = np.random.default_rng(0)
    frame = limited_frame(rng.integers(60, 180, (96, 128, 3)).astype(np.uint8))
    sizes = [recode([frame] * 2, codec=name, crf=crf, options=CODECS[name].options())[1] for crf in (20, 45)]
    assert sizes[0] > 1.5 * sizes[1] > 0
