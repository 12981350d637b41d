"""Packets that are empty, carry a configuration again, or are not to be shown."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.videos import facts_of, frames_of, make_video, resize_video
from vidsr.frames import Frame
from vidsr.verify import verify_video
from vidsr.video.read.source import open_source
from vidsr.video.timing import rational
from vidsr.video.write.copy.subtitles import add_text_stream

FRAME = Fraction(1, 25)


@pytest.mark.parametrize("container", ["nut"])
def test_an_empty_packet_is_not_the_end(container: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / f"a.{container}", codec="ffv1", pts=range(12))
    with av.open(str(video)) as inp, av.open(str(tmp_path / f"b.{container}"), "w") as out:
        copy = out.add_stream_from_template(inp.streams.video[0], opaque=True)
        for index, packet in enumerate(inp.demux()):
            each: Any = packet
            if index == 5:
                each = av.Packet()
                each.pts, each.dts, each.time_base = packet.pts, packet.dts, packet.time_base
            if packet.size:
                each.stream = copy
                out.mux(each)
    with open_source(tmp_path / f"b.{container}") as source:
        times = [item.pts * item.time_base for item in source if isinstance(item, Frame)]
        assert source.damage.lost_frames == 1
    assert times == [index * FRAME for index in range(12) if index != 5]


def flv_tags(content: bytes) -> list[bytes]:
    """The tags of an FLV file, each with the size that follows it; Adobe FLV 10.1, E.3 and E.4."""
    tags, place = [], 13
    while place < len(content):
        size = 11 + int.from_bytes(content[place + 1 : place + 4], "big") + 4
        tags.append(content[place : place + size])
        place += size
    return tags


@pytest.mark.parametrize("container", ["mkv", "mp4", "flv", "ts"])
def test_a_configuration_that_comes_again_damages_nothing(container: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.flv", sound="aac", pts=range(25))
    content = video.read_bytes()
    tags = flv_tags(content)
    config = next(tag for tag in tags if tag[0] == 8 and tag[12] == 0)
    middle = next(place for place, tag in enumerate(tags) if place > 40 and tag[0] == 8)
    again = config[:4] + tags[middle][4:8] + config[8:]
    (tmp_path / "b.flv").write_bytes(content[:13] + b"".join([*tags[:middle], again, *tags[middle:]]))
    target = tmp_path / f"c.{container}"
    assert resize_video(tmp_path / "b.flv", target) == []
    assert verify_video(tmp_path / "b.flv", target).faithful
    assert len(frames_of(target)) == 25
    if container != "mp4":
        assert facts_of(target).sound == facts_of(video).sound


def test_a_truncated_mp4_lacks_only_the_frames_that_are_missing(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", codec="mpeg4", pts=range(60), sound="aac")
    options = {"movflags": "faststart", "max_interleave_delta": "1"}
    with av.open(str(whole)) as inp, av.open(str(tmp_path / "b.mp4"), "w", container_options=options) as out:
        copies = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in inp.streams}
        text: Any = add_text_stream(out, "mov_text", FRAME)
        for packet in inp.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
        for index in range(60):
            each: Any = av.Packet(b"\0\4text")
            each.stream, each.pts, each.dts, each.duration, each.time_base = text, index, index, 1, FRAME
            out.mux(each)
    with av.open(str(tmp_path / "b.mp4")) as container:
        end = container.streams[-1].index_entries[5].pos
    (tmp_path / "c.mp4").write_bytes((tmp_path / "b.mp4").read_bytes()[:end])
    with open_source(tmp_path / "c.mp4") as source:
        kinds = ["frame" if isinstance(item, Frame) else item.packet.stream.type for item in source]
        assert source.damage.breaks_off and not source.damage.lost_frames
    assert kinds.count("frame") == 60 and kinds.count("audio") > 110


@pytest.mark.parametrize("container", ["mkv", "nut", "ts"])
def test_sound_that_an_edit_list_cuts_off_is_left_out_but_for_what_its_decoder_needs(
    container: str, tmp_path: Path
) -> None:
    whole = make_video(tmp_path / "a.mp4", sound="aac", pts=range(50))
    with av.open(str(whole)) as inp, av.open(str(tmp_path / "b.mp4"), "w") as out:
        copies = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in inp.streams}
        for packet in inp.demux():
            if packet.size:  # an mp4 hides what is before 0
                second = round(1 / (rational(packet.time_base) or FRAME))
                packet.pts, packet.dts = (packet.pts or 0) - second, (packet.dts or 0) - second
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    with av.open(str(tmp_path / "b.mp4")) as container_:
        hidden = sum(packet.is_discard for packet in container_.demux(audio=0))
    target = tmp_path / f"c.{container}"
    notices = resize_video(tmp_path / "b.mp4", target)
    assert hidden > 40 and notices == [] and verify_video(tmp_path / "b.mp4", target, notices=notices).faithful
    facts = facts_of(target)
    assert len(facts.times) == 25 and abs(facts.sound_starts[0] - facts.times[0]) < Fraction(1, 20)


def test_an_avi_whose_packets_hold_two_frames_keeps_its_times(tmp_path: Path) -> None:
    made = make_video(tmp_path / "a.nut", codec="mpeg4", pts=range(24), b_frames=1)
    with av.open(str(made)) as inp, av.open(str(tmp_path / "b.avi"), "w") as out:
        packets = [(packet.pts or 0, bytes(packet), packet.is_keyframe) for packet in inp.demux() if packet.size]
        header, place = inp.streams[0].codec_context.extradata or b"", packets[0][1].find(b"\0\0\1\xb6")
        mark = b"\0\0\1\xb2DivX503b1393p\0"  # by which a decoder knows such packets
        packets[0] = (packets[0][0], header + packets[0][1][:place] + mark + packets[0][1][place:], True)
        joined: list[tuple[bytes, bool]] = []
        while packets:
            pts, data, key = packets.pop(0)
            if packets and packets[0][0] < pts:  # a B-frame; the packet after it holds nothing
                joined += [(data + packets.pop(0)[1], key), (b"\0\0\1\xb6\x50\x00\x7f", False)]
            else:
                joined.append((data, key))
        copy: Any = out.add_stream("mpeg4", rate=25)
        copy.width, copy.height, copy.pix_fmt = 64, 48, "yuv420p"
        for index, (data, key) in enumerate(joined):
            each: Any = av.Packet(data)
            each.stream, each.pts, each.dts, each.time_base, each.is_keyframe = copy, index, index, FRAME, key
            out.mux(each)
    pts = [frame.pts for frame in frames_of(tmp_path / "b.avi")]
    assert len(pts) == 24 and pts == list(range(pts[0], pts[0] + 24))
