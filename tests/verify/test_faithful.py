"""What vidsr writes is faithful between any two containers, and where it is not, that was announced."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from tests.verify.remuxed import captioned, rich
from tests.video.read.test_source import with_cover
from tests.video.videos import codes_of, drawing, make_video, resize_video
from tests.video.write.copy.test_container_losses import decorated
from tests.video.write.copy.test_stream_copy import subtitled
from vidsr.context import Code
from vidsr.errors import InputError
from vidsr.frames import Frame
from vidsr.options import ReadOptions
from vidsr.pipeline import upscale_video
from vidsr.verify import verify_video
from vidsr.video.convert.side_data import side_data
from vidsr.video.read.source import open_source

CONTAINERS = ("mp4", "mkv", "mov", "ts", "nut")


@pytest.mark.parametrize("after", CONTAINERS)
@pytest.mark.parametrize("before", CONTAINERS)
def test_a_video_is_faithful_from_any_container_to_any_other(before: str, after: str, tmp_path: Path) -> None:
    video = rich(tmp_path / f"a.{before}", time_base=Fraction(1, 1000), pts=[0, 40, 100, 133, 500, 520, 960], last=40)
    notices = resize_video(video, tmp_path / f"b.{after}", preset="ultrafast")
    found = verify_video(video, tmp_path / f"b.{after}", notices=notices)
    assert found.differences == ()
    announced = {finding.name for finding in found.findings if finding.state == "announced"}
    assert announced <= {"chapters", "tags"} and (not announced or after == "ts")


@pytest.mark.parametrize("after", [*CONTAINERS, "webm", "flv", "avi", "y4m"])
@pytest.mark.parametrize("make", [subtitled, with_cover, decorated])
def test_what_a_container_cannot_hold_is_announced(make, after: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    video = make(tmp_path)
    notices = resize_video(video, tmp_path / f"b.{after}", preset="ultrafast")
    assert verify_video(video, tmp_path / f"b.{after}", notices=notices).differences == ()


@pytest.mark.parametrize(
    ("sound", "before", "after"),
    [
        ("pcm_s16le", "mkv", "mp4"), ("pcm_s16le", "mov", "mkv"), ("eac3", "mp4", "nut"), ("mp2", "ts", "mp4"),
        ("libopus", "mkv", "ts"), ("libopus", "ts", "mp4"), ("aac", "ts", "flv"), ("flac", "mkv", "ts"),
        ("alac", "mov", "mkv"), ("ac3", "ts", "mkv"), ("libmp3lame", "avi", "mp4"),
    ],
)  # fmt: skip
def test_sound_is_the_same_whatever_wraps_it(sound: str, before: str, after: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / f"a.{before}", sound=sound, pts=range(50))
    notices = resize_video(video, tmp_path / f"b.{after}", preset="ultrafast")
    found = verify_video(video, tmp_path / f"b.{after}", notices=notices)
    assert found.differences == ()
    payload = [finding.state for finding in found.findings if finding.name == "stream 1 payload"]
    assert payload == ([] if (sound, after) == ("flac", "ts") else ["holds"])


@pytest.mark.parametrize(
    ("codec", "after", "kept"),
    [
        ("libx264", "mp4", True), ("libx265", "mkv", True), ("mpeg2video", "ts", True), ("libx264", "y4m", False),
        ("libsvtav1", "mp4", False), ("libvpx-vp9", "webm", False), ("ffv1", "mkv", False), ("mjpeg", "mkv", False),
    ],
)  # fmt: skip
def test_closed_captions_go_along_or_are_announced(codec: str, after: str, kept: bool, tmp_path: Path) -> None:
    video = captioned(tmp_path / "a.ts")
    notices = resize_video(video, tmp_path / f"b.{after}", codec=codec, preset="ultrafast")
    found = verify_video(video, tmp_path / f"b.{after}", notices=notices)
    assert found.differences == ()
    (captions,) = (finding for finding in found.findings if finding.name == "captions")
    assert (captions.source[:12], captions.holds) == ("on 12 frames", kept)


@pytest.mark.parametrize("after", ["mkv", "webm", "flv", "ts", "mp4"])
def test_frames_too_close_together_to_be_told_apart_are_announced(after: str, tmp_path: Path) -> None:
    close = [*range(0, 10_000, 1000), 10_000, 10_001, 10_002, *range(11_000, 15_000, 1000)]
    video = make_video(tmp_path / "a.nut", codec="ffv1", pts=close, time_base=Fraction(1, 25_000), last=1000)
    codec = "libvpx-vp9" if after == "webm" else "libx264"
    notices = resize_video(video, tmp_path / f"b.{after}", codec=codec, preset="ultrafast")
    assert codes_of(notices) == ([] if after in ("ts", "mp4") else [Code.PTS, Code.DURATION])
    assert verify_video(video, tmp_path / f"b.{after}", notices=notices).differences == ()


def test_the_captions_of_an_interlaced_picture_go_with_its_first_field_alone(tmp_path: Path) -> None:
    def interlaced(_: Any, stream: Any) -> None:
        stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        stream.options = {"x264-params": "tff=1"}

    video = captioned(tmp_path / "a.ts", interlaced)
    with open_source(video, ReadOptions(deinterlace="fields")) as source:
        frames = [item for item in source if isinstance(item, Frame)]
    assert len(frames) == 24
    assert [side_data(frame.av_frame, "A53_CC") is not None for frame in frames] == [True, False] * 12


@pytest.mark.parametrize("chroma_location", ["left", "center", "topleft"])
@pytest.mark.parametrize(
    ("codec", "after"), [("libx264", "mp4"), ("libsvtav1", "mkv"), ("mjpeg", "mkv"), ("mpeg4", "mp4")]
)
def test_chroma_sits_where_it_sat_or_that_is_announced(
    chroma_location: str, codec: str, after: str, tmp_path: Path
) -> None:
    place = {"left": 0, "center": 1, "topleft": 2}[chroma_location]

    def decorate(_: Any, stream: Any) -> None:
        stream.codec_context.options = {"x264-params": f"chromaloc={place}"}

    video = make_video(tmp_path / "a.mp4", decorate=decorate)
    notices = resize_video(video, tmp_path / f"b.{after}", codec=codec, preset="ultrafast")
    assert verify_video(video, tmp_path / f"b.{after}", notices=notices).differences == ()


def test_a_layout_that_was_asked_for_is_announced(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", pixel_format="yuv444p")
    notices = resize_video(video, tmp_path / "b.mkv", encoder_options={"pix_fmt": "yuv420p"})
    assert codes_of(notices) == [Code.PIXEL_FORMAT]
    assert verify_video(video, tmp_path / "b.mkv", notices=notices).faithful


def test_pixels_that_are_square_to_the_eye_are_not_worth_a_word(tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(427, 426)  # of 854x480, made half as large

    video = make_video(tmp_path / "a.mp4", pts=range(2), decorate=decorate)
    for name in ("b.y4m", "b.webm"):
        notices = resize_video(video, tmp_path / name)
        assert Code.ASPECT not in codes_of(notices)
        assert verify_video(video, tmp_path / name, notices=notices).faithful


@pytest.mark.parametrize("after", ["mp4", "mkv", "mov", "nut"])
@pytest.mark.parametrize("also", [{}, {"com.maker.lens": "50mm"}])  # which an mp4 holds, and a date with it, otherwise
def test_the_date_of_a_video_stays_without_a_word(also: dict[str, str], after: str, tmp_path: Path) -> None:
    def decorate(container: Any, _: Any) -> None:
        container.metadata.update({"creation_time": "2024-05-06T07:08:09Z"} | also)

    options = {"movflags": "use_metadata_tags"} if also else {}
    video = make_video(tmp_path / "a.mp4", sound="aac", pts=range(3), decorate=decorate, options=options)
    assert resize_video(video, tmp_path / f"b.{after}") == []
    assert verify_video(video, tmp_path / f"b.{after}").differences == ()
    with av.open(str(tmp_path / f"b.{after}")) as written:
        assert written.metadata["creation_time"].startswith("2024-05-06T07:08:09")


@pytest.mark.parametrize("after", ["mkv", "mp4", "mov"])
def test_tags_are_the_same_however_a_container_spells_them(after: str, tmp_path: Path) -> None:
    tags = {"my key": "A", "comment-deu": "B", "title-eng": "C", "creation_time": "2024-05-06 07:08:09"}
    options = {"movflags": "use_metadata_tags"}
    video = make_video(
        tmp_path / "a.mp4", pts=range(3), decorate=lambda out, _: out.metadata.update(tags), options=options
    )
    assert resize_video(video, tmp_path / f"b.{after}") == []
    assert verify_video(video, tmp_path / f"b.{after}").differences == ()


@pytest.mark.parametrize("after", ["mkv", "mp4", "mov", "ts"])
def test_dv_is_faithful(after: str, tmp_path: Path) -> None:
    def decorate(out: Any, _: Any) -> None:
        out.metadata["timecode"] = "01:02:03:04"  # of which an mp4 makes a track

    video = make_video(tmp_path / "a.dv", size=(720, 576), codec="dvvideo", pts=range(2), decorate=decorate)
    notices = resize_video(video, tmp_path / f"b.{after}", preset="ultrafast", factor=1)
    assert verify_video(video, tmp_path / f"b.{after}", notices=notices).differences == ()


@pytest.mark.parametrize("after", ["mkv", "mp4", "ts"])
def test_a_last_frame_of_less_than_a_tick_is_not_shown_for_longer(after: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=[0, 1000, 2000, 3000], time_base=Fraction(1, 25_000), last=10)
    notices = resize_video(video, tmp_path / f"b.{after}", preset="ultrafast")
    assert verify_video(video, tmp_path / f"b.{after}", notices=notices).differences == ()


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_light_levels_of_0_are_unknown(codec: str, tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        stream.codec_context.options = {"x264-params": "cll=0,400"}

    video = make_video(tmp_path / "a.mp4", pts=range(2), decorate=decorate)
    notices = resize_video(video, tmp_path / "b.mkv", codec=codec, preset="ultrafast" if codec != "libsvtav1" else "12")
    assert verify_video(video, tmp_path / "b.mkv", notices=notices).differences == ()


def test_reserved_primaries_state_nothing(tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        stream.codec_context.color_primaries = stream.codec_context.color_trc = 0

    video = make_video(tmp_path / "a.nut", codec="ffv1", pts=range(2), decorate=decorate)
    notices = resize_video(video, tmp_path / "b.mkv", codec="libx265", preset="ultrafast")
    assert verify_video(video, tmp_path / "b.mkv", notices=notices).differences == ()


def test_the_comment_of_a_gif_is_announced_by_an_image(tmp_path: Path) -> None:
    Image.fromarray(drawing(40, 30)).save(tmp_path / "a.gif", comment=b"Latin \xe9")
    summary = upscale_video(tmp_path / "a.gif", tmp_path / "b.png", model="nearest")
    assert verify_video(tmp_path / "a.gif", tmp_path / "b.png", notices=summary.notices).differences == ()


@pytest.mark.parametrize(("sound", "after"), [("flac", "ts"), ("libopus", "mov")])
def test_the_second_sound_may_be_chosen_where_the_first_is_left_out(sound: str, after: str, tmp_path: Path) -> None:
    parts = [make_video(tmp_path / f"{name}.mkv", sound=name, pts=range(12)) for name in (sound, "aac")]
    with (
        av.open(str(parts[0])) as first,
        av.open(str(parts[1])) as second,
        av.open(str(tmp_path / "a.mkv"), "w") as out,
    ):
        given = (first.streams[0], first.streams[1], second.streams[1])
        copies = {stream: out.add_stream_from_template(stream, opaque=True) for stream in given}
        copies[given[1]].disposition, copies[given[2]].disposition = 1, 0
        for packet in [*first.demux(), *second.demux(given[2])]:
            if packet.size:
                packet.stream = copies[packet.stream]
                out.mux(packet)
    notices = resize_video(tmp_path / "a.mkv", tmp_path / f"b.{after}", preset="ultrafast")
    assert Code.STREAM in codes_of(notices)
    assert verify_video(tmp_path / "a.mkv", tmp_path / f"b.{after}", notices=notices).differences == ()


def test_a_cover_loses_no_more_than_its_file_name(tmp_path: Path) -> None:
    resize_video(with_cover(tmp_path), tmp_path / "a.mkv")  # where it is a file
    resize_video(tmp_path / "a.mkv", tmp_path / "b.mp4")
    found = verify_video(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert found.differences == ()


@pytest.mark.parametrize("after", ["mkv", "mp4", "ts"])
def test_a_piece_is_faithful(after: str, tmp_path: Path) -> None:
    piece = {"start": Fraction(1, 5), "duration": Fraction(1, 5)}
    for make in (subtitled, with_cover):
        video = make(tmp_path)
        notices = resize_video(video, tmp_path / f"b.{after}", overwrite=True, **piece)
        assert verify_video(video, tmp_path / f"b.{after}", notices=notices, **piece).differences == ()


def test_a_packet_that_the_container_cannot_hold_is_announced(tmp_path: Path) -> None:
    def grow(packet: Any, index: int) -> bool:
        if packet.stream.type == "audio" and index == 9:
            large = av.Packet(bytes(packet) + bytes(20_000))
            large.pts, large.dts, large.time_base = packet.pts, packet.dts, packet.time_base
            large.stream = out[1]
            return bool(container.mux(large))
        return True

    video = make_video(tmp_path / "plain.mp4", sound="aac", pts=range(12))
    with av.open(str(video)) as inp, av.open(str(tmp_path / "a.mp4"), "w") as container:
        out = [container.add_stream_from_template(stream, opaque=True) for stream in inp.streams]
        counts = [0, 0]
        for packet in inp.demux():
            if packet.size:
                which = packet.stream.index
                counts[which] += 1
                if grow(packet, counts[which]):
                    packet.stream = out[which]
                    container.mux(packet)
    notices = resize_video(tmp_path / "a.mp4", tmp_path / "b.ts")
    assert codes_of(notices) == [Code.PACKETS, Code.PAYLOAD, Code.TIMES] and notices[0].streams == (1,)
    found = verify_video(tmp_path / "a.mp4", tmp_path / "b.ts", notices=notices)
    assert found.faithful
    assert "stream 1 packets" in {finding.name for finding in found.findings if finding.state == "announced"}


def test_a_second_video_is_the_same_in_any_wrapping(tmp_path: Path) -> None:
    small, large = make_video(tmp_path / "a.mp4", size=(32, 32)), make_video(tmp_path / "b.mp4", b_frames=2)
    both = tmp_path / "both.mkv"
    with av.open(str(small)) as first, av.open(str(large)) as second, av.open(str(both), "w") as out:
        copies = [out.add_stream_from_template(inp.streams[0], opaque=True) for inp in (second, first)]
        for inp, copy in zip((second, first), copies, strict=True):
            for packet in inp.demux():
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
    for after in ("ts", "mp4", "nut", "avi"):
        notices = resize_video(both, tmp_path / f"c.{after}", preset="ultrafast")
        found = verify_video(both, tmp_path / f"c.{after}", notices=notices)
        assert found.differences == () and "stream 1 payload" in [finding.name for finding in found.findings]


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tiff", "bmp", "mkv", "mp4"])
@pytest.mark.parametrize("turn", [1, 6])
def test_a_photo_keeps_what_it_says_or_that_is_announced(kind: str, turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = turn, "Maker"
    Image.fromarray(drawing(40, 30)).save(tmp_path / "a.jpg", exif=exif)
    summary = upscale_video(tmp_path / "a.jpg", tmp_path / f"b.{kind}", model="nearest")
    found = verify_video(tmp_path / "a.jpg", tmp_path / f"b.{kind}", notices=summary.notices)
    assert found.differences == ()
    assert "size" in [finding.name for finding in found.findings if ", 2 times" in finding.target]


@pytest.mark.parametrize("way", ["frames", "fields", "off"])
def test_deinterlacing_is_announced(way: str, tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        stream.codec_context.options = {"x264-params": "tff=1"}

    video = make_video(tmp_path / "a.mkv", decorate=decorate, sound="aac")
    summary = upscale_video(video, tmp_path / "b.mkv", model="nearest", preset="ultrafast", deinterlace=way)  # type: ignore[arg-type]
    found = verify_video(video, tmp_path / "b.mkv", notices=summary.notices)
    assert found.differences == ()
    announced = {finding.name for finding in found.findings if finding.state == "announced"}
    assert "fields" in announced and ("frames" in announced) == (way == "fields")


MEDIA = Path(os.environ["VIDSR_DATA"], "media") if "VIDSR_DATA" in os.environ else None
ODD = sorted(path for path in [*MEDIA.glob("*.*"), *MEDIA.glob("hls/list.m3u8")] if path.is_file()) if MEDIA else []


@pytest.mark.skipif(not ODD, reason="VIDSR_DATA names no folder with media/")
@pytest.mark.parametrize("after", ["mkv", "mp4"])
def test_odd_media_come_out_faithful_or_announced(after: str, tmp_path: Path) -> None:
    read = 0
    for video in ODD:
        target = tmp_path / f"{video.name}.{after}"
        try:
            summary = upscale_video(video, target, model="nearest", preset="ultrafast")
        except InputError:  # text, sound alone, an index that was cut off
            continue
        found = verify_video(video, target, notices=summary.notices)
        assert found.differences == (), video.name
        read += 1
    assert read > len(ODD) // 2
