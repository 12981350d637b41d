"""Side data of frames: read, kept or announced; and every kind that FFmpeg knows has a row in the documentation."""

import re
import sys
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import packet_sidedata_type_to_literal
from av.sidedata.sidedata import Type
from PIL import Image

from tests.clips import video as make_clip
from tests.video.videos import codes_of, drawing, frames_of, make_video, resize_video
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video.convert.qp import EXPORT, mean_qp
from vidsr.video.convert.side_data import LOST_SIDE_DATA, UNKNOWN, display_matrix, lost_side_data, side_data

DOCS = Path(__file__).parents[3] / "docs" / "side-data.md"
AFD = bytes.fromhex("b5003144544731") + b"\x41\xf8"
USER_DATA = (5, bytes(range(16)) + b"hello")


def with_sei(path: Path, kind: int, message: bytes) -> Path:
    """An H.264 video with an SEI message before every frame."""
    unit = b"\0\0\0\1\x06" + bytes([kind, len(message)]) + message + b"\x80"
    plain = make_video(path.with_name("plain.ts"), pts=range(4))
    with av.open(str(plain)) as inp, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(inp.streams[0], opaque=True)
        for packet in inp.demux():
            if packet.size:
                larger: Any = av.Packet(unit + bytes(packet))
                larger.pts, larger.dts, larger.duration = packet.pts, packet.dts, packet.duration
                larger.time_base, larger.is_keyframe, larger.stream = packet.time_base, packet.is_keyframe, copy
                out.mux(larger)
    return path


def test_a_frame_without_a_decoder_has_no_side_data() -> None:
    assert display_matrix(None) is None
    assert side_data(None, "A53_CC") is None
    assert lost_side_data(None) == set()


@pytest.mark.parametrize(("kind", "message", "name"), [(4, AFD, "AFD"), (*USER_DATA, "SEI_UNREGISTERED")])
def test_what_no_encoder_writes_is_announced_once(kind: int, message: bytes, name: str, tmp_path: Path) -> None:
    video, target = with_sei(tmp_path / "a.ts", kind, message), tmp_path / "b.ts"
    assert lost_side_data(frames_of(video)[0].av_frame) == {name}
    notices = resize_video(video, target)
    assert codes_of(notices) == [Code.SIDE_DATA]
    assert LOST_SIDE_DATA[name] in notices[0].message
    assert verify_video(video, target, notices=notices).faithful
    assert [one.code for one in verify_video(video, target).differences] == [Code.SIDE_DATA]


def test_what_x264_says_of_itself_is_not_missed(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", pts=range(2))
    assert side_data(frames_of(video)[0].av_frame, "SEI_UNREGISTERED") is not None
    assert resize_video(video, tmp_path / "b.mkv", codec="libx265") == []


def rows(heading: str) -> dict[str, str]:
    """What a table of the documentation says becomes of each kind."""
    section = DOCS.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \|.*?\| (kept|announced|not applicable)\b", section, re.M))


def test_every_kind_of_side_data_has_a_row_in_the_documentation() -> None:
    frames = {kind.name.replace("THREE_D", "3D") for kind in Type}
    assert frames - {*rows("Frames of the video")} == set()
    packets = {packet_sidedata_type_to_literal(number) for number in range(_packet_kinds())}
    assert packets - {*rows("Streams and packets")} == set()


def _packet_kinds() -> int:
    for number in range(1000):
        try:
            packet_sidedata_type_to_literal(number)
        except (IndexError, ValueError, KeyError):
            return number
    raise AssertionError("PyAV names side data of packets without end")


def test_the_documentation_announces_what_the_code_does() -> None:
    for kind in {*LOST_SIDE_DATA} - {UNKNOWN}:
        assert rows("Frames of the video")[kind] in ("announced", "kept")  # a profile, by images


def test_a_frame_whose_side_data_was_read_is_freed_with_its_last_reference(tmp_path: Path) -> None:
    with av.open(str(make_clip(tmp_path / "a.mp4", sound=False))) as container:
        container.streams.video[0].codec_context.options = dict(EXPORT)
        frame = next(container.decode(video=0))
        before = sys.getrefcount(frame)
        assert mean_qp(frame) is not None
        assert sys.getrefcount(frame) == before, "it is kept by what it keeps, until the garbage collector comes"


def test_a_rotation_beside_side_data_that_pyav_does_not_read_is_kept(tmp_path: Path) -> None:
    exif, photo = Image.Exif(), BytesIO()
    exif[0x112] = 6  # the orientation
    Image.fromarray(drawing(64, 48)).save(photo, "JPEG", exif=exif)
    video = tmp_path / "a.mkv"
    with av.open(str(video), "w") as out:  # of a camera that writes Exif into every frame
        stream = out.add_mux_stream("mjpeg", rate=25, width=64, height=48)
        for index in range(3):
            packet: Any = av.Packet(photo.getvalue())
            packet.pts = packet.dts = index
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, 25), True, stream
            out.mux(packet)
    (first, *_) = frames_of(video)
    assert display_matrix(first.av_frame) == (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    notices = resize_video(video, tmp_path / "b.mp4")
    assert frames_of(tmp_path / "b.mp4")[0].av_frame.rotation == first.av_frame.rotation
    assert codes_of(notices) == [Code.SIDE_DATA] * bool(lost_side_data(first.av_frame))  # PyAV 19 knows Exif
    assert verify_video(video, tmp_path / "b.mp4", notices=notices).faithful
