"""The words of a subtitle, out of ASS and into what each codec holds."""

from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidsr.video.write.copy.subtitle_markup import Run, mov_text, parse_ass, srt, webvtt
from vidsr.video.write.copy.subtitles import _TX3G


@pytest.mark.parametrize(
    ("ass", "runs"),
    [
        ("plain", (("plain", ""),)),
        (r"one\Ntwo\nthree\hfour", (("one\ntwo\nthree\u00a0four", ""),)),
        (r"a {\i1}b{\i0} c", (("a ", ""), ("b", "i"), (" c", ""))),
        (r"{\b1\i1}a{\r}b", (("a", "bi"), ("b", ""))),
        (r"{\i1}a{\rDefault}b", (("a", "i"), ("b", ""))),
        (r"{\b700}a{\b}b", (("a", "b"), ("b", ""))),
        (r"{\an8\c&HFF&}red{\blur3}", (("red", ""),)),
        (r"{\p1}m 0 0 l 100 0{\p0}shown", (("shown", ""),)),
        (r"{\p2}m 0 0 l 100 0", ()),
        (r"  \N\N a \N\N b \N ", (("a\nb", ""),)),
        ("{hidden} seen", (("seen", ""),)),
        (r"\{{}a\}", (("{a}", ""),)),
        ("C:\\\u2060News", (("C:\\News", ""),)),
        ("{not closed", (("{not closed", ""),)),
        ("", ()),
    ],
)
def test_an_event_is_read_for_its_words(ass: str, runs: tuple[Run, ...]) -> None:
    assert parse_ass(ass, has_comments=True) == runs


def test_braces_that_hide_nothing_are_words() -> None:
    assert parse_ass(r"{a} {\i1}b", has_comments=False) == (("{a} ", ""), ("b", "i"))


def test_each_codec_has_its_own_way_to_write_them() -> None:
    runs = (("3 < 4 & ", ""), ("é", "bi"))
    assert srt(runs) == "3 < 4 & <b><i>é</i></b>".encode()
    assert webvtt(runs) == "3 &lt; 4 &amp; <b><i>é</i></b>".encode()
    text = "3 < 4 & é".encode()
    assert mov_text(runs)[: 2 + len(text)] == bytes([0, len(text)]) + text
    box = mov_text(runs)[2 + len(text) :]
    assert (box[:8], box[8:10]) == (b"\0\0\0\x16styl", b"\0\1")
    assert box[10:18] == bytes([0, 8, 0, 9, 0, 1, 3, 16]), "characters 8 to 9, font 1, bold and italic"


def test_a_text_too_long_for_a_sample_is_cut_between_characters() -> None:
    packet = mov_text((("é" * 40000, ""),))
    assert len(packet) == 2 + 65534
    assert packet[2:].decode() == "é" * 32767


def read(codec: str, packet: bytes) -> tuple[Run, ...]:
    decoder: Any = av.CodecContext.create(codec, "r")
    if codec == "mov_text":
        decoder.extradata = _TX3G
    given = av.Packet(packet)
    given.pts, given.time_base = 0, Fraction(1, 1000)
    events = [rect.ass.decode().split(",", 8)[8] for rect in decoder.decode2(given) or []]
    return parse_ass(r"\N".join(events), has_comments=False)


words = st.text(st.sampled_from("ab é♪<>&{}\\\n\u00a0"), min_size=1, max_size=12)
pieces = st.lists(st.tuples(words, st.sampled_from(["", "b", "i", "u", "bi", "biu"])), max_size=4)


@given(pieces)
def test_what_is_written_as_webvtt_or_mov_text_is_read_again(drawn: list[Run]) -> None:
    runs = normal(drawn)
    if runs:
        assert read("webvtt", webvtt(runs)) == runs
        if not any("\\" in text for text, _ in runs):  # FFmpeg's decoder of mov_text escapes none
            assert read("mov_text", mov_text(runs)) == runs


def normal(drawn: list[Run]) -> tuple[Run, ...]:
    """As `parse_ass` gives them: neighbours of one style joined, no empty lines."""
    text = "".join(rf"{{\r{''.join(f'{chr(92)}{face}1' for face in style)}}}" + escaped(word) for word, style in drawn)
    return parse_ass(text, has_comments=False)


def escaped(word: str) -> str:
    return word.replace("\\", "\\\u2060").replace("{", r"\{").replace("}", r"\}").replace("\n", r"\N")
