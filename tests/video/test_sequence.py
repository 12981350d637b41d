"""Pictures that make a video, in and out."""

import errno
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.video.videos import codes_of, drawing, facts_of, frames_of, make_video, messages_of, resize_video
from vidsr.context import Code, Context, Notice, ignore
from vidsr.errors import (
    Damaged,
    DiskFull,
    InputError,
    NotAVideo,
    OutputError,
    SameFile,
    StreamBroken,
    TargetExists,
    WrongOption,
)
from vidsr.frames import Frame
from vidsr.options import EncodeOptions, ReadOptions
from vidsr.video.read.source import open_source
from vidsr.video.sequence import Pattern, pattern_of, sequence_of
from vidsr.video.write.sink import open_sink

TIMES = [Code.START, Code.PTS, Code.DURATION, Code.DRIFT]
COLORS = [
    Code.PIXEL_FORMAT, Code.RANGE, Code.MATRIX, Code.CHROMA_LOCATION, Code.PRIMARIES, Code.TRANSFER, Code.MASTERING,
    Code.DYNAMIC_HDR, Code.ROTATION,
]  # fmt: skip
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pictures(folder: Path, numbers: Any, *, name: str = "%05d.png", size: tuple[int, int] = (32, 24)) -> Path:
    """Numbered pictures; the pattern of their names."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.fromarray(drawing(*size, number)).save(folder / (name % number))
    return folder / name


def times_and_notices(name: Path, **options: Any) -> tuple[list[Fraction], list[Notice]]:
    notices: list[Notice] = []
    with open_source(name, ReadOptions(**options), context=Context(notices.append)) as video:
        frames = [item for item in video if isinstance(item, Frame)]
        return [frame.pts * frame.time_base for frame in frames], notices


def test_numbered_pictures_are_a_video_at_the_rate_given(tmp_path: Path) -> None:
    name = pictures(tmp_path, range(1, 6))
    with open_source(name, ReadOptions(fps=Fraction(30000, 1001))) as video:
        assert not video.info.still
        assert (video.info.rate, video.info.frames, video.info.time_base) == (
            Fraction(30000, 1001), 5, Fraction(1001, 30000)
        )  # fmt: skip
        assert video.info.duration == 5 * Fraction(1001, 30000)
        frames = [item for item in video if isinstance(item, Frame)]
    assert [frame.pts for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.duration_ticks for frame in frames] == [1] * 5
    for number, frame in enumerate(frames, 1):
        assert np.abs(np.rint(frame.to_rgb() * 255) - drawing(32, 24, number)).max() <= 1


def test_without_a_rate_there_are_25_a_second(tmp_path: Path) -> None:
    times, _ = times_and_notices(pictures(tmp_path, range(3)))
    assert times == [0, Fraction(1, 25), Fraction(2, 25)]


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp", "bmp"])
def test_a_sequence_may_be_of_any_kind_and_begin_anywhere(kind: str, tmp_path: Path) -> None:
    name = pictures(tmp_path, range(1001, 1004), name=f"shot [1] %04d.{kind}")
    assert len(times_and_notices(name)[0]) == 3


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    name = pictures(tmp_path, [9, 10, 100], name="a%d.png")
    (tmp_path / "a007.png").touch()  # not how %d writes 7
    (tmp_path / "ab.png").touch()
    found = sequence_of(name)
    assert found is not None and list(found.files) == [9, 10, 100]


def test_a_missing_picture_leaves_a_gap_and_a_sentence(tmp_path: Path) -> None:
    name = pictures(tmp_path, [1, 2, 5])
    times, notices = times_and_notices(name, fps=Fraction(10))
    assert times == [0, Fraction(1, 10), Fraction(4, 10)]
    assert [f"{name}: 2 " in message and "00003.png" in message for message in messages_of(notices)] == [True]
    resize_video(name, tmp_path / "b.mkv")
    assert facts_of(tmp_path / "b.mkv").times == [0, Fraction(4, 100), Fraction(16, 100)]


def test_no_picture_at_all_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(StreamBroken, match=r"%05d\.png: no such image, for example 00001\.png; check folder"):
        open_source(tmp_path / "none" / "%05d.png")


@pytest.mark.parametrize("name", ["o%d.mp4", "%d of %d.png", "100%.png", "%s.png", "http://host/%d.png", "-", "a.png"])
def test_other_names_are_one_file(name: str) -> None:
    assert pattern_of(name) is None


def test_a_video_whose_name_looks_like_a_pattern_is_a_video(tmp_path: Path) -> None:
    assert len(frames_of(make_video(tmp_path / "o%d.mp4"))) == 12
    Image.fromarray(drawing(16, 16)).save(tmp_path / "a%d.png")
    with open_source(tmp_path / "a%d.png") as still:
        assert still.info.still


@given(st.text("ab%0123 [].", max_size=6), st.integers(0, 7), st.text("ab123 [].", max_size=4), st.integers(0, 10**6))
def test_a_pattern_finds_the_files_it_names(before: str, digits: int, after: str, number: int) -> None:
    pattern = Pattern(Path("folder"), before, digits, f"{after}.png")
    name = pattern.file(number).name
    assert name.startswith(before) and name.endswith(f"{after}.png")
    assert int(name[len(before) : -len(after) - 4]) == number


def test_a_folder_is_a_video_of_its_pictures_in_natural_order(tmp_path: Path) -> None:
    pictures(tmp_path, [1, 2, 10], name="a %d.png")
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "notes.txt").touch()
    found = sequence_of(tmp_path)
    assert found is not None
    assert [(number, file.name) for number, file in found.files.items()] == [
        (1, "a 1.png"), (2, "a 2.png"), (3, "a 10.png")
    ]  # fmt: skip
    assert len(times_and_notices(tmp_path)[0]) == 3


def test_a_folder_of_nothing_or_of_several_kinds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamBroken, match="is a folder without images; name a file in it"):
        open_source(tmp_path)
    pictures(tmp_path, [1], name="%d.png")
    pictures(tmp_path, [2], name="%d.jpg")
    with pytest.raises(InputError, match=r"several kinds of images \(\.jpg, \.png\); expected one"):
        open_source(tmp_path)


def test_a_piece_of_a_sequence_is_cut_out(tmp_path: Path) -> None:
    name = pictures(tmp_path, range(10))
    times, _ = times_and_notices(name, fps=Fraction(10), start=Fraction(1, 2), duration=Fraction(3, 10))
    assert times == [0, Fraction(1, 10), Fraction(2, 10)]


def test_a_picture_that_cannot_be_read_is_counted_and_leaves_a_gap(tmp_path: Path) -> None:
    name = pictures(tmp_path, range(1, 5))
    (tmp_path / "00003.png").write_bytes(b"no picture")
    with open_source(name, ReadOptions(fps=Fraction(10))) as video:
        assert [item.pts for item in video if isinstance(item, Frame)] == [0, 1, 3]
        assert video.damage
    (tmp_path / "00001.png").write_bytes(b"")
    with pytest.raises(NotAVideo, match=r"00001\.png"):
        open_source(name)


def test_a_picture_of_another_size_is_brought_to_the_first_ones(tmp_path: Path) -> None:
    name = pictures(tmp_path, [1, 2])
    pictures(tmp_path, [3], size=(40, 40))
    resize_video(name, tmp_path / "b.mkv")
    assert [(frame.width, frame.height) for frame in frames_of(tmp_path / "b.mkv")] == [(64, 48)] * 3


def test_sixteen_bits_are_read_as_ten_with_a_sentence(tmp_path: Path) -> None:
    for number in (1, 2):
        Image.fromarray(drawing(32, 24, number)[..., 0].astype(np.uint16) * 257).save(tmp_path / f"{number}.png")
    notices: list[Notice] = []
    with open_source(tmp_path / "%d.png", context=Context(notices.append)) as video:
        assert video.info.bits == 10 and codes_of(notices) == [Code.PIXEL_FORMAT]


def test_a_raw_stream_takes_a_rate_and_a_video_does_not(tmp_path: Path) -> None:
    raw = make_video(tmp_path / "a.h264", b_frames=2)
    times, _ = times_and_notices(raw, fps=Fraction(24000, 1001))
    assert times == [index * Fraction(1001, 24000) for index in range(12)]
    video = make_video(tmp_path / "a.mkv")
    with pytest.raises(WrongOption, match=r"a\.mkv has time stamps"):
        open_source(video, ReadOptions(fps=Fraction(24)))
    for rate in (Fraction(0), Fraction(1, 3601), Fraction(1001)):
        with pytest.raises(WrongOption, match="from 1/3600 to 1000 frames a second"):
            open_source(raw, ReadOptions(fps=rate))


@pytest.mark.parametrize("rate", [Fraction(1, 3600), Fraction(1000), Fraction(23.976).limit_denominator(1_000_000)])
def test_any_rate_goes_into_every_container(rate: Fraction, tmp_path: Path) -> None:
    name = pictures(tmp_path, [1, 2])
    with open_source(name, ReadOptions(fps=rate)) as video:
        for target in ("mp4", "mkv", "webm", "ts", "avi"):
            with open_sink(
                tmp_path / f"b.{target}",
                video.info,
                EncodeOptions(preset="ultrafast"),
                copy=video.copy_info(),
                context=Context(ignore),
            ) as sink:
                sink.write(video.first)
                sink.write(video.first.at(1))
            # two frames of MPEG-TS are too short for FFmpeg to know it by its look
            with av.open(str(tmp_path / f"b.{target}"), format={"ts": "mpegts"}.get(target)) as written:
                assert sum(packet.size > 0 for packet in written.demux(video=0)) == 2


def test_a_picture_keeps_no_file_open(tmp_path: Path) -> None:
    opened = Path("/proc/self/fd")
    if not opened.is_dir():
        pytest.skip("this system does not list a process's open files")
    name = pictures(tmp_path, range(30), size=(8, 8))
    with open_source(name) as video:
        before = len(list(opened.iterdir()))
        assert all(len(list(opened.iterdir())) <= before + 1 for _ in video)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_video_becomes_numbered_pictures(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pts=range(3), size=(32, 24))
    assert codes_of(resize_video(video, tmp_path / "out" / "f%03d.png")) == [*TIMES, *COLORS]
    assert names(tmp_path / "out") == ["f001.png", "f002.png", "f003.png"]
    assert names(tmp_path) == ["a.mkv", "out"]
    for number, frame in enumerate(frames_of(video), 1):
        with Image.open(tmp_path / "out" / f"f{number:03d}.png") as image:
            assert image.size == (64, 48)
            small = np.asarray(image.resize((32, 24), Image.Resampling.BOX)).astype(int)
        assert np.abs(small - frame.to_rgb() * 255).mean() < 12


@pytest.mark.parametrize("kind", ["jpg", "tif", "webp", "bmp"])
def test_pictures_of_every_kind_are_written(kind: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pts=range(2))
    resize_video(video, tmp_path / f"%d.{kind}")
    assert names(tmp_path) == [f"1.{kind}", f"2.{kind}", "a.mkv"]


def test_a_missing_picture_is_an_error_where_strict(tmp_path: Path) -> None:
    name = pictures(tmp_path, [1, 3])
    with pytest.raises(Damaged, match=r"an image is missing, 00002\.png; .* without --strict"):
        open_source(name, ReadOptions(strict=True))


def test_numbered_pictures_keep_their_numbers_gaps_and_what_they_say(tmp_path: Path) -> None:
    name = pictures(tmp_path / "in", [1001, 1002, 1004], name="%d.jpg")
    tagged = Image.Exif()
    tagged.update({0x010F: "Maker", 0x0112: 6})
    Image.fromarray(drawing(32, 24)).save(tmp_path / "in" / "1002.jpg", exif=tagged.tobytes(), icc_profile=PROFILE)
    notices = resize_video(name, tmp_path / "out" / "%06d.png")
    assert len(notices) == 1 and "1003.jpg" in notices[0].message
    assert names(tmp_path / "out") == ["001001.png", "001002.png", "001004.png"]
    with Image.open(tmp_path / "out" / "001002.png") as turned, Image.open(tmp_path / "out" / "001001.png") as plain:
        assert (turned.size, turned.info["icc_profile"], turned.getexif()[0x010F]) == ((48, 64), PROFILE, "Maker")
        assert (plain.size, "icc_profile" in plain.info) == ((64, 48), False)
    resize_video(name, tmp_path / "part" / "%d.png", start=Fraction(1, 25))
    assert names(tmp_path / "part") == ["1002.png", "1004.png"]


def test_pictures_of_several_sizes_stay_of_several_sizes(tmp_path: Path) -> None:
    name = pictures(tmp_path / "in", [1, 2])
    pictures(tmp_path / "in", [3], size=(10, 40))
    resize_video(name, tmp_path / "out" / "%d.png")
    with Image.open(tmp_path / "out" / "3.png") as image:
        assert image.size == (20, 80)


def test_what_image_files_cannot_hold_is_warned_of(tmp_path: Path) -> None:
    video = make_video(
        tmp_path / "a.mkv", sound="aac", pts=[0, 1, 5], decorate=lambda out, _: out.metadata.update({"title": "A"})
    )
    notices = resize_video(video, tmp_path / "out" / "%d.png")
    assert codes_of(notices) == [Code.STREAM, Code.TAGS, *TIMES, *COLORS]
    assert notices[0].streams == (1,)


def test_aspect_and_wide_colours_that_image_files_lose_are_warned_of(tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(64, 45)
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9

    video = make_video(tmp_path / "a.mkv", pts=range(2), decorate=decorate)
    notices = resize_video(video, tmp_path / "out" / "%d.png")
    assert codes_of(notices) == [*TIMES, *COLORS, Code.ASPECT]
    assert b"cICP\x09\x10\0\1" in (tmp_path / "out" / "1.png").read_bytes()
    notices = resize_video(video, tmp_path / "out" / "%d.jpg")
    assert "PQ" in notices[-1].message and notices[-1].codes == (Code.TAGS,)


def test_the_loss_of_two_bits_in_image_files_is_warned_of(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuv420p10le", pts=range(2))
    assert codes_of(resize_video(video, tmp_path / "%d.jpg")) == [Code.PIXEL_FORMAT, *TIMES, *COLORS]
    assert codes_of(resize_video(video, tmp_path / "%d.png")) == [*TIMES, *COLORS]
    with av.open(str(tmp_path / "1.png")) as image:
        assert image.streams.video[0].codec_context.pix_fmt == "rgb48be"


def test_a_sequence_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    name = pictures(tmp_path / "in", range(1, 4))
    (tmp_path / "there").mkdir()
    for folder in ("new", "there"):
        with open_source(name) as video, pytest.raises(KeyboardInterrupt):  # noqa: SIM117
            with open_sink(
                tmp_path / folder / "%d.png", video.info, copy=video.copy_info(), context=Context(ignore)
            ) as sink:
                for item in video:
                    sink.write(item)
                raise KeyboardInterrupt
    assert names(tmp_path) == ["in", "there"] and names(tmp_path / "there") == []


def test_a_full_disk_leaves_nothing_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = pictures(tmp_path / "in", range(1, 4))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull, match="its disk is full"):
        resize_video(name, tmp_path / "out" / "%d.png")
    assert names(tmp_path) == ["in"]


def test_a_sequence_is_not_overwritten_unless_asked_and_then_wholly(tmp_path: Path) -> None:
    name = pictures(tmp_path / "in", range(1, 3))
    pictures(tmp_path / "out", [2, 3, 4], name="%d.png")
    (tmp_path / "out" / "other.png").touch()
    with pytest.raises(TargetExists, match=r"2\.png exists already; pass --overwrite"):
        resize_video(name, tmp_path / "out" / "%d.png")
    assert names(tmp_path / "out") == ["2.png", "3.png", "4.png", "other.png"]
    resize_video(name, tmp_path / "out" / "%d.png", overwrite=True)
    assert names(tmp_path / "out") == ["1.png", "2.png", "other.png"]
    with Image.open(tmp_path / "out" / "2.png") as image:
        assert image.size == (64, 48)


def test_the_input_is_never_its_own_output(tmp_path: Path) -> None:
    name = pictures(tmp_path / "in", range(1, 3))
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for other in (name, tmp_path / "in" / "%05d.png", tmp_path / "link" / "%05d.png"):
        with pytest.raises(SameFile, match="is the input itself"):
            resize_video(name, other, overwrite=True)


def test_a_place_that_cannot_be_is_refused_before_the_first_picture(tmp_path: Path) -> None:
    name = pictures(tmp_path / "in", range(1, 3))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        resize_video(name, tmp_path / "file" / "%d.png")
    with pytest.raises(OutputError, match="does not exist; create it first"):
        resize_video(name, tmp_path / "no" / "where" / "%d.png")
    assert names(tmp_path) == ["file", "in"]


def test_a_still_whose_name_looks_like_a_pattern_is_written_as_one(tmp_path: Path) -> None:
    Image.fromarray(drawing(16, 16)).save(tmp_path / "a%d.png")
    resize_video(tmp_path / "a%d.png", tmp_path / "b%d.png")
    resize_video(make_video(tmp_path / "a%d.mp4", pts=range(2)), tmp_path / "o%d.mp4")
    assert names(tmp_path) == ["a%d.mp4", "a%d.png", "b%d.png", "o%d.mp4"]


def test_png_in_seven_passes_is_not_taken_for_fields(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)  # any mixing of lines would change it
    for number in (1, 2, 3):
        (tmp_path / f"{number}.png").write_bytes(adam7(rgb))
    notices: list[Notice] = []
    with open_source(str(tmp_path / "%d.png"), context=Context(notices.append)) as source:
        frames = list(source)
    assert all(isinstance(frame, Frame) and np.array_equal(frame.to_ndarray(), rgb) for frame in frames)
    assert Code.FIELDS not in codes_of(notices)


def adam7(rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """An interlaced PNG (ISO 15948, 8.2), which Pillow and FFmpeg read and do not write."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    smaller = [np.ascontiguousarray(rgb[y::down, x::across]) for x, y, across, down in passes]
    lines = b"".join(b"\0" + line.tobytes() for image in smaller for line in image)
    header = struct.pack(">IIBBBBB", rgb.shape[1], rgb.shape[0], 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
