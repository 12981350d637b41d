"""Writing: never half, never over the input, every codec's times exact, and refused before the first frame."""

import errno
import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.video.videos import drawing, facts_of, frame_from, frames_of, info_of, make_video, resize_video
from vidsr.color import BT709, BT2020
from vidsr.context import Code, Context, Notice, ignore
from vidsr.errors import DiskFull, OutputError, SameFile, TargetExists
from vidsr.io.pipes import SeekableWriter
from vidsr.options import EncodeOptions
from vidsr.video.write.sink import open_sink

UNEVEN = (0, 2, 3, 8, 9, 20, 21, 22, 40, 41)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1", "mpeg4", "mjpeg", "libvpx"])
def test_every_codec_keeps_uneven_times(codec: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=UNEVEN, last=7, time_base=Fraction(1, 90))
    resize_video(video, tmp_path / "b.mkv", codec=codec, preset="superfast")
    before, after = facts_of(video), facts_of(tmp_path / "b.mkv")
    assert len(after.times) == len(before.times)
    assert max(abs(a - b) for a, b in zip(after.times, before.times, strict=True)) <= Fraction(1, 2000)


def test_nothing_of_a_frame_stays_in_memory_once_it_is_written(tmp_path: Path) -> None:
    for name in ("a.y4m", "a.mkv", "a.ts"):
        info = replace(info_of(frame_from()), time_base=Fraction(1, 12800), rate=Fraction(25))
        with open_sink(tmp_path / name, info, context=Context(ignore)) as sink:
            for index in range(40):
                sink.write(replace(frame_from(), pts=512 * index, duration_ticks=512, time_base=Fraction(1, 12800)))
            encoder = sink._encoder  # type: ignore[attr-defined]
        assert encoder.last and not encoder._clock._durations and not encoder._clock._pending


def test_a_name_that_was_taken_on_the_way_is_left_alone(tmp_path: Path) -> None:
    for name in ("a.mkv", "b.png", "c/%d.png"):
        what, target = name.partition("/")[0], tmp_path / name
        with (
            pytest.raises(OutputError, match=r"is a (folder|file)"),
            open_sink(target, info_of(frame_from()), context=Context(ignore)) as sink,
        ):
            sink.write(frame_from())
            tmp_path.joinpath(what).touch() if "/" in name else target.mkdir()
    assert left_in(tmp_path) == {"a.mkv", "b.png", "c"}


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "mpeg4"])
def test_an_mp4_keeps_the_last_duration_of_an_uneven_video(codec: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pts=UNEVEN, last=13)
    resize_video(video, tmp_path / "b.mp4", codec=codec, preset="superfast")
    before, after = facts_of(video), facts_of(tmp_path / "b.mp4")
    assert after.times == before.times and after.durations[-1] == before.durations[-1] > Fraction(1, 2)


def test_an_even_video_keeps_its_b_frames_in_an_mp4(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=range(40))
    resize_video(video, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as out:
        assert any(packet.pts != packet.dts for packet in out.demux() if packet.size)


@pytest.mark.parametrize(
    ("codec", "layout", "expected"),
    [
        ("libx264", "yuv420p", "yuv420p"),
        ("libx264", "yuv422p10le", "yuv422p10le"),
        ("libx264", "yuv444p", "yuv444p"),
        ("libx264", "gray", "yuv420p"),  # as its decoder gives it
        ("libx265", "yuv420p10le", "yuv420p10le"),
        ("libsvtav1", "yuv420p10le", "yuv420p10le"),
        ("libsvtav1", "yuv444p10le", "yuv420p10le"),
        ("libvpx-vp9", "yuv444p", "yuv444p"),
        ("ffv1", "yuv422p10le", "yuv422p10le"),
        ("mpeg4", "yuv422p10le", "yuv420p"),
        ("mpeg4", "gray", "yuv420p"),
        ("prores_ks", "yuv420p", "yuv422p10le"),
    ],
)
def test_depth_and_chroma_stay_where_the_codec_has_them(codec: str, layout: str, expected: str, tmp_path: Path) -> None:
    notices: list[Notice] = []
    frame = frame_from(pixel_format=layout)
    with open_sink(
        tmp_path / "a.mkv",
        info_of(frame),
        EncodeOptions(codec=codec, preset="superfast", crf=5),
        context=Context(notices.append),
    ) as sink:
        for index in range(3):
            sink.write(frame.at(index, 1))
    with av.open(str(tmp_path / "a.mkv")) as out:
        assert out.streams.video[0].codec_context.pix_fmt.replace("yuvj", "yuv") == expected
    same_or_gray = expected == layout or layout == "gray"
    assert [notice.codes for notice in notices] == ([] if same_or_gray else [(Code.PIXEL_FORMAT,)])
    back = frames_of(tmp_path / "a.mkv")[0]
    lift = 1 << (back.bits - 8)
    error = np.abs(back.planes[0].astype(float) / lift - frame.planes[0].astype(float) / (1 << (frame.bits - 8)))
    assert error.mean() < 4, "levels were moved"


def test_colour_aspect_and_chroma_location_are_tagged(tmp_path: Path) -> None:
    frame = frame_from(matrix=BT2020, primaries=9, transfer=16, chroma_location="topleft")
    for name in ("a.mkv", "a.mp4", "a.mov"):
        info = info_of(frame, aspect=Fraction(64, 45))
        with open_sink(tmp_path / name, info, context=Context(ignore)) as sink:
            sink.write(frame)
        (back,) = frames_of(tmp_path / name)
        assert back.color == frame.color
        with av.open(str(tmp_path / name)) as out:
            context = out.streams.video[0].codec_context
            assert Fraction(context.sample_aspect_ratio.numerator, context.sample_aspect_ratio.denominator) == Fraction(
                64, 45
            )
            assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
                9,
                9,
                16,
                1,
            )


@pytest.mark.parametrize("extension", ["mp4", "mkv", "mov"])
def test_rotation_is_kept(extension: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", decorate=lambda _, stream: stream.set_display_rotation(90))
    resize_video(video, tmp_path / f"b.{extension}")
    with av.open(str(video)) as a, av.open(str(tmp_path / f"b.{extension}")) as b:
        assert next(b.decode(video=0)).rotation == next(a.decode(video=0)).rotation != 0


def test_hdr_mastering_data_reach_x265(tmp_path: Path) -> None:
    params = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
    frame = frame_from(pixel_format="yuv420p10le", matrix=BT2020, primaries=9, transfer=16)
    options = {"x265-params": f"{params}:hdr10=1"}
    with open_sink(
        tmp_path / "a.mkv",
        info_of(frame),
        EncodeOptions(codec="libx265", encoder_options=options),
        context=Context(ignore),
    ) as sink:
        sink.write(frame)
    resize_video(tmp_path / "a.mkv", tmp_path / "b.mkv", codec="libx265", preset="superfast")
    data = []
    for name in ("a.mkv", "b.mkv"):
        with av.open(str(tmp_path / name)) as video:
            side = next(video.decode(video=0)).side_data
            data.append((bytes(side["MASTERING_DISPLAY_METADATA"]), bytes(side["CONTENT_LIGHT_LEVEL"])))
    assert data[0] == data[1]


def test_an_odd_size_is_refused_with_its_reason(tmp_path: Path) -> None:
    frame = frame_from((64, 48))
    with pytest.raises(OutputError, match=r"needs even sides; got 65x48"):
        open_sink(tmp_path / "a.mp4", info_of(frame, width=65), context=Context(ignore))
    assert left_in(tmp_path) == set()


def test_frames_of_another_size_and_layout_are_brought_to_the_first(tmp_path: Path) -> None:
    frame = frame_from((64, 48))
    with open_sink(tmp_path / "a.mkv", info_of(frame), EncodeOptions(codec="ffv1"), context=Context(ignore)) as sink:
        sink.write(frame)
        sink.write(frame_from((128, 96)).at(1))
        sink.write(frame_from((64, 48), pixel_format="yuv444p10le").at(2))
    back = frames_of(tmp_path / "a.mkv")
    assert [(f.width, f.height, f.bits) for f in back] == [(64, 48, 8)] * 3
    assert np.abs(back[2].planes[0].astype(int) - frame.planes[0]).mean() < 1


def test_nothing_is_left_when_the_block_fails(tmp_path: Path) -> None:
    frame = frame_from()
    with pytest.raises(KeyError), open_sink(tmp_path / "a.mp4", info_of(frame), context=Context(ignore)) as sink:
        sink.write(frame)
        assert len(left_in(tmp_path)) == 1 and not (tmp_path / "a.mp4").exists()
        raise KeyError
    assert left_in(tmp_path) == set()


def test_an_old_target_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    frame, target = frame_from(), tmp_path / "a.mkv"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with pytest.raises(TargetExists, match=r"a\.mkv exists already; pass --overwrite"):
        open_sink(target, info_of(frame), context=Context(ignore))
    with (
        pytest.raises(KeyError),
        open_sink(target, info_of(frame), EncodeOptions(overwrite=True), context=Context(ignore)) as sink,
    ):
        sink.write(frame)
        raise KeyError
    assert target.read_bytes() == b"old"
    with open_sink(target, info_of(frame), EncodeOptions(overwrite=True), context=Context(ignore)) as sink:
        sink.write(frame)
    assert len(frames_of(target)) == 1 and target.stat().st_mode & 0o777 == 0o640
    assert left_in(tmp_path) == {"a.mkv"}


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    frame, target = frame_from(), tmp_path / "a.mkv"
    with pytest.raises(TargetExists), open_sink(target, info_of(frame), context=Context(ignore)) as sink:
        sink.write(frame)
        target.write_bytes(b"of someone else")
    assert target.read_bytes() == b"of someone else" and left_in(tmp_path) == {"a.mkv"}


def test_a_link_as_target_keeps_pointing(tmp_path: Path) -> None:
    frame = frame_from()
    (tmp_path / "link.mkv").symlink_to(tmp_path / "there.mkv")
    with open_sink(tmp_path / "link.mkv", info_of(frame), context=Context(ignore)) as sink:
        sink.write(frame)
    assert (tmp_path / "link.mkv").is_symlink() and len(frames_of(tmp_path / "there.mkv")) == 1


def test_the_input_under_any_name_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    before = video.read_bytes()
    (tmp_path / "soft.mp4").symlink_to(video)
    (tmp_path / "hard.mp4").hardlink_to(video)
    for name in ("a.mp4", "soft.mp4", "hard.mp4"):
        with pytest.raises(SameFile, match="is the input itself"):
            resize_video(video, tmp_path / name, overwrite=True)
    assert video.read_bytes() == before


def test_what_cannot_be_written_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    info = info_of(frame_from())
    (tmp_path / "folder.mkv").mkdir()
    (tmp_path / "file").touch()
    cases: dict[str, tuple[Path, dict[str, Any]]] = {
        "is a folder; name a file in it": (tmp_path / "folder.mkv", {}),
        "gone does not exist; create it first": (tmp_path / "gone" / "a.mkv", {}),
        "file is a file, not a folder": (tmp_path / "file" / "a.mkv", {}),
        r"ends in \.abc, an unknown output format": (tmp_path / "a.abc", {}),
        "has no extension": (tmp_path / "a", {}),
        "expected an output format such as mp4, .*; got 'abc'": (tmp_path / "a.mkv", {"format": "abc"}),
        "hls consists of several files": (tmp_path / "a.m3u8", {"format": "hls"}),
        "dash consists of several files": (tmp_path / "a.mpd", {"format": "dash"}),
        "expected an encoder such as libx264, .*; got 'abc'": (tmp_path / "a.mkv", {"codec": "abc"}),
        "expected a video encoder .*; got aac, which encodes audio": (
            tmp_path / "a.mkv",
            {"codec": "aac"},
        ),
        "mpegts cannot hold ffv1": (tmp_path / "a.ts", {"codec": "ffv1"}),
        "webm cannot hold libx265": (tmp_path / "a.webm", {"codec": "libx265"}),
        "expected a preset of libx264, one of ultrafast, .*; got 'abc'": (tmp_path / "a.mkv", {"preset": "abc"}),
        "libx264 has no option 'abc'": (tmp_path / "a.mkv", {"encoder_options": {"abc": "1"}}),
        "libx264 cannot encode 64x48 .*abc": (tmp_path / "a.mkv", {"encoder_options": {"tune": "abc"}}),
        "cannot encode rgb24 with libx264": (tmp_path / "a.mkv", {"encoder_options": {"pix_fmt": "rgb24"}}),
    }
    for sentence, (path, options) in cases.items():
        with pytest.raises(OutputError, match=sentence):
            open_sink(path, info, EncodeOptions(**options), context=Context(ignore))
    assert left_in(tmp_path) == {"folder.mkv", "file"}


def test_the_user_may_choose_the_pixel_format(tmp_path: Path) -> None:
    frame = frame_from(pixel_format="yuv444p10le")
    options = {"pix_fmt": "yuv420p"}
    notices: list[Notice] = []
    with open_sink(
        tmp_path / "a.mp4", info_of(frame), EncodeOptions(encoder_options=options), context=Context(notices.append)
    ) as sink:
        sink.write(frame)
    assert frames_of(tmp_path / "a.mp4")[0].color.subsampling == (1, 1)
    assert [notice.codes for notice in notices] == [(Code.PIXEL_FORMAT,)]


@pytest.mark.parametrize("extension", ["mkv", "mp4", "nut", "ts"])
@pytest.mark.parametrize("room", [0, 3000, 60_000, 127_000])
def test_a_disk_that_fills_up_leaves_nothing(
    extension: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [frame_from((160, 120), index=index, pts=index) for index in range(24)]
    written = 0
    write = SeekableWriter.write

    def fill(self: SeekableWriter, data: bytes) -> int:
        nonlocal written
        written += len(data)
        if written > room:
            self.failure = OSError(errno.ENOSPC, "No space left on device")
            raise self.failure
        return write(self, data)

    monkeypatch.setattr(SeekableWriter, "write", fill)
    with (
        pytest.raises(DiskFull, match="its disk is full"),
        open_sink(
            tmp_path / f"a.{extension}", info_of(frames[0]), EncodeOptions(crf=1), context=Context(ignore)
        ) as sink,
    ):
        for frame in frames:
            sink.write(frame)
    assert left_in(tmp_path) == set()


def test_a_video_without_frames_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="the input has no frames"),
        open_sink(tmp_path / "a.mkv", info_of(frame_from()), context=Context(ignore)),
    ):
        pass
    assert left_in(tmp_path) == set()


def test_a_file_object_takes_a_video() -> None:
    frame = frame_from()
    file = io.BytesIO()
    with open_sink(file, info_of(frame), EncodeOptions(format="mp4"), context=Context(ignore)) as sink:
        sink.write(frame)
    with av.open(io.BytesIO(file.getvalue())) as out:
        assert len(list(out.decode(video=0))) == 1


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_live_encoders_let_each_frame_out_at_once(codec: str) -> None:
    class Growing:
        total = 0

        def write(self, data: bytes) -> int:
            self.total += len(data)
            return len(data)

    frames = [frame_from((128, 96), index=index, pts=index) for index in range(16)]
    file, sizes = Growing(), []
    with open_sink(
        file,
        info_of(frames[0]),
        EncodeOptions(format="nut", codec=codec, preset="ultrafast", live=True),
        context=Context(ignore),
    ) as sink:
        for frame in frames:
            sink.write(frame)
            sizes.append(file.total)
    late = 1 if codec == "libsvtav1" else 0  # it works in threads of its own, and hands a frame out with the next
    assert all(b > a for a, b in zip(sizes[late:], sizes[late + 1 :], strict=False))


def test_a_still_goes_into_every_kind_of_image(tmp_path: Path) -> None:
    rgb = drawing(40, 30)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    for kind in ("png", "jpg", "webp", "bmp", "tif"):
        resize_video(tmp_path / "a.png", tmp_path / f"b.{kind}", factor=1)
        back = np.asarray(Image.open(tmp_path / f"b.{kind}").convert("RGB"))
        error = np.abs(back.astype(int) - rgb)
        assert back.shape == rgb.shape and (error.max() <= 1 if kind in ("png", "bmp", "tif") else error.mean() < 6)
    assert len(left_in(tmp_path)) == 6


def test_gray_and_subsampled_stills_keep_their_look(tmp_path: Path) -> None:
    Image.fromarray(drawing(40, 30)[..., 0]).save(tmp_path / "a.png")
    resize_video(tmp_path / "a.png", tmp_path / "b.png", factor=1)
    with Image.open(tmp_path / "b.png") as image:
        assert image.mode == "L"
    Image.fromarray(drawing(64, 48)).save(tmp_path / "c.jpg", quality=95)  # 4:2:0
    resize_video(tmp_path / "c.jpg", tmp_path / "d.png", factor=1)
    a, b = (np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int) for name in ("c.jpg", "d.png"))
    assert np.abs(a - b).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_picture_is_written_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(drawing(40, 24)).save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    resize_video(tmp_path / "a.jpg", tmp_path / "b.png", factor=1)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")).convert("RGB")).astype(int)
    got = np.asarray(Image.open(tmp_path / "b.png").convert("RGB")).astype(int)
    assert got.shape == expected.shape and np.abs(got - expected).mean() < 3


def test_a_video_into_an_image_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    with pytest.raises(OutputError, match="can hold one image, and the input is a video"):
        resize_video(video, tmp_path / "b.png")
    assert left_in(tmp_path) == {"a.mp4"}


def test_times_in_other_ticks_are_converted(tmp_path: Path) -> None:
    frame = frame_from()
    info = info_of(frame, time_base=Fraction(1, 1000))
    with open_sink(tmp_path / "a.mkv", info, context=Context(ignore)) as sink:
        for index in range(3):
            sink.write(replace(frame, pts=index * 3, time_base=Fraction(1, 50), duration_ticks=3))
    assert facts_of(tmp_path / "a.mkv").times == [0, Fraction(60, 1000), Fraction(120, 1000)]


@pytest.fixture(autouse=True)
def _untagged_is_never_written(tmp_path: Path) -> Iterator[None]:
    yield
    for path in tmp_path.glob("b.m*") if "codec" not in tmp_path.name and "mp4_keeps" not in tmp_path.name else ():
        if path.suffix in (".mkv", ".mp4", ".mov"):
            with av.open(f"file:{path}") as video:
                assert video.streams.video[0].codec_context.colorspace in (BT709, 5, 6, BT2020, 0)


@pytest.mark.parametrize("extension", ["mkv", "mp4"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_videos_shorter_than_x265s_b_frames_are_written(count: int, extension: str, tmp_path: Path) -> None:
    frame = frame_from()
    with open_sink(
        tmp_path / f"a.{extension}", info_of(frame), EncodeOptions(codec="libx265"), context=Context(ignore)
    ) as sink:
        for index in range(count):
            sink.write(frame.at(index, 1))
    assert facts_of(tmp_path / f"a.{extension}").times == [Fraction(i, 25) for i in range(count)]


@pytest.mark.parametrize("container", ["mkv", "nut"])
def test_a_file_of_a_live_stream_states_its_duration(container: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.ts", pts=range(25), sound="aac")
    resize_video(video, tmp_path / f"b.{container}", live=True)
    with av.open(str(tmp_path / f"b.{container}")) as written:
        assert sum(packet.size > 0 for packet in written.demux(audio=0)) > 40
        assert abs((written.duration or 0) / 1e6 - 1) < 0.2
