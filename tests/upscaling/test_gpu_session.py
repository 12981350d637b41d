"""Semi-planar frames through an upscaler: as larger semi-planar ones, and the same picture as by planes."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.networks import network, receptive_field, runnable, save
from tests.notices import Notices
from tests.upscaling.test_fp16_guard import saved
from vidsr.card import ModelCard
from vidsr.frames import Frame
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.nv12 import Surface, planar
from vidsr.video.convert.scale import blank

WIDTH, HEIGHT = 64, 48


@pytest.fixture(scope="module", params=[1, 3], ids=["luma", "RGB"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = ModelCard("two", 2, request.param, receptive_field(2), qp=request.param == 1)
    qp = 0.5 if request.param == 1 else None
    return save(network(channels=request.param, qp=qp), tmp_path_factory.mktemp("model") / "two.onnx", card)


def frame(pixel_format: str = "nv12", brightness: int = 500) -> Frame:
    """A soft picture, as a decoder would lend it."""
    picture = blank(None, WIDTH, HEIGHT, "yuv444p10le", "left")
    lines, columns = np.mgrid[:HEIGHT, :WIDTH]
    waves = (
        brightness + 300 * np.sin(lines / 9),
        512 + 200 * np.cos(columns / 11),
        512 + 250 * np.sin((lines + columns) / 13),
    )
    for plane, wave in zip(picture.planes, waves, strict=True):
        into: Any = np.frombuffer(plane, np.uint16).reshape(HEIGHT, -1)  # type: ignore[call-overload]
        into[:, :WIDTH] = brightness + wave
    picture.color_range, picture.colorspace = 1, 1
    picture = picture.reformat(format=pixel_format, src_color_range=1, dst_color_range=1)
    picture.pts, picture.duration, picture.time_base = 7, 3, Fraction(1, 90)
    return frame_of(picture, semiplanar=True, qp=30.0)


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("pixel_format", ["nv12", "p010le"])
def test_nv12_in_is_nv12_out_and_the_same_picture_as_by_planes(model: Path, engine: str, pixel_format: str) -> None:
    given = frame(pixel_format)
    assert given.semiplanar
    with load_upscaler(model, engine=engine, precision="f32") as upscaler:
        large = upscaler.submit(given).result()
        expected = upscaler.submit(planar(given)).result()
    assert large.semiplanar
    assert (large.width, large.height, large.bits) == (2 * WIDTH, 2 * HEIGHT, given.bits)
    assert (large.pts, large.duration_ticks, large.time_base, large.color) == (7, 3, Fraction(1, 90), given.color)
    for plane, other in zip(planar(large).planes, expected.planes, strict=True):
        difference = np.abs(plane.astype(int) - other)
        assert difference[4:-4, 4:-4].max() <= 1
        assert difference.max() <= 2 << (given.bits - 8)  # swscale shifts the taps that reach beyond the picture


def test_planes_that_only_speak_dlpack_are_read_where_they_lie(model: Path) -> None:
    pytest.importorskip("torch")
    given = frame()
    planes: Any = tuple(
        Surface(plane, lent.shape) for plane, lent in zip(given.av_frame.planes, given.planes, strict=True)
    )
    with load_upscaler(model, engine="torch", precision="f32", device="cpu") as upscaler:
        large = upscaler.submit(replace(given, planes=planes)).result()
        expected = upscaler.submit(given).result()
    assert not isinstance(large.planes[0], np.ndarray)
    for plane, other in zip(planar(large).planes, planar(expected).planes, strict=True):
        np.testing.assert_array_equal(plane, other)


def test_an_engine_that_cannot_read_them_there_gets_copies(model: Path) -> None:
    given = frame()
    planes: Any = tuple(
        Surface(plane, lent.shape) for plane, lent in zip(given.av_frame.planes, given.planes, strict=True)
    )
    with load_upscaler(model, engine="openvino", precision="f32") as upscaler:
        large = upscaler.submit(replace(given, planes=planes)).result()
        expected = upscaler.submit(planar(given)).result()
    for plane, other in zip(large.planes, expected.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


@pytest.mark.parametrize("engine", runnable())
def test_a_result_outlives_the_next_run(model: Path, engine: str) -> None:
    with load_upscaler(model, engine=engine, precision="f32", in_flight=1) as upscaler:
        first = upscaler.submit(frame()).result()
        kept = planar(first).planes[0].copy()
        upscaler.submit(frame(brightness=420)).result()
        np.testing.assert_array_equal(planar(first).planes[0], kept)


@pytest.mark.parametrize("options", [{"tile": 40}, {"width": 100, "height": 70}])
def test_where_the_picture_is_cut_or_resized_it_goes_by_planes(model: Path, options: Any) -> None:
    with load_upscaler(model, precision="f32", **options) as upscaler:
        given = frame()
        large = upscaler.submit(given).result()
        expected = upscaler.submit(planar(given)).result()
    assert len(large.planes) == 3
    for plane, other in zip(large.planes, expected.planes, strict=True):
        np.testing.assert_array_equal(plane, other)


def test_a_kernel_takes_semi_planar_frames_too() -> None:
    with load_upscaler("bicubic") as upscaler:
        large = upscaler.submit(frame()).result()
    assert (large.width, large.height, len(large.planes)) == (2 * WIDTH, 2 * HEIGHT, 3)


@pytest.mark.parametrize("pixel_format", ["nv12", "p010le"])
def test_no_sample_changes_between_the_two_layouts(pixel_format: str) -> None:
    given = frame(pixel_format)
    y, u, v = planar(given).planes
    shift = 0 if pixel_format == "nv12" else 6
    np.testing.assert_array_equal(y, given.planes[0] >> shift)
    np.testing.assert_array_equal(np.stack([u, v], 2), given.planes[1] >> shift)


def test_where_f16_is_too_small_f32_makes_the_whole_surface(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    loud, told = saved(tmp_path, gain=30000), Notices()
    options: dict[str, Any] = {"engine": "torch", "device": "cpu"}
    with load_upscaler(loud, **options, precision="f16", warn=told) as upscaler:
        large = [upscaler.submit(frame(brightness=brightness)).result() for brightness in (500, 450)]
    with load_upscaler(loud, **options, precision="f32") as upscaler:
        for made, brightness in zip(large, (500, 450), strict=True):
            expected = planar(upscaler.submit(frame(brightness=brightness)).result())
            for plane, other in zip(planar(made).planes, expected.planes, strict=True):
                np.testing.assert_array_equal(plane, other)
    assert len(told) == 1
