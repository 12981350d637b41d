"""Streams beside the video: copied to the byte, or left out with a warning."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.read.test_source import with_cover
from tests.video.videos import ATTACHED, facts_of, make_video, messages_of, resize_video
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video.metadata import video_tags
from vidsr.video.write.copy.stream_copy import audio_config

CONVERTED = (Code.CODEC, Code.PACKETS, Code.PAYLOAD, Code.TIMES)


def packets_of(path: Path, kind: str) -> list[tuple[Any, ...]]:
    """Payload and times of the packets of the streams of one kind."""
    with av.open(str(path)) as video:
        streams = [s for s in video.streams if s.type == kind]
        return [
            (bytes(p), p.pts * Fraction(p.time_base.numerator, p.time_base.denominator))
            for p in video.demux(streams)
            if p.size
        ]


def subtitled(folder: Path) -> Path:
    """An mkv with SRT subtitles, a font, chapters, tags, languages and dispositions."""
    plain = make_video(folder / "plain.mkv", sound="aac", pts=range(50))
    target = folder / "rich.mkv"
    with av.open(str(plain)) as inp, av.open(str(target), "w") as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in inp.streams}
        text = out.add_mux_stream("subrip")
        text.metadata["language"] = "fra"
        text.disposition = av.stream.Disposition.forced
        copies[1].metadata.update({"language": "jpn", "title": "Director"})
        copies[1].disposition = av.stream.Disposition.comment
        out.add_attachment("font.ttf", "application/x-truetype-font", b"not really a font")
        chapters: Any = [
            {
                "id": i + 1,
                "start": i * 1000,
                "end": (i + 1) * 1000,
                "time_base": Fraction(1, 1000),
                "metadata": {"title": t},
            }
            for i, t in enumerate(("One", "Two"))
        ]
        out.set_chapters(chapters)
        out.metadata.update({"title": 'Ünï "quoted"', "comment": "kept", "MY_OWN": "tag"})
        said = av.Packet(b"Hello there")
        said.stream, said.pts, said.dts, said.duration, said.time_base = text, 400, 400, 900, Fraction(1, 1000)
        waiting = [said]
        for packet in inp.demux():
            if packet.size:
                if waiting and packet.dts is not None and packet.dts * packet.time_base >= 0.4:
                    out.mux(waiting.pop())
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target


def test_subtitles_attachments_languages_and_dispositions_are_kept_in_an_mkv(tmp_path: Path) -> None:
    video = subtitled(tmp_path)
    assert resize_video(video, tmp_path / "out.mkv") == []
    for kind in ("audio", "subtitle"):
        assert packets_of(tmp_path / "out.mkv", kind) == packets_of(video, kind)
    with av.open(str(video)) as a, av.open(str(tmp_path / "out.mkv")) as b:
        assert [s.type for s in b.streams] == [s.type for s in a.streams]
        assert [int(s.disposition) for s in b.streams] == [int(s.disposition) for s in a.streams]
        assert [video_tags(s.metadata) for s in b.streams] == [video_tags(s.metadata) for s in a.streams]
        assert b.streams.attachments[0].data == a.streams.attachments[0].data == b"not really a font"
        assert b.streams.attachments[0].metadata["filename"] == "font.ttf"
    after, before = facts_of(tmp_path / "out.mkv"), facts_of(video)
    assert after.chapters == before.chapters and after.tags == before.tags and len(after.tags) == 3


def test_what_an_mp4_cannot_hold_is_converted_or_left_out_with_a_sentence_each(tmp_path: Path) -> None:
    video = subtitled(tmp_path)
    notices = resize_video(video, tmp_path / "out.mp4")
    assert messages_of(notices) == [
        "stream 2 (subtitle, srt, fra) is converted to mov_text, without styles except bold, italics and underlines: "
        "mp4 cannot hold srt subtitle",
        "stream 3 (attachment, font.ttf) is left out: mp4 cannot hold attachments; .mkv can",
    ]
    assert [(notice.codes, notice.streams) for notice in notices] == [(CONVERTED, (2,)), ((Code.STREAM,), (3,))]
    after, before = facts_of(tmp_path / "out.mp4"), facts_of(video)
    assert after.sound == before.sound and after.chapters == before.chapters
    assert {key: after.tags.get(key) for key in before.tags} == before.tags
    assert after.languages == ["jpn"]


def test_plain_tags_go_into_an_mp4_where_every_player_looks(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", decorate=lambda out, _: out.metadata.update({"title": "A", "artist": "B"}))
    resize_video(video, tmp_path / "b.mp4")
    assert b"\xa9nam" in (tmp_path / "b.mp4").read_bytes(), "not in iTunes' list"


def test_mov_text_subtitles_are_copied_between_mp4s(tmp_path: Path) -> None:
    video = make_video(tmp_path / "plain.mp4", pts=range(50))
    with av.open(str(video)) as inp, av.open(str(tmp_path / "a.mp4"), "w") as out:
        copy = out.add_stream_from_template(inp.streams.video[0], opaque=True)
        words = out.add_mux_stream("mov_text")
        for packet in inp.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
        said = av.Packet(b"\x00\x05Hello")
        said.stream, said.pts, said.dts, said.duration, said.time_base = words, 500, 500, 700, Fraction(1, 1000)
        out.mux(said)
    assert resize_video(tmp_path / "a.mp4", tmp_path / "b.mp4") == []
    assert packets_of(tmp_path / "b.mp4", "subtitle") == packets_of(tmp_path / "a.mp4", "subtitle")


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_cover_art_stays_cover_art(extension: str, tmp_path: Path) -> None:
    video = with_cover(tmp_path)
    assert resize_video(video, tmp_path / f"b.{extension}") == []
    payload = []
    for path in (video, tmp_path / f"b.{extension}"):
        with av.open(str(path)) as inp:
            (cover,) = [s for s in inp.streams.video if s.disposition & ATTACHED]
            payload.append(next(bytes(p) for p in inp.demux(cover) if p.size))
    assert payload[0] == payload[1]


def test_cover_art_survives_a_start_in_the_middle(tmp_path: Path) -> None:
    video = with_cover(tmp_path)
    resize_video(video, tmp_path / "b.mp4", start=Fraction(1, 5))
    with av.open(str(tmp_path / "b.mp4")) as out:
        assert [bool(s.disposition & ATTACHED) for s in out.streams.video] == [False, True]


@pytest.mark.parametrize(
    ("sound", "source", "target"),
    [
        ("aac", "ts", "mp4"),
        ("aac", "ts", "mkv"),
        ("aac", "mp4", "ts"),
        ("aac", "ts", "ts"),
        ("aac", "mkv", "mov"),
        ("libmp3lame", "mkv", "mp4"),
        ("mp2", "ts", "mp4"),
        ("ac3", "ts", "mkv"),
        ("ac3", "mkv", "ts"),
        ("eac3", "mp4", "mkv"),
        ("libopus", "mkv", "webm"),
        ("libopus", "mkv", "mp4"),
        ("libopus", "mkv", "ts"),
        ("flac", "mkv", "mp4"),
        ("pcm_s16le", "mkv", "mov"),
        ("pcm_s16le", "avi", "mkv"),
        ("alac", "mov", "mkv"),
    ],
)
def test_sound_is_copied_to_the_byte(sound: str, source: str, target: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / f"a.{source}", sound=sound, pts=range(50))
    notices = resize_video(video, tmp_path / f"b.{target}", preset="ultrafast")
    assert [notice for notice in notices if notice.streams] == []
    after, before = facts_of(tmp_path / f"b.{target}"), facts_of(video)
    if (sound, target) == ("libopus", "ts"):  # MPEG-TS wraps Opus packets in a header of its own
        assert len(packets_of(tmp_path / "b.ts", "audio")) == len(packets_of(video, "audio"))
    elif not sound.startswith("pcm"):  # muxers cut raw samples as they like
        assert after.sound == before.sound != {}
    offset = after.times[0] - before.times[0]
    assert abs(after.sound_starts[0] - before.sound_starts[0] - offset) < Fraction(3, 1000)
    with av.open(str(tmp_path / f"b.{target}")) as out:
        assert sum(frame.samples for frame in out.decode(audio=0)) >= 48000 * 2 * 0.95, "cannot be played"


@pytest.mark.parametrize(("sound", "target"), [("aac", "webm"), ("flac", "ts"), ("pcm_s16le", "ts"), ("aac", "y4m")])
def test_sound_that_a_container_cannot_hold_is_left_out_with_a_sentence(
    sound: str, target: str, tmp_path: Path
) -> None:
    video = make_video(tmp_path / "a.mkv", sound=sound)
    notices = resize_video(video, tmp_path / f"b.{target}")
    assert ((Code.STREAM,), (1,)) in [(notice.codes, notice.streams) for notice in notices]
    assert facts_of(tmp_path / f"b.{target}").kinds == ["video"]


@pytest.mark.parametrize(("codec", "head"), [("libopus", b"OpusHead"), ("flac", b"fLaC")])
def test_sound_whose_header_is_lost_is_left_out_of_an_flv_which_would_end_the_process(
    codec: str, head: bytes, tmp_path: Path
) -> None:
    video = make_video(tmp_path / "a.mkv", sound=codec)
    content = video.read_bytes()
    place = content.index(head) - 3
    size = content[place + 2] - 0x80
    assert content[place : place + 2] == b"\x63\xa2", "no CodecPrivate"
    video.write_bytes(content[:place] + bytes([0xEC, 0x81 + size]) + content[place + 2 :])  # Void, of the same length
    vidsr = [sys.executable, "-m", "vidsr", "upscale", "--model", "nearest", str(video), str(tmp_path / "b.flv")]
    run = subprocess.run(vidsr, capture_output=True, text=True, timeout=60)
    name = codec.removeprefix("lib")
    assert f"stream 1 (audio, {name}) is left out: flv cannot hold {name} without its header" in run.stderr
    assert run.returncode == 0
    assert facts_of(tmp_path / "b.flv").kinds == ["video"]


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_sound_that_begins_before_0_is_announced_where_players_leave_it_out(sound: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "plain.mkv", sound=sound, pts=range(25))
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(video)) as inp, av.open(str(tmp_path / "a.mkv"), "w", container_options=options) as out:
        copies = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in inp.streams}
        for packet in inp.demux():
            if packet.size and packet.pts is not None:
                if packet.stream.type == "audio":
                    packet.pts, packet.dts = packet.pts - 300, packet.pts - 300
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    for target, announced in (("b.mp4", True), ("b.mkv", False)):
        notices = resize_video(tmp_path / "a.mkv", tmp_path / target)
        assert [notice.streams for notice in notices] == [(1,)] * announced
        found = verify_video(tmp_path / "a.mkv", tmp_path / target, notices=notices)
        assert found.faithful, found.differences


@pytest.mark.parametrize("sound", ["flac", "libopus"])
def test_the_last_packet_of_sound_without_durations_is_played(sound: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.nut", sound=sound, pts=range(25))  # NUT stores no durations
    notices = resize_video(video, tmp_path / "b.mp4")
    found = verify_video(video, tmp_path / "b.mp4", notices=notices)
    assert found.faithful, found.differences


def test_stale_tags_are_dropped(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", sound="aac")
    resize_video(video, tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as out:
        tags = {key.lower() for s in out.streams for key in s.metadata} | {key.lower() for key in out.metadata}
    assert not tags & {"major_brand", "minor_version", "compatible_brands", "vendor_id"}


def test_chapters_of_a_piece_are_moved_with_it(tmp_path: Path) -> None:
    video = subtitled(tmp_path)
    resize_video(video, tmp_path / "b.mkv", start=Fraction(1, 2), duration=Fraction(1))
    chapters = facts_of(tmp_path / "b.mkv").chapters
    assert chapters == [(0, Fraction(1, 2), "One"), (Fraction(1, 2), 1, "Two")]


def test_time_codes_and_chapter_tracks_are_made_anew_without_a_word(tmp_path: Path) -> None:
    def decorate(container: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:00:00:00"
        chapter: Any = {"id": 1, "start": 0, "end": 1, "time_base": Fraction(1), "metadata": {"title": "One"}}
        container.set_chapters([chapter])

    video = make_video(tmp_path / "a.mov", decorate=decorate, sound="aac")
    assert resize_video(video, tmp_path / "b.mov") == []
    assert facts_of(tmp_path / "b.mov").kinds == facts_of(video).kinds == ["video", "audio", "data", "data"]
    (notice,) = resize_video(video, tmp_path / "b.mkv")
    assert notice.message == (
        "stream 3 (data, time code, eng) becomes the tag timecode of the video: matroska has no tracks for it"
    )
    assert (notice.codes, notice.streams) == ((Code.STREAM,), (3,))
    with av.open(str(tmp_path / "b.mkv")) as out:
        assert out.streams.video[0].metadata["TIMECODE"] == "01:00:00:00"


def test_sound_that_says_in_every_packet_how_it_is_decoded_says_it_once(tmp_path: Path) -> None:
    loose, boxed = (make_video(tmp_path / f"a.{extension}", sound="aac") for extension in ("ts", "mp4"))
    with av.open(str(loose)) as video, av.open(str(boxed)) as other:
        extradata = other.streams.audio[0].codec_context.extradata
        assert extradata and audio_config(video.streams.audio[0]) == extradata[:2]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="only the ffmpeg command encodes Speex")
@pytest.mark.parametrize("after", ["mov", "mkv"])
def test_the_last_packet_of_sound_without_durations_is_not_cut_off(after: str, tmp_path: Path) -> None:
    inputs = [*("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4"), *("-f", "lavfi", "-i", "sine=d=0.4:r=16000")]
    made = subprocess.run(["ffmpeg", "-v", "error", *inputs, "-c:v", "libx264", "-c:a", "libspeex", tmp_path / "a.flv"])
    if made.returncode:
        pytest.skip("this ffmpeg has no Speex")
    notices = resize_video(tmp_path / "a.flv", tmp_path / f"b.{after}", preset="ultrafast")
    assert notices == []
    assert [data for data, _ in packets_of(tmp_path / f"b.{after}", "audio")] == [
        data for data, _ in packets_of(tmp_path / "a.flv", "audio")
    ]
    assert verify_video(tmp_path / "a.flv", tmp_path / f"b.{after}").faithful
