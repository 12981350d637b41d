"""Subtitles that change their codec because the output cannot hold the input's."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.video.videos import make_video, messages_of, resize_video
from vidsr.context import Code, Context, ignore
from vidsr.options import EncodeOptions
from vidsr.video.read.source import open_source
from vidsr.video.write.copy.subtitle_markup import mov_text
from vidsr.video.write.copy.subtitles import Cue, Flattener
from vidsr.video.write.sink import open_sink

Said = tuple[int, int, bytes]  # milliseconds from, to, and what

ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize\r\n"
    b"Style: Default,Arial,16\r\n\r\n[Events]\r\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)
WORDS: dict[str, list[Said]] = {
    "subrip": [(400, 1300, b"Hello <i>there</i> & {you}"), (1500, 1900, b"3 < 4\r\n\xc3\xa9")],
    "mov_text": [
        (400, 1300, mov_text((("Hello ", ""), ("there", "i"), (" & {you}", "")))),
        (1500, 1900, mov_text((("3 < 4\né", ""),))),
    ],
    "webvtt": [(400, 1300, b"Hello <i>there</i> &amp; {you}"), (1500, 1900, b"3 &lt; 4\n\xc3\xa9")],
    "ass": [
        (400, 1300, rb"0,0,Default,,0,0,0,,{\an8\c&HFF&}Hello {\i1}there{\i0} & \{you\}"),
        (1500, 1900, b"1,0,Default,,0,0,0,,3 < 4\\N\xc3\xa9"),
    ],
}
MEANT = {codec: [said for _, _, said in cues] for codec, cues in WORDS.items()}
MEANT["subrip"] = [said.replace(b"\r\n", b"\n") for said in MEANT["subrip"]]


def subtitled(
    path: Path, codec: str, cues: Iterable[Said], *, tags: dict[str, str] | None = None, plain: Path | None = None
) -> Path:
    """A video of two seconds, or `plain`, with subtitles in its last stream."""
    plain = plain or make_video(path.with_stem("plain"), pts=range(50))
    with av.open(str(plain)) as inp, av.open(str(path), "w") as out:
        copies = [out.add_stream_from_template(s, opaque=True) for s in inp.streams]
        text = out.add_mux_stream(codec) if codec != "ass" else ass_stream(out, path)
        text.metadata.update(tags or {})
        text.disposition = av.stream.Disposition.forced
        waiting = [packet_of(text, cue) for cue in cues]
        for packet in inp.demux():
            if packet.size:
                while waiting and packet.dts is not None and packet.dts * packet.time_base >= waiting[0].pts / 1000:
                    out.mux(waiting.pop(0))
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
        for packet in waiting:
            out.mux(packet)
    return path


def ass_stream(out: Any, path: Path) -> Any:
    script = path.with_suffix(".ass")
    script.write_bytes(ASS_HEADER + b"Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,a\r\n")
    with av.open(str(script)) as template:
        return out.add_stream_from_template(template.streams[0], opaque=True)


def packet_of(stream: Any, cue: Said) -> Any:
    packet = av.Packet(cue[2])
    packet.stream, packet.pts, packet.dts, packet.duration = stream, cue[0], cue[0], cue[1] - cue[0]
    packet.time_base, packet.is_keyframe = Fraction(1, 1000), True
    return packet


def said_in(path: Path) -> tuple[Any, list[Said]]:
    """The subtitle stream's codec, language and forced flag, and its cues; not the empty samples of an mp4's gaps."""
    with av.open(str(path)) as video:
        (text,) = video.streams.subtitles
        about = (
            text.codec_context.name,
            text.metadata.get("language"),
            bool(text.disposition & av.stream.Disposition.forced),
        )
        cues = []
        for packet in video.demux(text):
            if packet.size and bytes(packet) != b"\0\0":
                ms = [Fraction(ticks) * Fraction(packet.time_base) * 1000 for ticks in (packet.pts, packet.duration)]
                assert all(time.denominator == 1 for time in ms)
                cues.append((int(ms[0]), int(sum(ms)), bytes(packet)))
        return about, cues


@pytest.mark.parametrize(
    ("codec", "source", "target", "becomes"),
    [
        ("subrip", "mkv", "mp4", "mov_text"),
        ("subrip", "mkv", "mov", "mov_text"),
        ("subrip", "mkv", "webm", "webvtt"),
        ("mov_text", "mp4", "mkv", "subrip"),
        ("mov_text", "mp4", "webm", "webvtt"),
        ("webvtt", "mkv", "mp4", "mov_text"),
        ("ass", "mkv", "mp4", "mov_text"),
        ("ass", "mkv", "webm", "webvtt"),
    ],
)
def test_text_keeps_its_words_times_language_and_flags_in_another_codec(
    codec: str, source: str, target: str, becomes: str, tmp_path: Path
) -> None:
    video = subtitled(tmp_path / f"a.{source}", codec, WORDS[codec], tags={"language": "fra"})
    notices = resize_video(video, tmp_path / f"b.{target}", preset="ultrafast")
    (converted,) = [notice for notice in notices if Code.CODEC in notice.codes]
    assert converted.streams == (1,) and f" {becomes}" in converted.message
    about, cues = said_in(tmp_path / f"b.{target}")
    forced = target != "mov"  # which has no place for it
    assert about == ({"subrip": "srt"}.get(becomes, becomes), "fra", forced)
    expected = [(start, end, said) for (start, end, _), said in zip(WORDS[codec], MEANT[becomes], strict=True)]
    assert cues == expected


def test_text_that_can_be_copied_is_copied_with_its_style(tmp_path: Path) -> None:
    video = subtitled(tmp_path / "a.mkv", "ass", WORDS["ass"])
    assert resize_video(video, tmp_path / "b.mkv") == []
    assert said_in(tmp_path / "b.mkv")[1] == WORDS["ass"]


@pytest.mark.parametrize("target", ["ts", "nut", "avi"])
def test_where_no_text_fits_it_is_left_out_with_a_sentence(target: str, tmp_path: Path) -> None:
    video = subtitled(tmp_path / "a.mkv", "subrip", WORDS["subrip"])
    notices = resize_video(video, tmp_path / f"b.{target}")
    assert ((Code.STREAM,), (1,)) in [(notice.codes, notice.streams) for notice in notices]


def test_pictures_of_text_are_left_out_with_a_sentence(tmp_path: Path) -> None:
    video = subtitled(tmp_path / "a.mkv", "hdmv_pgs_subtitle", [(400, 900, b"\x80\0\0")])
    (notice,) = resize_video(video, tmp_path / "b.mp4")
    assert notice.message == "stream 1 (subtitle, pgssub) is left out: mp4 cannot hold pgssub subtitle; .mkv can"
    assert (notice.codes, notice.streams) == ((Code.STREAM,), (1,))


def test_cues_that_overlap_are_seen_together_in_an_mp4(tmp_path: Path) -> None:
    cues = [(200, 1500, b"<i>A</i>"), (600, 1000, b"B"), (600, 1200, b"C"), (1300, 1700, b"D")]
    video = subtitled(tmp_path / "a.mkv", "subrip", cues)
    resize_video(video, tmp_path / "b.mp4")
    seen = [(start, end, said[2 : 2 + said[1]].decode()) for start, end, said in said_in(tmp_path / "b.mp4")[1]]
    assert seen == [
        (200, 600, "A"),
        (600, 1000, "A\nB\nC"),
        (1000, 1200, "A\nC"),
        (1200, 1300, "A"),
        (1300, 1500, "A\nD"),
        (1500, 1700, "D"),
    ]
    resize_video(tmp_path / "b.mp4", tmp_path / "c.mkv", factor=1)
    assert [cue[2] for cue in said_in(tmp_path / "c.mkv")[1]][:2] == [b"<i>A</i>", b"<i>A</i>\nB\nC"]


def test_cues_that_overlap_stay_apart_in_webm(tmp_path: Path) -> None:
    cues = [(200, 1500, b"A"), (600, 1000, b"B"), (600, 1200, b"C")]
    video = subtitled(tmp_path / "a.mkv", "subrip", cues)
    resize_video(video, tmp_path / "b.webm", preset="ultrafast")
    assert said_in(tmp_path / "b.webm")[1] == cues


def test_what_is_known_for_good_is_written_while_the_video_runs_on() -> None:
    flat = Flattener()
    assert flat.add(cue(0, 1000, "A")) == []
    assert flat.until(999) == []
    assert flat.until(1000) == [cue(0, 1000, "A")]
    assert flat.is_empty


def cue(start: int, end: int, word: str) -> Cue:
    return Cue(start, end, ((word, ""),))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=8), st.integers(0, 20))
def test_flattened_cues_show_at_every_moment_what_was_shown(spans: list[tuple[int, int]], late: int) -> None:
    cues = [cue(start, start + length, chr(ord("A") + i)) for i, (start, length) in enumerate(sorted(spans))]
    flat, pieces = Flattener(), []
    for each in cues:
        pieces += flat.until(each.start - late) + flat.add(each)
    pieces += flat.flush()
    assert all(a.end <= b.start for a, b in pairwise(pieces))
    assert all(piece.start < piece.end for piece in pieces)
    for time in range(45):
        shown = "\n".join(each.runs[0][0] for each in cues if each.start <= time < each.end)
        assert ["".join(text for text, _ in p.runs) for p in pieces if p.start <= time < p.end] == [shown][
            : bool(shown)
        ]


def test_bytes_that_are_no_text_cost_no_cue(tmp_path: Path) -> None:
    cues = [(200, 300, "café".encode("latin-1")), (400, 500, b"\xff"), (600, 900, b"B")]
    notices = resize_video(subtitled(tmp_path / "a.mkv", "subrip", cues), tmp_path / "b.webm", preset="ultrafast")
    assert messages_of(notices).count("stream 1 (subtitle, srt): text that is not UTF-8 is lost") == 2
    assert [said.decode() for *_, said in said_in(tmp_path / "b.webm")[1]] == ["caf\ufffd", "\ufffd", "B"]


def test_a_sample_that_is_no_text_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    cues = [(200, 300, b"\0\2\xff\xff"), (600, 900, b"\0\1B")]
    notices = resize_video(subtitled(tmp_path / "a.mp4", "mov_text", cues), tmp_path / "b.mkv")
    assert "stream 1 (subtitle, mov_text): text that is not UTF-8 is lost" in messages_of(notices)
    assert said_in(tmp_path / "b.mkv")[1] == [(600, 900, b"B")]


def test_a_cue_is_written_where_the_video_is_when_it_is_shown(tmp_path: Path) -> None:
    """Else whoever plays an mp4 while it arrives would see it at the end."""
    video = make_video(tmp_path / "plain.mkv", pts=range(0, 500, 10), sound="aac")
    text = subtitled(tmp_path / "a.mkv", "subrip", [(1000, 2000, b"early")], plain=video)
    resize_video(text, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as mp4:
        places = [
            (packet.stream.type, packet.pos) for packet in mp4.demux() if packet.size and bytes(packet) != b"\0\0"
        ]
    (cue,) = [place for kind, place in places if kind == "subtitle"]
    assert cue < [place for kind, place in places if kind == "video"][30]


def test_an_empty_cue_and_one_of_drawings_are_no_cues(tmp_path: Path) -> None:
    cues = [
        (200, 300, rb"0,0,Default,,0,0,0,,{\p1}m 0 0 l 9 9{\p0}"),
        (400, 500, b"1,0,Default,,0,0,0,,"),
        (600, 900, b"2,0,Default,,0,0,0,,B"),
    ]
    resize_video(subtitled(tmp_path / "a.mkv", "ass", cues), tmp_path / "b.mp4")
    assert said_in(tmp_path / "b.mp4")[1] == [(600, 900, b"\0\1B")]


def test_a_piece_keeps_the_cues_inside_it_in_their_new_place(tmp_path: Path) -> None:
    video = subtitled(tmp_path / "a.mkv", "subrip", WORDS["subrip"])
    resize_video(video, tmp_path / "b.mp4", start=Fraction(1))
    assert [each[:2] for each in said_in(tmp_path / "b.mp4")[1]] == [(500, 900)]


class Pipe:
    """Counts what arrives."""

    taken = 0

    def write(self, data: Sequence[int]) -> int:
        self.taken += len(data)
        return len(data)


def test_subtitles_that_say_nothing_yet_do_not_hold_a_live_video_back(tmp_path: Path) -> None:
    video = subtitled(tmp_path / "a.mkv", "subrip", [(1900, 1950, b"late")])
    pipe: Any = Pipe()
    options = EncodeOptions(format="webm", live=True, preset="ultrafast")
    with (
        open_source(video) as source,
        open_sink(pipe, source.info, options, copy=source.copy_info(), context=Context(ignore)) as sink,
    ):
        grown = []
        for item in source:
            before = pipe.taken
            sink.write(item)
            grown.append(pipe.taken > before)
    assert all(grown[2:]), "FFmpeg holds one packet back where a stream is silent, never more"


def test_ffmpeg_reads_what_was_written(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed to compare with")
    video = subtitled(tmp_path / "a.mkv", "subrip", WORDS["subrip"])
    for target in ("mp4", "webm"):
        resize_video(video, tmp_path / f"b.{target}", preset="ultrafast")
        command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / f"b.{target}"), "-map", "0:s", "-f", "srt", "-"]
        shown = subprocess.run(command, capture_output=True, check=True, timeout=30)
        assert shown.stderr == b""
        assert shown.stdout.decode().translate({ord("\r"): None, ord("\\"): None}) == (
            "1\n00:00:00,400 --> 00:00:01,300\nHello <i>there</i> & {you}\n\n"
            "2\n00:00:01,500 --> 00:00:01,900\n3 < 4\né\n\n"
        )
