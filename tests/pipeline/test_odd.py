"""Odd sizes and formats through the whole command: every frame, its size, its time, its planes and its colours."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.pipeline.test_round_trip import assert_repeated, noise, video_stream_of
from tests.video.videos import drawing, facts_of, frames_of, make_video
from vidsr.color import ColorSpec
from vidsr.context import Code
from vidsr.errors import NotAVideo, OutputError
from vidsr.frames import Frame
from vidsr.pipeline import upscale_video
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.video.write.image_sink import rgb_of

DATA = os.environ.get("VIDSR_DATA")
TINY = [(1, 1), (2, 1), (1, 2), (3, 5), (66, 4), (45, 33)]


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "gray10le"])
@pytest.mark.parametrize("size", TINY, ids=lambda size: "x".join(map(str, size)))
def test_odd_and_tiny_sizes_are_doubled(size: tuple[int, int], layout: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.nut", codec="rawvideo", size=size, pixel_format=layout, pts=(0, 1, 5))
    summary = upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1")
    before, after = frames_of(video), frames_of(tmp_path / "b.mkv")
    assert summary.output_size == (2 * size[0], 2 * size[1]) == (after[0].width, after[0].height)
    assert len(before) == 3
    assert_repeated(before, after)
    upscale_video(video, tmp_path / "b.mp4", model="bicubic", preset="ultrafast")  # for players
    assert facts_of(tmp_path / "b.mp4").times == [Fraction(time, 25) for time in (0, 1, 5)]


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_the_shipped_models_upscale_tiny_frames(size: tuple[int, int], tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.nut", codec="rawvideo", size=size, pixel_format="yuv420p", pts=range(2))
    upscale_video(video, tmp_path / "b.mkv")
    assert facts_of(tmp_path / "b.mkv").size == (2 * size[0], 2 * size[1])


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "b.ts", "b.nut", "b.webm"])
def test_one_frame_is_a_film(name: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pts=(0,), last=13)
    summary = upscale_video(video, tmp_path / name, model="bicubic")
    assert summary.frames == 1 and len(frames_of(tmp_path / name)) == 1
    if name in ("b.mkv", "b.mp4"):
        assert facts_of(tmp_path / name).end == Fraction(13, 25)


def test_no_frame_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()
    with pytest.raises(NotAVideo, match=r"FFmpeg finds no video|no frame can be"):
        upscale_video(tmp_path / "a.mkv", tmp_path / "b.mkv", model="bicubic")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_a_video_too_wide_for_the_encoder_is_refused_with_its_reason(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.nut", codec="rawvideo", size=(8200, 16), pts=(0,))
    with pytest.raises(OutputError, match=r"libx264 cannot encode 16400x32 yuv420p: .*width"):
        upscale_video(video, tmp_path / "b.mkv", model="nearest")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nut"]
    upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1")
    assert facts_of(tmp_path / "b.mkv").size == (16400, 32)


def test_8k_is_planned_by_the_network_and_its_double_too() -> None:
    with load_upscaler() as upscaler:
        assert upscaler.output_size(3840, 2160) == (7680, 4320)
        assert upscaler.output_size(7680, 4320) == (15360, 8640)


MEASURED = r"""
import re, sys
from vidsr.pipeline import upscale_video
upscale_video(sys.argv[1], sys.argv[2], model="nearest", codec="rawvideo", format="nut", overwrite=True)
print(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much memory was used")
def test_8k_takes_no_more_memory_for_more_frames(tmp_path: Path) -> None:
    held_mb = []
    picture = b"FRAME\n" + bytes(3840 * 2160)
    for count in (6, 16):
        with (tmp_path / "a.y4m").open("wb") as video:
            video.write(b"YUV4MPEG2 W3840 H2160 F25:1 Ip A1:1 Cmono\n")
            video.writelines([picture] * count)
        command = [sys.executable, "-c", MEASURED, str(tmp_path / "a.y4m"), os.devnull]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        held_mb.append(int(done.stdout) // 1024)
    assert held_mb[1] < held_mb[0] + 120 and held_mb[1] < 600, held_mb  # a frame has 33 MB


@pytest.mark.parametrize(
    ("codec", "layout", "name"),
    [
        ("ffv1", "bgr0", "a.mkv"), ("ffv1", "gbrp10le", "a.mkv"), ("libx264rgb", "rgb24", "a.mkv"),
        ("utvideo", "gbrp", "a.avi"), ("rawvideo", "rgb24", "a.nut"),
        ("png", "rgb24", "a.mov"), ("qtrle", "rgb24", "a.mov"), ("ffv1", "gbrp12le", "a.mkv"),
    ],
)  # fmt: skip
def test_rgb_film_keeps_its_colours(codec: str, layout: str, name: str, tmp_path: Path) -> None:
    def lossless(container: Any, stream: Any) -> None:
        stream.codec_context.options = {"qp": "0"} if codec.startswith("libx264") else {}

    encoder = "libx264rgb" if codec == "libx264" else codec
    video = make_video(tmp_path / name, codec=encoder, pixel_format=layout, pts=range(3), decorate=lossless)
    upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1")
    after = frames_of(tmp_path / "b.mkv")
    assert [frame.pts * frame.time_base for frame in after] == [Fraction(i, 25) for i in range(3)]
    for index, frame in enumerate(after):
        assert frame.bits == 10 and frame.color.subsampling == (0, 0) and not frame.color.full_range
        expected = drawing(64, 48, index).repeat(2, 0).repeat(2, 1)
        assert np.abs(rgb_of(frame).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_palettes_keep_their_colours(kind: str, tmp_path: Path) -> None:
    image = Image.fromarray(drawing(64, 48)).quantize(64)
    image.save(tmp_path / f"a.{kind}")
    upscale_video(tmp_path / f"a.{kind}", tmp_path / "b.png", model="nearest")
    expected = np.asarray(image.convert("RGB")).repeat(2, 0).repeat(2, 1).astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / "b.png").convert("RGB")) - expected).max() <= 1


@pytest.mark.parametrize("layout", ["yuv420p12le", "yuv422p12le", "yuv444p12le"])
def test_twelve_bits_become_ten_and_say_so(layout: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", codec="ffv1", pixel_format=layout, pts=range(2))
    notices = upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1").notices
    assert [notice.codes for notice in notices] == [(Code.PIXEL_FORMAT,)] and layout in notices[0].message
    with av.open(str(video)) as source:
        for frame, given in zip(frames_of(tmp_path / "b.mkv"), source.decode(video=0), strict=True):
            luma = np.frombuffer(given.planes[0], np.uint16).reshape(48, -1)[:, :64]  # type: ignore[call-overload]
            exact = (luma / 4).repeat(2, 0).repeat(2, 1)
            assert frame.bits == 10 and np.abs(frame.planes[0] - exact).max() <= 0.5


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize("name", ["b.mkv", "b.mp4"])
def test_full_range_anamorphic_rotated_video_stays_so(name: str, turn: int, tmp_path: Path) -> None:
    def decorate(container: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        stream.codec_context.color_range = 2
        stream.set_display_rotation(turn)

    video = make_video(tmp_path / "a.mp4", decorate=decorate)
    summary = upscale_video(video, tmp_path / name, model="bicubic")
    facts, (first, *_) = facts_of(tmp_path / name), frames_of(tmp_path / name)
    assert summary.notices == () and facts.aspect == Fraction(64, 45) and facts.size == (128, 96)
    assert first.color.full_range
    with av.open(str(tmp_path / name)) as out:
        assert abs(next(out.decode(video=0)).rotation) == turn


@pytest.mark.skipif(DATA is None, reason="VIDSR_DATA names no folder with odd films")
@pytest.mark.parametrize(
    ("name", "size", "bits", "subsampling"),
    [
        ("h264_yuv422p10.mkv", (640, 360), 10, (1, 0)),
        ("h264_yuv444.mp4", (638, 358), 8, (0, 0)),
        ("hevc_hdr10_tags_only.mp4", (640, 360), 10, (1, 1)),
        ("tiny_3x5.mkv", (6, 10), 8, (0, 0)),
        ("y4m_odd_420.y4m", (350, 286), 8, (1, 1)),
        ("anim.gif", (640, 360), 10, (0, 0)),
        ("anamorphic_sar.mp4", (720, 576), 8, (1, 1)),
    ],
)
def test_odd_films_repeat_exactly(
    name: str, size: tuple[int, int], bits: int, subsampling: tuple[int, int], tmp_path: Path
) -> None:
    video = Path(str(DATA)) / "media" / name
    upscale_video(video, tmp_path / "b.mkv", model="nearest", codec="ffv1", duration=Fraction(1, 5))
    before, after = frames_of(video)[:5], frames_of(tmp_path / "b.mkv")[:5]
    assert (after[0].width, after[0].height, after[0].bits, after[0].color.subsampling) == (*size, bits, subsampling)
    shift = before[0].pts * before[0].time_base
    for small, large in zip(before, after, strict=False):
        assert abs(large.pts * large.time_base - small.pts * small.time_base + shift) <= Fraction(1, 1000)
        for a, b in zip(small.planes, large.planes, strict=True):
            assert np.array_equal(b, a.repeat(2, 0).repeat(2, 1)[: b.shape[0], : b.shape[1]])


def test_noise_of_every_code_in_an_odd_sized_444_film(tmp_path: Path) -> None:
    frames: list[Frame] = noise(ColorSpec(6, True, subsampling=(0, 0)), bits=10, size=(45, 33))
    upscale_video(
        video_stream_of(frames, tmp_path / "a.mkv"), tmp_path / "b.mkv", model="nearest", codec="ffv1", scale=3
    )
    assert_repeated(frames, frames_of(tmp_path / "b.mkv"), 3)
