"""Pictures and frames: no copy, no lost colour, chroma in its place, and swscale as ffmpeg has it."""

import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.video.videos import drawing, frame_from, frames_of, make_video
from vidsr.color import BT709, LUMA_WEIGHTS, SMPTE170M, YCGCO, ChromaLocation, ColorSpec, rgb_to_yuv
from vidsr.frames import Frame
from vidsr.resize import resize
from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS, pixel_format_name, planes_of
from vidsr.video.convert.resizer import Resizer, to_av_frame
from vidsr.video.convert.scale import chroma_location_of, scale
from vidsr.video.convert.side_data import side_data
from vidsr.video.write.image_sink import rgb_of

PLAIN = sorted({pixel_format_name(bits, shifts, gray=gray) for bits, shifts, gray in PIXEL_FORMATS.values()})


def tagged(chroma_location: ChromaLocation, size: tuple[int, int] = (64, 64)) -> Frame:
    """A frame whose chroma swscale knows to sit there."""
    frame = replace(frame_from(size), av_frame=None)
    frame = replace(frame, color=replace(frame.color, chroma_location=chroma_location))
    return replace(frame, av_frame=to_av_frame(frame))


@pytest.mark.parametrize("layout", PLAIN)
def test_planar_pictures_become_frames_without_a_copy(layout: str) -> None:
    picture = av.VideoFrame(50, 34, layout)
    frame = frame_of(picture)
    bits, (right, down), gray = PIXEL_FORMATS[layout]
    assert frame.bits == bits and len(frame.planes) == (1 if gray else 3)
    assert frame.planes[0].shape == (34, 50) and frame.planes[0].ctypes.data == picture.planes[0].buffer_ptr
    if not gray:
        assert frame.planes[1].shape == (-(-34 >> down), -(-50 >> right))


def test_planes_outlive_their_picture() -> None:
    plane = frame_from((64, 64)).planes[0]
    copy = plane.copy()
    for _ in range(50):
        av.VideoFrame(64, 64, "yuv420p")
    assert np.array_equal(plane, copy)


def test_odd_sizes_round_chroma_up() -> None:
    frame = Resizer().resize(frame_from((64, 48)), 35, 27)
    assert [plane.shape for plane in frame.planes] == [(27, 35), (14, 18), (14, 18)]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("nv12", "yuv420p"),
        ("p010le", "yuv420p10le"),
        ("yuyv422", "yuv422p"),
        ("yuv444p14le", "yuv444p10le"),
        ("yuva444p16le", "yuv444p10le"),
        ("yuv420p16le", "yuv420p10le"),
        ("yuv410p", "yuv420p"),
        ("gray16le", "gray10le"),
    ],
)
def test_other_formats_become_the_nearest_layout(name: str, near: str) -> None:
    picture = av.VideoFrame.from_ndarray(drawing(64, 48), format="rgb24").reformat(format=name)
    frame = frame_of(picture)
    assert pixel_format_name(frame.bits, frame.color.subsampling, gray=len(frame.planes) == 1) == near
    expected = av.VideoFrame.from_ndarray(drawing(64, 48), format="rgb24").reformat(format=near)
    difference = planes_of(expected)[0].astype(int) - frame.planes[0]
    assert np.abs(difference).max() <= (2 if frame.bits == 8 else 6)


@pytest.mark.parametrize("name", ["yuva420p", "yuva444p10le"])
def test_alpha_is_read_and_given_back_without_a_copy(name: str) -> None:
    picture = av.VideoFrame(32, 32, name)
    frame = frame_of(picture)
    assert len(frame.planes) == 3 and frame.alpha is not None
    assert [p.ctypes.data for p in (*frame.planes, frame.alpha)] == [p.buffer_ptr for p in picture.planes]
    assert to_av_frame(frame, name) is picture
    assert to_av_frame(frame).format.name == name.replace("yuva", "yuv")


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("rgba", 10), ("argb", 10), ("bgra", 10), ("rgba64le", 10), ("gbrap", 10), ("ya8", 8),
        ("yuva422p", 8), ("yuva444p12le", 12), ("yuva420p16le", 10),
    ],
)  # fmt: skip
def test_alpha_of_every_format_is_read(name: str, bits: int) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgba = np.dstack([np.full((16, 16, 3), 90, np.uint8), levels])
    frame = frame_of(av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=name))
    assert frame.alpha is not None and frame.bits == bits and frame.alpha.dtype == frame.planes[0].dtype
    exact = levels * (((1 << bits) - 1) / 255)
    assert np.abs(frame.alpha - exact).max() < (
        6.4 if bits == 12 else 1.6
    )  # swscale, which made the picture, is up to a level off
    assert frame.alpha[0, 0] == 0 and frame.alpha[-1, -1] == (1 << bits) - 1


@pytest.mark.parametrize("level", [255, 100])
@pytest.mark.parametrize("name", ["bgra", "ya8", "pal8"])
def test_formats_that_always_have_alpha_are_opaque_where_they_say_nothing(name: str, level: int) -> None:
    rgba = np.full((16, 16, 4), level, np.uint8)
    if name == "pal8":
        picture = av.VideoFrame.from_ndarray((rgba[..., 0], np.full((256, 4), level, np.uint8)), format="pal8")
    else:
        picture = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=name)
    assert (frame_of(picture).alpha is None) is (level == 255)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_every_rgb_colour_comes_back_within_a_level(seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for name in ("rgb24", "bgra", "gbrp"):
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=name)
        assert np.abs(rgb_of(frame_of(picture)).astype(int) - rgb).max() <= 1


def test_palettes_and_deep_rgb_are_read_as_colours() -> None:
    rgb = np.full((16, 16, 3), (250, 128, 3), np.uint8)
    deep = av.VideoFrame.from_ndarray(rgb.astype(np.uint16) * 257, format="rgb48le")
    assert np.abs(rgb_of(frame_of(deep)).astype(int) - rgb).max() <= 1
    colours = np.full((256, 4), 255, np.uint8)
    colours[:, 1:] = rgb[0, 0]  # alpha, red, green, blue
    palette = av.VideoFrame.from_ndarray((rgb[..., 0], colours), format="pal8")
    assert np.abs(rgb_of(frame_of(palette)).astype(int) - rgb).max() <= 1
    ten = av.VideoFrame.from_ndarray(rgb.astype(np.uint16) * 4, format="gbrp10le")
    assert np.abs(rgb_of(frame_of(ten)).astype(int) - rgb).max() <= 1


@pytest.mark.parametrize(("height", "matrix"), [(576, SMPTE170M), (720, BT709)])
def test_untagged_pictures_are_tagged_by_their_height(height: int, matrix: int) -> None:
    frame = frame_of(av.VideoFrame(16, height, "yuv420p"))
    assert frame.color.matrix == matrix and not frame.color.full_range
    assert frame.av_frame.colorspace == matrix and frame.av_frame.color_range == 1


def test_full_range_stays_full_and_is_never_squeezed() -> None:
    picture = av.VideoFrame(16, 16, "yuvj420p")
    for plane in planes_of(picture):
        plane[:] = 255
    larger = Resizer().resize(frame_of(picture), 32, 32)
    assert larger.color.full_range and larger.planes[0].min() == 255 and larger.av_frame.format.name == "yuv420p"


@pytest.mark.parametrize("chroma_location", ["left", "center", "topleft"])
def test_siting_is_measured_where_it_cannot_be_asked(
    chroma_location: ChromaLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tagged(chroma_location).av_frame
    assert chroma_location_of(picture) == chroma_location

    monkeypatch.setattr("vidsr.video.convert.scale.hasattr", lambda *_: False, raising=False)
    assert chroma_location_of(picture) == chroma_location


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(
    ("chroma_location", "left", "top"), [("left", 0.5, 1.0), ("center", 1.0, 1.0), ("topleft", 0.5, 0.5)]
)
def test_chroma_stays_where_it_sits(chroma_location: ChromaLocation, left: float, top: float, factor: int) -> None:
    # left, top: the middle of the first chroma sample, in luma pixels from the picture's corner.
    frame = tagged(chroma_location)
    u, v = frame.planes[1:]
    u[:], v[:] = np.arange(32)[None, :] * 6 + 20, np.arange(32)[:, None] * 6 + 20
    larger = Resizer("bilinear").resize(replace(frame, av_frame=to_av_frame(frame)), 64 * factor, 64 * factor)
    out = np.arange(8, 24 * factor)
    for plane, corner, axis in ((larger.planes[1], left, 1), (larger.planes[2], top, 0)):
        where = ((2 * out + corner) / factor - corner) / 2  # in samples of the small plane
        got = plane[16, out] if axis else plane[out, 16]
        assert np.abs(got - (where * 6 + 20)).max() <= 1


def test_unsited_video_is_taken_for_left_sited_as_players_do(tmp_path: Path) -> None:
    video = make_video(tmp_path / "in.mkv", codec="libvpx-vp9")
    assert frames_of(video)[0].color.chroma_location == "left"


def test_422_of_hevc_sits_on_the_left_as_that_of_h264(tmp_path: Path) -> None:
    larger = []
    for codec, lossless in (("libx265", {"x265-params": "lossless=1:log-level=none"}), ("libx264", {"qp": "0"})):
        video = make_video(
            tmp_path / f"{codec}.mkv", codec=codec, pixel_format="yuv422p", pts=range(2),
            decorate=lambda _, stream, options=lossless: setattr(stream, "options", options),
        )  # fmt: skip
        frame = frames_of(video)[0]
        assert frame.color.chroma_location == "left"
        larger.append(Resizer().resize(frame, 128, 96).planes)
    assert all(np.array_equal(a, b) for a, b in zip(*larger, strict=True))


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_resized_frames_own_what_they_give_out(kernel: Any) -> None:
    frame = replace(frame_from(), pts=7, duration_ticks=3, time_base=Fraction(1, 90), qp=22.0)
    before = [plane.copy() for plane in frame.planes]
    resizer = Resizer(kernel)
    for size in ((128, 96), (64, 48)):
        larger = resizer.resize(frame, *size)
        assert (larger.pts, larger.duration_ticks, larger.time_base, larger.qp) == (7, 3, Fraction(1, 90), 22.0)
        assert (larger.width, larger.height) == size and larger.color == frame.color
        larger.planes[0][:] = 0
        assert all(np.array_equal(a, b) for a, b in zip(before, frame.planes, strict=True))
        assert to_av_frame(larger) is larger.av_frame, "the encoder gets the very picture"


def test_frames_without_a_picture_are_copied_into_one() -> None:
    frame = frame_from()
    alone = replace(frame, planes=tuple(plane.copy() for plane in frame.planes), av_frame=None)
    picture = to_av_frame(alone)
    assert all(np.array_equal(a, b) for a, b in zip(planes_of(picture), frame.planes, strict=True))
    assert picture.pts == frame.pts and picture.colorspace == frame.color.matrix


def test_gray_is_never_stretched_on_its_way_to_colour_and_back() -> None:
    gray = frame_of(av.VideoFrame.from_ndarray(drawing(64, 48)[..., 0], format="gray"))
    resizer = Resizer()
    color = resizer.convert(gray, 64, 48, "yuv420p")
    assert np.array_equal(color.planes[0], gray.planes[0]) and (color.planes[1] == 128).all()
    back = resizer.convert(color, 64, 48, "gray")
    assert np.array_equal(back.planes[0], gray.planes[0])


def test_a_change_of_range_is_undone() -> None:
    frame = frame_from()
    full = replace(frame, color=replace(frame.color, full_range=True))
    white = tuple(np.full_like(plane, 255 if i == 0 else 128) for i, plane in enumerate(frame.planes))
    fitted = Resizer().fit(replace(full, planes=white, av_frame=None), 64, 48, "yuv420p", frame.color)
    assert abs(int(fitted.planes[0][5, 5]) - 235) <= 1 and fitted.color == frame.color


@pytest.mark.parametrize(("before", "after"), [(1, 6), (6, 1), (9, 5), (6, 10), (8, 1), (4, 7)])
def test_a_change_of_matrix_is_undone(before: int, after: int) -> None:
    frame = frame_from(pixel_format="yuv444p", matrix=before)
    fitted = Resizer().fit(replace(frame, av_frame=None), 64, 48, "yuv444p", replace(frame.color, matrix=after))
    assert fitted.color.matrix == after == fitted.av_frame.colorspace
    if before != YCGCO:  # which swscale cannot read
        assert np.abs(fitted.to_rgb() - frame.to_rgb()).max() * 255 < 4


@pytest.mark.parametrize("matrix", [*LUMA_WEIGHTS, YCGCO])
def test_colours_come_back_whatever_the_matrix(matrix: int) -> None:
    rgb = np.random.default_rng(matrix).random((4, 4, 3))
    yuv = rgb @ rgb_to_yuv(matrix).T
    codes = np.rint(yuv * 1023 + [0, 512, 512]).astype(np.uint16)
    color = ColorSpec(matrix, full_range=True, subsampling=(0, 0))
    frame = Frame(tuple(np.ascontiguousarray(codes[..., i]) for i in range(3)), color, 10)
    assert yuv[..., 1:].min() >= -0.5 and yuv[..., 1:].max() <= 0.5
    assert np.abs(frame.to_rgb() - rgb).max() < 0.004


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg program")
@pytest.mark.parametrize("layout", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_bicubic_agrees_with_ffmpegs_scale_filter(layout: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "in.mkv", size=(160, 90), pts=range(2), codec="ffv1", pixel_format=layout)
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-vf", "scale=640:360:flags=bicubic", "-c:v", "ffv1"]
    subprocess.run([*command, str(tmp_path / "theirs.mkv")], check=True)
    resizer = Resizer("bicubic")
    for mine, theirs in zip(frames_of(video), frames_of(tmp_path / "theirs.mkv"), strict=True):
        # The filter takes chroma of unknown siting for centred; so that kernels are compared, and not that.
        centred = replace(mine, color=replace(mine.color, chroma_location="center"), av_frame=None)
        larger = resizer.resize(centred, 640, 360)
        for a, b in zip(larger.planes, theirs.planes, strict=True):
            error = np.mean((a.astype(float) - b) ** 2)
            assert 10 * np.log10(((1 << mine.bits) - 1) ** 2 / max(error, 1e-9)) >= 50


def test_side_data_survives_resizing() -> None:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 64, "yuv420p", Fraction(1, 25)
    packets = encoder.encode(to_av_frame(frame_from((64, 64)))) + encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"export_side_data": "venc_params"}
    pictures: list[Any] = [p for packet in [*packets, None] for p in decoder.decode(packet)]
    frame = frame_of(pictures[0])
    assert side_data(pictures[0], "VIDEO_ENC_PARAMS") is not None
    larger = Resizer().resize(frame, 128, 128)
    assert side_data(larger.av_frame, "VIDEO_ENC_PARAMS") == side_data(pictures[0], "VIDEO_ENC_PARAMS")
    mine = replace(larger, planes=tuple(plane.copy() for plane in larger.planes))
    assert side_data(to_av_frame(mine), "VIDEO_ENC_PARAMS") is not None


def test_scale_gives_the_same_picture_where_nothing_is_to_do() -> None:
    picture = frame_from().av_frame
    scaler = av.video.reformatter.VideoReformatter()
    assert scale(scaler, picture, 64, 48, "yuv420p", "BICUBIC", full_range=False) is picture
    assert ColorSpec(BT709, False).chroma_location == "left"


def test_accurate_rounding_is_nearer_to_the_exact_resize() -> None:
    frame = frame_from((96, 64))
    exact = resize(frame.planes[0].astype(np.float64), 32, 48, kernel="lanczos")
    plain, accurate = (
        np.abs(Resizer("lanczos", accurate=accurate).resize(frame, 48, 32).planes[0] - exact).mean()
        for accurate in (False, True)
    )
    assert accurate < plain


@pytest.mark.parametrize("layout", ["yuv420p", "yuv420p10le"])
def test_threads_change_no_sample_of_what_is_resized(layout: str) -> None:
    frame = frame_from((480, 270), pixel_format=layout)
    one, several = (Resizer("bicubic", threads=count).resize(frame, 1920, 1080) for count in (1, 5))
    assert one.shows(several)
