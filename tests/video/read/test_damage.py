"""Damage: decoded on as ffmpeg does, with as many frames, counted and located."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from tests.video.damaged import (
    FORMATS,
    FRAMES,
    behead,
    cut_off,
    damages,
    flip_bits,
    lose_packets,
    make_hole,
    whole_video,
    without_key,
)
from tests.video.videos import make_video
from vidsr.errors import Damaged
from vidsr.frames import Carried, Frame
from vidsr.options import ReadOptions
from vidsr.video.read.damage import Damage, DamageLog, DecoderWatch
from vidsr.video.read.source import open_source
from vidsr.video.read.truncation import is_cut_off
from vidsr.video.timing import TimeRange

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg here to compare with")
FILMS = [(codec, extension) for codec, extensions in FORMATS.items() for extension in extensions]
TABLE = [
    pytest.param(codec, extension, damage, id=f"{codec}-{extension}-{damage.__name__}")
    for codec, extension in FILMS
    for damage in damages(extension)
]
# Where damage only changes what is drawn, which these decoders do not know.
UNSEEN = {("hevc", flip_bits), ("hevc", make_hole), ("vp9", flip_bits)}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """A whole video of every codec in every format."""
    folder = tmp_path_factory.mktemp("films")
    return {(codec, extension): whole_video(folder / f"{codec}.{extension}", codec) for codec, extension in FILMS}


def read(path: Path, **options: Any) -> tuple[list[Frame], Damage]:
    with open_source(path, ReadOptions(**options)) as source:
        return [item for item in source if isinstance(item, Frame)], source.damage


def ffmpegs_frames(path: Path) -> int:
    """How many frames ffmpeg decodes."""
    assert FFMPEG is not None
    version = subprocess.run([FFMPEG, "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    # From 7.1 on ffmpeg holds HEVC's pictures that refer to a lost one back unless it is asked for them.
    shown = ["-flags", "+output_corrupt"] if version.split(".")[0] >= "7" and "hevc" in path.name else []
    command = [FFMPEG, "-nostdin", "-v", "quiet", *shown, "-copyts", "-i", f"file:{path}", "-map", "0:v:0"]
    out = subprocess.run([*command, "-fps_mode", "passthrough", "-f", "framecrc", "-"], capture_output=True, timeout=60)
    return sum(not line.startswith(b"#") for line in out.stdout.splitlines())


@needs_ffmpeg
@pytest.mark.parametrize(("codec", "extension", "damage"), TABLE)
def test_a_damaged_video_has_as_many_frames_as_ffmpeg_decodes(
    codec: str, extension: str, damage: Callable[[bytes], bytes], videos: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    path = tmp_path / f"{codec}.{extension}"
    path.write_bytes(damage(videos[codec, extension].read_bytes()))
    frames, found = read(path)
    if codec == "hevc" and damage is behead:
        assert_of_this_version(path, len(frames))
    else:
        assert len(frames) == ffmpegs_frames(path)
    assert found or (codec, damage) in UNSEEN


@needs_ffmpeg
@pytest.mark.parametrize(("codec", "extension"), [video for video in FILMS if video[1] in ("mp4", "mkv")])
def test_a_video_that_begins_without_a_key_frame_has_as_many_frames_as_ffmpeg_decodes(
    codec: str, extension: str, videos: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    path = without_key(videos[codec, extension], tmp_path / f"{codec}.{extension}")
    frames, found = read(path)
    if codec == "hevc":
        assert_of_this_version(path, len(frames))
    else:
        assert len(frames) == ffmpegs_frames(path)
    assert found.first is not None and found.first < 0.1 and found.total


def assert_of_this_version(path: Path, count: int) -> None:
    """FFmpeg 5.1 drops what still waits in its HEVC decoder when the first key frame comes, later versions do not.

    So here a bare decoder in one thread is the measure.
    """
    assert 0 <= count - ffmpegs_frames(path) <= 2
    with av.open(str(path)) as video:
        context = video.streams.video[0].codec_context
        context.thread_type, context.options = "NONE", {"flags": "+output_corrupt"}
        assert count == len(list(video.decode(video=0)))


@needs_ffmpeg
@pytest.mark.skipif("VIDSR_DATA" not in os.environ, reason="VIDSR_DATA names no folder of test data")
@pytest.mark.parametrize("name", ["bitflips.ts", "packet_loss.ts", "trunc_half.mkv"])
def test_damaged_videos_of_others_have_as_many_frames_as_ffmpeg_decodes(name: str) -> None:
    path = Path(os.environ["VIDSR_DATA"]) / "media" / name
    frames, found = read(path)
    assert found and len(frames) == ffmpegs_frames(path)


@pytest.mark.parametrize("video", FILMS, ids="-".join)
def test_a_whole_video_is_not_called_damaged(video: tuple[str, str], videos: dict[tuple[str, str], Path]) -> None:
    frames, found = read(videos[video])
    assert len(frames) == FRAMES and not found and str(found) == ""


def test_damage_is_located(videos: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    data = bytearray(videos["mpeg2", "ts"].read_bytes())
    data[len(data) // 2 : len(data) // 2 + 188 * 3] = bytes(188 * 3)
    (tmp_path / "a.ts").write_bytes(data)
    _, found = read(tmp_path / "a.ts")
    assert found.corrupt_frames == 1 and found.first == found.last
    with open_source(videos["mpeg2", "ts"]) as whole, open_source(tmp_path / "a.ts") as holed:
        pairs = zip(whole, holed, strict=True)
        changed = [b.pts * b.time_base for a, b in pairs if isinstance(b, Frame) and differ(a, b)]
        start = whole.first.pts * whole.first.time_base
    assert found.first == pytest.approx(float(changed[0] - start))


def differ(a: Any, b: Any) -> bool:
    return any(not np.array_equal(one, other) for one, other in zip(a.planes, b.planes, strict=True))


def test_damage_outside_the_piece_that_is_wanted_does_not_count(
    videos: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(make_hole(videos["h264", "mp4"].read_bytes()))
    assert read(tmp_path / "a.mp4")[1]
    assert not read(tmp_path / "a.mp4", duration=Fraction(1, 5), strict=True)[1]


def test_strict_stops_at_the_first_damage_and_says_where(videos: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(lose_packets(videos["h264", "ts"].read_bytes()))
    sentence = r"a\.ts is damaged: 1 corrupt frame at 00:00:0\d; without --strict"
    with pytest.raises(Damaged, match=sentence):
        read(tmp_path / "a.ts", strict=True)
    assert len(read(videos["h264", "ts"], strict=True)[0]) == FRAMES


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_a_video_that_is_cut_off_says_where(
    extension: str, videos: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{extension}"
    path.write_bytes(cut_off(videos["h264", extension].read_bytes()))
    frames, found = read(path)
    assert found.breaks_off is not None and abs(found.breaks_off - len(frames) / 25) < 0.3
    with pytest.raises(Damaged, match=r"breaks off at 00:00:00|1 lost frame at 00:00:00|1 corrupt frame at 00:00:00"):
        read(path, strict=True)


@pytest.mark.parametrize(("inserted", "parts"), [(b"\xec\x4f\xa0" + bytes(4000), 0), (b"\x00" * 4003, 1)])
def test_bytes_between_the_packets_of_a_matroska_are_a_hole_unless_they_are_elements(
    inserted: bytes, parts: int, tmp_path: Path
) -> None:
    # In a live file, which does not say how long it is, before a cluster. 0xEC is an element of nothing.
    options = {"live": "1", "cluster_time_limit": "200"}
    data = make_video(tmp_path / "a.mkv", codec="ffv1", pts=range(20), options=options).read_bytes()
    clusters = [match.start() for match in re.finditer(b"\x1f\x43\xb6\x75", data)]
    (tmp_path / "b.mkv").write_bytes(data[: clusters[2]] + inserted + data[clusters[2] :])
    frames, found = read(tmp_path / "b.mkv")
    assert found == Damage(unreadable_parts=parts, first=found.first, last=found.last)
    assert len(frames) == 20


def test_a_matroska_that_is_cut_off_in_a_pipe_says_so_too(videos: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    with (tmp_path / "a.mkv").open("wb+") as file:
        file.write(cut_off(videos["h264", "mkv"].read_bytes()))
        file.seek(0)
        with open_source(file) as source:  # no name of ours to open again
            frames = sum(isinstance(item, Frame) for item in source)
            assert 0 < frames < FRAMES and source.damage.breaks_off


def test_a_packet_of_sound_that_is_cut_off_is_counted(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", sound="aac", pts=range(25), options={"movflags": "faststart"})
    with av.open(str(video)) as whole:
        packet = [packet for packet in whole.demux(audio=0) if packet.size][30]
        middle = (packet.pos or 0) + packet.size // 2
    (tmp_path / "b.mp4").write_bytes(video.read_bytes()[:middle])
    with open_source(tmp_path / "b.mp4") as source:
        assert sum(isinstance(item, Carried) for item in source) >= 31
        assert source.damage.corrupt_packets == 1 and source.damage.breaks_off


@pytest.mark.parametrize("codec", ["h264", "mpeg2"])
def test_two_recordings_joined_are_no_damage(codec: str, videos: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(videos[codec, "ts"].read_bytes() * 2)
    frames, found = read(tmp_path / "a.ts", strict=True)
    assert len(frames) == 2 * FRAMES and not found


def packet(pts: int, *, corrupt: bool = False, key: bool = False) -> Any:
    return SimpleNamespace(pts=pts, dts=pts, is_corrupt=corrupt, is_keyframe=key)


def picture(pts: int, *, corrupt: bool = False, key: bool = False) -> Any:
    return SimpleNamespace(pts=pts, is_corrupt=corrupt, key_frame=key)


def test_what_is_remembered_of_an_endless_damaged_stream_does_not_grow() -> None:
    log = DamageLog("a.ts", TimeRange(), strict=False)
    watch = DecoderWatch(lambda kind, pts, count: log.note(kind, Fraction(pts or 0, 25), count), flag_is_late=False)
    watch.sent(packet(0, key=True))
    for index in range(1, 5000):
        watch.sent(packet(index, corrupt=True))  # of which no picture ever comes
    assert len(watch._pending) <= 64
    watch.ended()
    assert log.damage == Damage(lost_frames=4999, first=1 / 25, last=4999 / 25)


def test_a_picture_counts_once_though_packet_and_decoder_both_call_it_damaged() -> None:
    log = DamageLog("a.mp4", TimeRange(), strict=False)
    watch = DecoderWatch(lambda kind, pts, count: log.note(kind, Fraction(pts or 0, 25), count), flag_is_late=False)
    watch.sent(packet(0, key=True))
    watch.decoded(picture(0, key=True))
    for index in range(1, 4):
        watch.sent(packet(index, corrupt=True))
        watch.decoded(picture(index, corrupt=index != 2))
    watch.ended()
    assert log.damage == Damage(corrupt_frames=3, first=1 / 25, last=3 / 25)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (Damage(), ""),
        (Damage(corrupt_frames=12, first=63.9, last=65), "12 corrupt frames between 00:01:03 and 00:01:05"),
        (Damage(lost_frames=1, first=3600, last=3600.5), "1 lost frame at 01:00:00"),
        (
            Damage(corrupt_frames=2, lost_frames=1, corrupt_packets=1, unreadable_parts=3, first=1, last=2),
            "2 corrupt frames, 1 lost frame, 1 corrupt packet of another stream and 3 unreadable parts "
            "between 00:00:01 and 00:00:02",
        ),
        (Damage(breaks_off=61.2), "it breaks off at 00:01:01"),
        (
            Damage(lost_frames=2, first=61, last=61, breaks_off=61),
            "2 lost frames at 00:01:01; it breaks off at 00:01:01",
        ),
    ],
)
def test_damage_is_one_sentence(damage: Damage, sentence: str) -> None:
    assert str(damage) == sentence and bool(damage) == bool(sentence)


def test_a_size_beyond_all_files_in_a_matroska_is_damage_and_no_crash(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv")
    content = bytearray(video.read_bytes())
    content[4:12] = b"\x01\xff\xff\xff\xff\xff\xff\xfe"  # of the EBML header
    video.write_bytes(content)
    with video.open("rb") as file:
        assert is_cut_off(file)


def test_a_video_that_is_removed_while_it_is_read_is_read_on(
    videos: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    holed = tmp_path / "a.mkv"
    holed.write_bytes(make_hole(videos["mpeg2", "mkv"].read_bytes()))
    with open_source(holed) as source:
        there = len(list(source))
    with open_source(holed) as source:
        holed.unlink()
        assert len(list(source)) == there
