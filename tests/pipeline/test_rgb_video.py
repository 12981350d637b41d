"""RGB sources become video that plays everywhere; sizes mean the picture as it is shown."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.notices import Notices
from tests.video.videos import drawing, make_video
from vidsr import upscale_video, verify_video
from vidsr.context import Code

COLOR = (12, 217, 68)
TURNED = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)


def rgb_video(path: Path, *, primaries: int = 2, transfer: int = 2, size: tuple[int, int] = (32, 24)) -> Path:
    """Three frames of one colour, as FFV1 in RGB."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = *size, "bgr0"
        video.codec_context.color_primaries, video.codec_context.color_trc = primaries, transfer
        for index in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), COLOR, np.uint8), format="rgb24")
            picture = picture.reformat(format="bgr0")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
    return path


def first_of(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def rgb_of(frame: av.VideoFrame) -> Any:
    """The colour in the middle, by the frame's own tags."""
    from vidsr.video.convert.from_av import frame_of

    picture = frame_of(frame).to_rgb()
    return np.rint(picture[frame.height // 2, frame.width // 2] * 255)


def test_rgb_becomes_420_at_8_bits_in_bt709_and_says_so(tmp_path):
    source, target, notices = rgb_video(tmp_path / "a.mkv"), tmp_path / "b.mp4", Notices()
    upscale_video(source, target, model="bicubic", crf=4, warn=notices)
    frame = first_of(target)
    assert frame.format.name == "yuv420p"
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)
    assert np.abs(rgb_of(frame) - COLOR).max() <= 3
    assert Code.PIXEL_FORMAT in notices.codes
    assert verify_video(source, target, notices=notices).faithful
    assert not verify_video(source, target).faithful


def test_numbered_images_become_the_same(tmp_path):
    for index in range(2):
        Image.new("RGB", (32, 24), COLOR).save(tmp_path / f"{index:03}.png")
    upscale_video(tmp_path / "%03d.png", tmp_path / "b.mp4", model="bicubic", crf=4, fps=25)
    frame = first_of(tmp_path / "b.mp4")
    assert (frame.format.name, int(frame.colorspace)) == ("yuv420p", 1)
    assert np.abs(rgb_of(frame) - COLOR).max() <= 3


def test_an_image_becomes_a_video_in_bt709_too(tmp_path):
    Image.new("RGB", (32, 24), COLOR).save(tmp_path / "a.png")
    upscale_video(tmp_path / "a.png", tmp_path / "b.mp4", model="bicubic", crf=4)
    frame = first_of(tmp_path / "b.mp4")
    assert (frame.format.name, int(frame.colorspace), frame.color_range) == ("yuv420p", 1, 1)
    assert np.abs(rgb_of(frame) - COLOR).max() <= 3


@pytest.mark.parametrize(("options", "pixel_format"), [
    ({"pix_fmt": "yuv444p"}, "yuv444p"),
    ({"encoder_options": {"pix_fmt": "yuv444p10le"}}, "yuv444p10le"),
    ({"codec": "ffv1"}, "yuv444p10le"),
])  # fmt: skip
def test_rgb_keeps_its_chroma_where_that_is_asked_for_and_for_archives(tmp_path, options, pixel_format):
    upscale_video(rgb_video(tmp_path / "a.mkv"), tmp_path / "b.mkv", model="bicubic", crf=4, **options)
    frame = first_of(tmp_path / "b.mkv")
    assert (frame.format.name, int(frame.colorspace)) == (pixel_format, 1)
    assert np.abs(rgb_of(frame) - COLOR).max() <= 2


@pytest.mark.parametrize(("primaries", "transfer", "matrix"), [(9, 16, 9), (9, 18, 9), (12, 13, 1), (1, 8, 1)])
def test_rgb_keeps_primaries_and_transfer(tmp_path, primaries, transfer, matrix):
    source, target, notices = tmp_path / "a.mkv", tmp_path / "b.mkv", Notices()
    rgb_video(source, primaries=primaries, transfer=transfer)
    upscale_video(source, target, model="bicubic", codec="libx265", warn=notices)
    frame = first_of(target)
    assert (frame.color_primaries, frame.color_trc, int(frame.colorspace)) == (primaries, transfer, matrix)
    assert frame.format.name == ("yuv420p" if transfer == 13 else "yuv420p10le")
    assert not {Code.PRIMARIES, Code.TRANSFER} & set(notices.codes)
    assert verify_video(source, target, notices=notices).faithful


def test_an_odd_size_of_rgb_is_made_even_without_a_resize(tmp_path):
    notices = Notices()
    rgb_video(tmp_path / "a.mkv", size=(33, 25))
    upscale_video(tmp_path / "a.mkv", tmp_path / "b.mp4", model="nearest", scale=3, warn=notices)
    frame = first_of(tmp_path / "b.mp4")
    assert (frame.width, frame.height, frame.format.name) in ((98, 74, "yuv420p"), (100, 76, "yuv420p"))
    assert Code.ASPECT in notices.codes


@pytest.mark.parametrize(("options", "stored"), [
    ({"width": 96, "height": 128}, (128, 96)), ({"height": 128}, (128, 96)), ({"scale": 2}, (128, 96)),
])  # fmt: skip
def test_a_size_is_that_of_the_picture_as_it_is_shown(tmp_path, options, stored):
    def turn(_: Any, stream: Any) -> None:
        stream.set_display_matrix(TURNED)

    source = make_video(tmp_path / "a.mp4", size=(64, 48), decorate=turn)
    summary = upscale_video(source, tmp_path / "b.mp4", model="bicubic", **options)
    frame = first_of(tmp_path / "b.mp4")
    assert (frame.width, frame.height) == stored
    assert summary.output_size == stored[::-1]
    assert verify_video(source, tmp_path / "b.mp4", notices=summary.notices).faithful


def test_a_size_is_that_of_a_photo_as_it_is_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(drawing(64, 48)).save(tmp_path / "a.jpg", exif=exif)
    upscale_video(tmp_path / "a.jpg", tmp_path / "b.png", model="bicubic", height=128)
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (96, 128)


def test_y4m_states_the_shape_of_a_pixel(tmp_path):
    def wide(_: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(16, 15)

    notices = Notices()
    source = make_video(tmp_path / "a.mp4", decorate=wide)
    upscale_video(source, tmp_path / "b.y4m", model="bicubic", warn=notices)
    assert b" A16:15 " in (tmp_path / "b.y4m").read_bytes()[:100]
    assert Code.ASPECT not in notices.codes
    assert verify_video(source, tmp_path / "b.y4m", notices=notices).faithful
    upscale_video(make_video(tmp_path / "c.mp4"), tmp_path / "d.y4m", model="bicubic")
    assert b" A1:1 " in (tmp_path / "d.y4m").read_bytes()[:100]


def test_raw_video_is_what_y4m_holds(tmp_path):
    source = make_video(tmp_path / "a.mp4", pts=range(2))
    for codec in ("rawvideo", "libx264"):
        upscale_video(source, tmp_path / f"{codec}.y4m", model="bicubic", codec=codec)
    assert (tmp_path / "rawvideo.y4m").read_bytes() == (tmp_path / "libx264.y4m").read_bytes()
