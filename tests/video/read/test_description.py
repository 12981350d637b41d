"""What FFmpeg prints about an input: programmes, cropping, Dolby Vision; and that frames are cropped."""

import struct
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.videos import codes_of, drawing, frames_of, make_video, resize_video
from vidsr.context import Code
from vidsr.video import ebml
from vidsr.video.read.description import Cropping, describe_input, parse

DUMP = """Input #0, mpegts, from '':
  Metadata:
    title           : Two
                    :   Stream #0:7: Video
  Duration: 00:00:02.01, start: 1.469089, bitrate: 1147 kb/s
  Program 10 
    Metadata:
      service_name    : One: a
      service_provider: Someone
  Stream #0:0[0x100]: Video: h264 (High) ([27][0][0][0] / 0x001B), yuv420p, 25 fps
    Metadata:
      title           : main
    Side data:
      DOVI configuration record: version: 1.0, profile: 5, level: 6, rpu flag: 1, bl flag: 1, compatibility id: 0
  Stream #0:1[0x101]: Audio: mp2
  Program 20 
    Metadata:
      service_name    : Two
  Stream #0:2[0x102]: Video: h264
    Side data:
      Frame Cropping: 12/4/6/2
  Program 30 
  No Program
  Stream #0:3[0x103]: Audio: mp2
"""


def test_the_description_of_a_transport_stream_is_parsed() -> None:
    found = parse(DUMP)
    assert [(one.number, one.streams) for one in found.programs] == [(10, (0, 1)), (20, (2,))]
    assert found.programs[0].tags == {"service_name": "One: a", "service_provider": "Someone"}
    assert found.service_tags(1) == {"service_name": "One: a", "service_provider": "Someone"}
    assert found.service_tags(3) == {}
    assert (found.dolby_vision_ipt(0), found.dolby_vision_ipt(2)) == (5, None)
    assert (found.crop(0), found.crop(2)) == (Cropping(), Cropping(left=12, right=4, top=6, bottom=2))


def cropped_mp4(path: Path, *, offset: tuple[int, int] = (4, 2)) -> Path:
    """A video of 64x48 of which 48x40 are shown, by the clean aperture in its mp4; offset: of the middle."""
    data = make_video(path, codec="ffv1" if path.suffix == ".mkv" else "libx264", pts=range(2)).read_bytes()
    clap = struct.pack(">I4s8I", 40, b"clap", 48, 1, 40, 1, offset[0], 1, offset[1], 1)
    return insert_box(path, data, clap, b"avc1")


def insert_box(path: Path, data: bytes, box: bytes, parent: bytes) -> Path:
    """Put a box at the end of a parent in an mp4 whose index comes last."""
    at = data.index(b"moov") - 4
    end = 0
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = data.index(name, at) - 4
        size = struct.unpack_from(">I", data, at)[0]
        end = at + size
        data = data[:at] + struct.pack(">I", size + len(box)) + data[at + 4 :]
        if name == parent:
            break
    path.write_bytes(data[:end] + box + data[end:])
    return path


def test_the_clean_aperture_is_what_is_upscaled(tmp_path: Path) -> None:
    video = cropped_mp4(tmp_path / "a.mp4")
    with av.open(str(video)) as container:
        assert describe_input(container).crop(0) == Cropping(left=12, right=4, top=6, bottom=2)
        whole = next(container.decode(video=0)).to_ndarray()[:48]
    (frame, _) = frames_of(video)
    assert (frame.width, frame.height) == (48, 40)
    assert (frame.planes[0] == whole[6:46, 12:60]).all()
    assert frame.planes[1].shape == (20, 24)
    resize_video(video, tmp_path / "b.mp4")
    (large, _) = frames_of(tmp_path / "b.mp4")
    assert (large.width, large.height) == (96, 80)


@pytest.mark.parametrize("offset", [(3, 1), (4, 2)])
def test_cropping_keeps_whole_chroma_samples(offset: tuple[int, int], tmp_path: Path) -> None:
    (frame, _) = frames_of(cropped_mp4(tmp_path / "a.mp4", offset=offset))
    assert frame.planes[1].shape == (-(-frame.height // 2), -(-frame.width // 2))
    assert frame.width in (48, 49) and frame.height in (40, 41)


def test_a_crop_that_leaves_nothing_is_ignored(tmp_path: Path) -> None:
    (frame, *_) = frames_of(make_video(tmp_path / "a.mp4", pts=range(2)))
    assert Cropping(left=40, right=40).apply(frame) is frame
    assert drawing(64, 48).shape[:2] == frame.planes[0].shape


@pytest.mark.parametrize(
    ("profile", "compatible", "wrong"), [(5, 0, True), (8, 1, False), (10, 0, True), (10, 4, False)]
)
def test_dolby_vision_without_ycbcr_is_announced(profile: int, compatible: int, wrong: bool, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", pts=range(2))
    record = struct.pack(">BBHB19x", 1, 0, profile << 9 | 6 << 3 | 0b101, compatible << 4)
    insert_box(path, path.read_bytes(), struct.pack(">I4s", 32, b"dvcC") + record, b"avc1")
    notices = resize_video(path, tmp_path / "b.mp4")
    assert (Code.MATRIX in codes_of(notices)) == wrong


def test_the_crop_of_a_matroska_track_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"

    def decorate(_: Any, stream: Any) -> None:
        stream.metadata["title"] = " " * 100

    make_video(path, codec="ffv1", pts=range(2), decorate=decorate)
    whole = frames_of(path)[0].planes[0]
    edges = ((0x54CC, 12), (0x54DD, 4), (0x54BB, 6), (0x54AA, 2))  # PixelCropLeft, Right, Top, Bottom
    crop = b"".join(ebml.element(kind, bytes([pixels])) for kind, pixels in edges)

    def cut(part: ebml.Element) -> bytes:
        if part.id == ebml.TRACK_VIDEO:  # without the size to be shown, which would have to be cropped, too
            return ebml.element(part.id, b"".join(map(bytes, list(ebml.elements(part.body))[:2])) + crop)
        return b"" if part.id == ebml.TRACK_NAME else bytes(part)

    with path.open("r+b") as file:
        found = ebml.find_tracks(file)
        assert found is not None
        entry = next(part for part in ebml.elements(found[1]) if part.id == ebml.TRACK_ENTRY)
        new = b"".join(map(cut, ebml.elements(entry.body)))
        body = found[1].replace(entry.body, new + ebml.void(len(entry.body) - len(new)))
        file.seek(found[0])
        file.write(ebml.with_checksum(body))
    frame = frames_of(path)[0]
    assert (frame.width, frame.height) == (48, 40)
    assert (frame.planes[0] == whole[6:46, 12:60]).all()
