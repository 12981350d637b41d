"""Every kind of harm is found, what was announced is excused, and nothing else is."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.verify.remuxed import CHAPTERS, chapter, remux, rich
from tests.video.videos import frame_from, info_of, make_video, resize_video
from vidsr.color import BT709, SMPTE170M, ColorSpec
from vidsr.context import Code, Notice
from vidsr.errors import StreamBroken
from vidsr.frames import Frame
from vidsr.options import EncodeOptions
from vidsr.pipeline import upscale_video
from vidsr.verify import Verification, verify_video
from vidsr.verify.thumbnails import thumbnail
from vidsr.video.write.sink import open_sink

FILM, SOUND = 0, 1


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich(tmp_path_factory.mktemp("film") / "a.mkv", options={"avoid_negative_ts": "disabled"})


def names(found: Verification) -> list[str]:
    return [finding.name for finding in found.differences]


def lost(which: int, number: int) -> Callable[[Any, int], bool]:
    return lambda packet, index: (packet.stream.index, index) != (which, number)


def later(which: int, milliseconds: int, *, only: int | None = None) -> Callable[[Any, int], bool]:
    def move(packet: Any, index: int) -> bool:
        if packet.stream.index == which and only in (None, index):
            packet.pts += milliseconds  # Matroska's ticks
            packet.dts = packet.pts
        return True

    return move


def changed(which: int, number: int) -> Callable[[Any, int], bool]:
    def flip(packet: Any, index: int) -> bool:
        if (packet.stream.index, index) == (which, number):
            data = bytearray(bytes(packet))
            data[len(data) // 2] ^= 255
            packet.update(bytes(data))
        return True

    return flip


def test_a_copy_is_faithful(video: Path, tmp_path: Path) -> None:
    found = verify_video(video, remux(video, tmp_path / "b.mkv"))
    assert found.faithful and found.differences == ()
    assert {finding.state for finding in found.findings} == {"holds"}
    assert (found.source, found.target) == (str(video), str(tmp_path / "b.mkv"))


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ({"packets": lost(FILM, 23)}, ["frames", "pts", "duration"]),
        ({"packets": later(FILM, 2, only=5)}, ["pts"]),
        ({"packets": later(SOUND, 50)}, ["drift", "stream 1 times"]),
        ({"packets": later(SOUND, 2)}, ["drift", "stream 1 times"]),
        ({"packets": later(FILM, 40)}, ["start", "drift", "stream 1 times", "chapters"]),
        ({"packets": lost(SOUND, 17)}, ["stream 1 packets", "stream 1 payload"]),
        ({"packets": changed(SOUND, 9)}, ["stream 1 payload"]),
        ({"streams": lambda stream: stream.type == "video"}, ["stream 1"]),
        ({"describe": lambda out: out.set_chapters([CHAPTERS[0], chapter(480, 960, "Two")])}, ["chapters"]),
        ({"describe": lambda out: out.set_chapters([CHAPTERS[0], chapter(400, 960, "Zwei")])}, ["chapters"]),
        ({"describe": lambda out: out.set_chapters(CHAPTERS[:1])}, ["chapters"]),
        ({"describe": lambda out: out.metadata.clear()}, ["tags"]),
        ({"describe": lambda out: out.metadata.update(title="Another")}, ["tags"]),
        ({"describe": lambda out: out.streams[1].metadata.update(language="fra")}, ["stream 1 language"]),
        ({"describe": lambda out: setattr(out.streams[1], "disposition", 65)}, ["stream 1 disposition"]),
        ({"describe": lambda out: out.streams[0].set_display_rotation(90)}, ["rotation"]),
    ],
)
def test_harm_is_found(harm: dict[str, Any], found: list[str], video: Path, tmp_path: Path) -> None:
    assert sorted(names(verify_video(video, remux(video, tmp_path / "b.mkv", **harm)))) == sorted(found)


def test_a_frame_that_is_missing_in_the_middle_is_named(tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        stream.codec_context.gop_size = 1  # else the frames behind could not be decoded rightly

    video = make_video(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuv420p", decorate=decorate)
    found = verify_video(video, remux(video, tmp_path / "b.mkv", packets=lost(FILM, 5)))
    pts = next(finding for finding in found.findings if finding.name == "pts")
    assert names(found) == ["frames", "pts"]
    assert pts.target.startswith("1 missing")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("fullrange=on:colorprim=bt709:transfer=bt709:colormatrix=bt709", ["range"]),
        ("fullrange=off:colorprim=bt709:transfer=bt709:colormatrix=smpte170m", ["matrix"]),
        ("fullrange=off:colorprim=bt2020:transfer=bt709:colormatrix=bt709", ["primaries"]),
        ("fullrange=off:colorprim=bt709:transfer=smpte2084:colormatrix=bt709", ["transfer"]),
        ("fullrange=off:colorprim=bt709:transfer=bt709:colormatrix=bt709:chromaloc=2", ["chroma location"]),
    ],
)
def test_colour_that_is_told_otherwise_is_found(filters: str, found: list[str], tmp_path: Path) -> None:
    def made(name: str, params: str) -> Path:
        def decorate(_: Any, stream: Any) -> None:
            stream.codec_context.options = {"x264-params": params}

        return make_video(tmp_path / name, decorate=decorate)

    plain = made("a.mp4", "fullrange=off:colorprim=bt709:transfer=bt709:colormatrix=bt709")
    assert names(verify_video(plain, made("b.mp4", filters))) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([0, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10, 11], "frame 3 is in a wrong place"),
        ([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "frame 1 is in a wrong place"),
        ([0, 1, 2, 3, 90, 5, 6, 7, 8, 9, 10, 11], "frame 4 differs"),
    ],
)
def test_a_frame_with_the_picture_of_another_is_found(order: list[int], found: str, tmp_path: Path) -> None:
    def made(name: str, order: Iterable[int], size: tuple[int, int]) -> Path:
        with open_sink(tmp_path / name, info_of(frame_from(size)), EncodeOptions()) as sink:
            for pts, index in enumerate(order):
                sink.write(frame_from(size, index=index, pts=pts))
        return tmp_path / name

    video, harmed = made("a.mkv", range(12), (96, 64)), made("b.mkv", order, (96, 64))
    verified = verify_video(video, harmed)
    assert names(verified) == ["picture"]
    assert found in next(finding.target for finding in verified.differences)


@pytest.mark.parametrize("harm", ["matrix", "range"])
def test_colours_that_changed_under_the_same_tags_are_found(harm: str, tmp_path: Path) -> None:
    frames = [frame_from((64, 64), index=index, pts=index, matrix=BT709) for index in range(3)]
    for name in ("a.mkv", "b.mkv"):
        with open_sink(tmp_path / name, info_of(frames[0]), EncodeOptions()) as sink:
            for frame in frames:
                sink.write(frame)
        y, u, v = (plane.astype(np.float32) for plane in frames[0].planes)
        other = {"matrix": (y, (u - 128) * 1.3 + 128, (v - 128) * 1.3 + 128), "range": (y * 219 / 255 + 16, u, v)}[harm]
        frames = [replace(frame, planes=tuple(p.clip(0, 255).astype(np.uint8) for p in other)) for frame in frames]
    assert names(verify_video(tmp_path / "a.mkv", tmp_path / "b.mkv")) == ["picture"]


def test_a_picture_of_another_shape_is_found_and_another_size_is_not(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", size=(64, 48))
    resize_video(video, tmp_path / "b.mp4", factor=3)
    larger = verify_video(video, tmp_path / "b.mp4")
    assert larger.faithful
    assert larger.findings[0].target == "192x144, 3 times"
    assert names(verify_video(video, make_video(tmp_path / "c.mp4", size=(64, 64)))) == ["picture", "aspect"]


def test_fewer_bits_are_found_and_more_are_not(tmp_path: Path) -> None:
    layouts = ("yuv420p", "yuv420p10le")
    eight, ten = (make_video(tmp_path / f"{layout}.mkv", codec="ffv1", pixel_format=layout) for layout in layouts)
    assert names(verify_video(ten, eight)) == ["pixel format"]
    assert verify_video(eight, ten).faithful


def test_an_output_that_cannot_be_decoded_whole_is_found(video: Path, tmp_path: Path) -> None:
    def cut(packet: Any, index: int) -> bool:
        if (packet.stream.index, index) == (FILM, 5):
            packet.update(b"\xff" * packet.size)
        return True

    found = names(verify_video(video, remux(video, tmp_path / "b.mkv", packets=cut)))
    assert found == ["readable", "frames", "picture", "pts"]  # the frames behind build on it


def test_a_stream_that_the_input_has_not_is_found(video: Path, tmp_path: Path) -> None:
    bare = remux(video, tmp_path / "b.mkv", streams=lambda stream: stream.type == "video")
    assert names(verify_video(bare, video)) == ["new stream 1"]


def test_a_stream_is_found_again_wherever_it_stands(video: Path, tmp_path: Path) -> None:
    with av.open(str(video)) as inp, av.open(str(tmp_path / "b.mkv"), "w") as out:
        copies = {index: out.add_stream_from_template(inp.streams[index], opaque=True) for index in (1, 0)}
        for index, copy in copies.items():
            copy.metadata.update(inp.streams[index].metadata)
        out.set_chapters(inp.chapters())
        out.metadata.update(inp.metadata)
        for packet in inp.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    found = verify_video(video, tmp_path / "b.mkv")
    assert {finding.name: finding.target for finding in found.findings}["stream 1"] == "stream 0"
    assert not {name for name in names(found) if name.startswith("stream")}


def test_only_what_was_announced_is_excused(video: Path, tmp_path: Path) -> None:
    bare = remux(
        video,
        tmp_path / "b.mkv",
        streams=lambda stream: stream.type == "video",
        describe=lambda out: out.metadata.clear(),
    )
    sentence = "stream 1 (audio, aac, jpn) is left out"
    found = verify_video(
        video, bare, notices=[Notice(sentence, (Code.STREAM,), (1,)), Notice("the tags are gone, too")]
    )
    assert names(found) == ["tags"] and not found.faithful
    (excused,) = (finding for finding in found.findings if finding.state == "announced")
    assert (excused.name, excused.announced) == ("stream 1", sentence)
    both = [Notice(sentence, (Code.STREAM,), (1,)), Notice("the tags are left out", (Code.TAGS,))]
    assert verify_video(video, bare, notices=both).faithful


def test_tags_that_a_warning_lists_excuse_no_others(video: Path, tmp_path: Path) -> None:
    bare = remux(video, tmp_path / "b.mkv", describe=lambda out: out.metadata.clear())
    for tags, found in ((("artist",), ["tags"]), (("TITLE", "artist"), []), ((), [])):
        notice = Notice("tags are left out", (Code.TAGS,), tags=tags)
        assert names(verify_video(video, bare, notices=[notice])) == found


def test_a_piece_is_held_against_that_piece(video: Path, tmp_path: Path) -> None:
    piece = {"start": Fraction(1, 5), "duration": Fraction(2, 5)}
    notices = resize_video(video, tmp_path / "b.mkv", **piece)
    assert verify_video(video, tmp_path / "b.mkv", notices=notices, **piece).faithful
    assert "frames" in names(verify_video(video, tmp_path / "b.mkv", notices=notices))


def test_a_file_that_is_not_there_is_said(video: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamBroken, match=r"b\.mkv is not there"):
        verify_video(video, tmp_path / "b.mkv")


def test_a_long_video_takes_eight_bytes_a_frame_and_a_packet(video: Path) -> None:
    from vidsr.verify.scan import read_inventory

    held = read_inventory(video)
    assert (held.times.itemsize, len(held.times), held.tracks[0].times.itemsize) == (8, 24, 8)
    assert len(held.tracks[0].times) == held.tracks[0].packets > 24


def test_a_warning_of_lost_exif_excuses_no_other_tag(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif, comment=b"A comment")
    notices = upscale_video(tmp_path / "a.jpg", tmp_path / "b.bmp", model="nearest").notices
    (lost,) = [notice for notice in notices if Code.TAGS in notice.codes]
    assert verify_video(tmp_path / "a.jpg", tmp_path / "b.bmp", notices=notices).faithful
    other = replace(lost, tags=("colour profile",))
    assert names(verify_video(tmp_path / "a.jpg", tmp_path / "b.bmp", notices=[other])) == ["tags"]


@pytest.mark.parametrize("location", ["left", "center", "topleft"])
def test_pictures_are_the_same_wherever_chroma_lies(location: Any) -> None:
    stripes = np.tile(128 + 60 * np.sin(np.arange(64) * 2 * np.pi / 10.5), (64, 1))  # not of the size of cells
    gray = np.full((64, 64), 120, np.uint8)
    whole = Frame((gray, stripes.astype(np.uint8), stripes.astype(np.uint8).T.copy()), color_of((0, 0), location), 8)
    small = []
    for plane in (stripes, stripes.T):
        for axis, on_luma in ((0, location == "topleft"), (1, location != "center")):
            taps = [(-1, 1), (0, 2), (1, 1)] if on_luma else [(0, 1), (1, 1)]
            count = plane.shape[axis] // 2
            places = [np.clip(2 * np.arange(count) + step, 0, plane.shape[axis] - 1) for step, _ in taps]
            parts = [weight * plane.take(place, axis) for place, (_, weight) in zip(places, taps, strict=True)]
            plane = sum(parts) / sum(weight for _, weight in taps)
        small.append(np.rint(plane).astype(np.uint8))
    frames = (whole, Frame((gray, *small), color_of((1, 1), location), 8))
    cells = [np.frombuffer(thumbnail(frame), np.float16).astype(np.float32) for frame in frames]
    assert np.abs(cells[0] - cells[1]).max() < 7 / 255


def color_of(subsampling: tuple[int, int], location: Any) -> ColorSpec:
    return ColorSpec(SMPTE170M, full_range=False, subsampling=subsampling, chroma_location=location)
