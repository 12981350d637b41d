"""Deeper pictures are rounded to 10 bits, never cut off and never dithered."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.pixel_formats import planes_of

NAMES = [
    "yuv420p12le", "yuv422p12le", "yuv444p12le", "yuva444p12le", "yuv420p9le", "yuv444p14le", "yuv422p16le",
    "gray12le", "gray16le", "gray16be", "gray9le", "yuv420p12be",
]  # fmt: skip


def filled(name: str, full_range: bool) -> tuple[av.VideoFrame, list[Any]]:
    """A picture of every code there is, and what was written into it."""
    picture = av.VideoFrame(66, 48, name)
    picture.color_range = 2 if full_range else 1
    bits, rng, codes = picture.format.components[0].bits, np.random.default_rng(1), []
    for plane in planes_of(picture):
        codes.append(rng.integers(0, 1 << bits, plane.shape, np.uint16))
        codes[-1].flat[:2] = 0, (1 << bits) - 1
        plane[:] = codes[-1].byteswap() if name.endswith("be") else codes[-1]
    return picture, codes


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("name", NAMES)
def test_every_code_is_rounded_to_the_nearest_of_ten_bits(name: str, full_range: bool) -> None:
    picture, codes = filled(name, full_range)
    bits = picture.format.components[0].bits
    frame = frame_of(picture, chroma_location="left")
    assert frame.bits == 10 and frame.color.full_range is full_range
    got = [*frame.planes, *([] if frame.alpha is None else [frame.alpha])]
    assert len(got) == len(codes)
    for index, (plane, code) in enumerate(zip(got, codes, strict=True)):
        if full_range or index == 3:  # all codes to all codes, chroma around its middle
            middle, lifted = (1 << bits - 1, 512) if index in (1, 2) else (0, 0)
            exact = (code.astype(float) - middle) * 1023 / ((1 << bits) - 1) + lifted
        else:
            exact = code * float(Fraction(1 << 10, 1 << bits))
        assert np.abs(plane - exact.clip(0, 1023)).max() <= 0.5 + 1e-3
        assert plane.min() == 0 and plane.max() >= 1022


def test_a_flat_deep_picture_stays_flat() -> None:
    picture, _ = filled("yuv444p12le", full_range=False)
    for plane in planes_of(picture):
        plane[:] = 2049
    assert all((plane == 512).all() for plane in frame_of(picture, chroma_location="left").planes)


@pytest.mark.parametrize("name", ["rgb565be", "bgr565be", "rgb555be", "bgr555be"])
def test_packed_rgb_of_big_endian_order_has_its_colours(name: str) -> None:
    av_frame = av.VideoFrame(16, 16, name)
    codes = np.frombuffer(av_frame.planes[0], ">u2").reshape(16, -1)  # type: ignore[call-overload]
    top = {"565": 11, "555": 10}[name[3:6]]
    codes[:] = 31 << (top if name.startswith("rgb") else 0)  # red
    assert frame_of(av_frame).to_ndarray()[8, 8].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["gbrpf16le", "gbrapf32le", "rgbaf32le"])
def test_floats_are_linear_light(name: str) -> None:
    av_frame = av.VideoFrame(16, 16, name)
    for plane in av_frame.planes:
        np.frombuffer(plane, "<f2" if "f16" in name else "<f4")[:] = 0.18  # type: ignore[call-overload]
    assert frame_of(av_frame).to_ndarray()[8, 8].tolist() == [118, 118, 118]


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "rgb24"])
def test_reserved_codes_of_colours_are_unspecified(code: int, pixel_format: str) -> None:
    av_frame = av.VideoFrame(16, 16, pixel_format)
    av_frame.color_primaries, av_frame.color_trc = code, code
    color = frame_of(av_frame).color
    assert (color.primaries, color.transfer) == (2, 2)
