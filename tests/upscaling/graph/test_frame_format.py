"""How pictures are coded, said in a word and read back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidsr.color import BT709, BT2020, SMPTE170M, ColorSpec
from vidsr.errors import WrongOption
from vidsr.upscaling.graph.frame_format import (
    CHROMA_LOCATIONS,
    SUBSAMPLINGS,
    FrameFormat,
    color_of,
    command_for,
    word_of,
)

colors = st.builds(
    ColorSpec,
    matrix=st.sampled_from([BT709, SMPTE170M, BT2020, 4, 7]),
    full_range=st.booleans(),
    subsampling=st.sampled_from([*SUBSAMPLINGS.values()]),
    chroma_location=st.sampled_from([*CHROMA_LOCATIONS]),
)


@given(colors)
def test_a_colour_comes_back_from_its_word(color: ColorSpec) -> None:
    found, gray = color_of(word_of(color, gray=False)) if word_of(color, gray=False) else (color_of("bt709")[0], False)
    assert not gray
    assert (found.matrix, found.full_range, found.subsampling) == (color.matrix, color.full_range, color.subsampling)
    assert found.chroma_location == color.chroma_location or color.subsampling == (0, 0)


def test_parts_come_in_any_order_and_what_is_usual_is_left_out() -> None:
    assert color_of("full-444-bt2020") == (ColorSpec(BT2020, True, subsampling=(0, 0)), False)
    assert color_of("gray-full") == (ColorSpec(BT709, True), True)
    assert word_of(ColorSpec(BT709, False), gray=False) == ""
    assert word_of(ColorSpec(5, False, chroma_location="center"), gray=False) == "bt601-center"
    with pytest.raises(WrongOption, match=r"expected parts of bt709, bt601.*; got 'bt710'"):
        color_of("bt710-full")


def test_the_command_that_builds_an_engine_says_what_makes_a_difference() -> None:
    pixels = FrameFormat(480, 270, color=ColorSpec(SMPTE170M, True))
    assert command_for("live-x4", pixels, channels=1) == "vidsr export live-x4 --trt --size 480x270"
    assert command_for("my model.onnx", pixels, channels=3) == (
        "vidsr export 'my model.onnx' --trt --size 480x270 --color bt601-full"
    )
    ten = replace(pixels, bits=10)
    assert command_for("live-x4", ten, channels=1).endswith("--size 480x270 --bits 10 --color full")
    assert command_for("a", replace(ten, gray=True), channels=3).endswith("--bits 10 --color bt601-full-gray")
    surface = replace(pixels, surface=True)
    assert command_for("live-x4", surface, channels=1).endswith("--size 480x270 --color bt601-full --surface")
