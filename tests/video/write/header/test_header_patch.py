"""360 degree mappings, stereo 3D, languages and places are kept by every container that can, or announced."""

import struct
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.read.test_description import insert_box
from tests.video.videos import codes_of, frames_of, make_video, resize_video
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video import ebml
from vidsr.video.convert.immersive import SphericalMapping, StereoLayout, spherical_mapping, stereo_layout
from vidsr.video.read.description import languages_of
from vidsr.video.write.header.matroska_tracks import ROOM, TrackExtras, add_to_tracks
from vidsr.video.write.header.mp4_boxes import add_to_index, boxes

POSE = (10 << 16, -20 << 16, 5 << 15)
EQUIRECTANGULAR = SphericalMapping(0, POSE)
TILED = SphericalMapping(2, POSE, (1 << 30, 0, 1 << 30, 0))
CUBEMAP = SphericalMapping(1, POSE, padding=8)
TOP_BOTTOM, SIDE_BY_SIDE = StereoLayout(2), StereoLayout(1)


def immersive(path: Path, spherical: SphericalMapping | None, stereo: StereoLayout | None) -> Path:
    """A video whose mp4 states a mapping and a layout."""
    make_video(path, sound="aac")
    with path.open("r+b") as file:
        add_to_index(file, spherical=spherical, stereo=stereo)
    return path


def stated(path: Path) -> tuple[SphericalMapping | None, StereoLayout | None]:
    """What the first frame of a video states, as FFmpeg reads it."""
    frame = frames_of(path)[0].av_frame
    return spherical_mapping(frame), stereo_layout(frame)


@pytest.mark.parametrize("spherical", [EQUIRECTANGULAR, TILED, CUBEMAP])
@pytest.mark.parametrize("after", ["mp4", "mov", "mkv", "webm"])
def test_a_spherical_mapping_is_kept(spherical: SphericalMapping, after: str, tmp_path: Path) -> None:
    video, target = immersive(tmp_path / "a.mp4", spherical, TOP_BOTTOM), tmp_path / f"b.{after}"
    assert stated(video) == (spherical, TOP_BOTTOM)
    notices = resize_video(video, target, codec="libvpx-vp9" if after == "webm" else "libx265", preset="ultrafast")
    assert not {Code.SPHERICAL, Code.STEREO} & {*codes_of(notices)}
    assert stated(target) == (spherical.scaled(2), TOP_BOTTOM)
    assert verify_video(video, target, notices=notices).faithful


@pytest.mark.parametrize(
    ("after", "codec", "lost"),
    [
        ("ts", "libx264", {Code.SPHERICAL}),  # the layout is in the bitstream
        ("ts", "libx265", {Code.SPHERICAL, Code.STEREO}),
        ("nut", "ffv1", {Code.SPHERICAL, Code.STEREO}),
    ],
)
def test_what_cannot_be_stored_is_announced(after: str, codec: str, lost: set[Code], tmp_path: Path) -> None:
    video, target = immersive(tmp_path / "a.mp4", EQUIRECTANGULAR, SIDE_BY_SIDE), tmp_path / f"b.{after}"
    notices = resize_video(video, target, codec=codec, preset="ultrafast")
    assert {*codes_of(notices)} == lost
    assert verify_video(video, target, notices=notices).faithful
    assert {one.code for one in verify_video(video, target).differences} == lost


def test_an_output_in_a_pipe_says_what_its_header_lacks(tmp_path: Path) -> None:
    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

    video = immersive(tmp_path / "a.mp4", EQUIRECTANGULAR, SIDE_BY_SIDE)
    assert Code.SPHERICAL in codes_of(resize_video(video, Pipe(), format="matroska"))
    kept = BytesIO()
    assert resize_video(video, kept, format="matroska") == []
    (tmp_path / "b.mkv").write_bytes(kept.getvalue())
    assert stated(tmp_path / "b.mkv") == (EQUIRECTANGULAR, SIDE_BY_SIDE)


@pytest.mark.parametrize("mode", ["left_right", "right_left", "bottom_top", "checkerboard_lr", "row_interleaved_rl"])
@pytest.mark.parametrize("after", ["mkv", "mp4", "webm"])
def test_stereo_modes_of_matroska_are_kept_or_announced(mode: str, after: str, tmp_path: Path) -> None:
    def decorate(_: Any, stream: Any) -> None:
        stream.metadata["stereo_mode"] = mode

    video, target = (
        make_video(tmp_path / "a.mkv", codec="ffv1", pts=range(2), decorate=decorate),
        tmp_path / f"b.{after}",
    )
    notices = resize_video(video, target, codec="libvpx-vp9" if after == "webm" else "libx265", preset="ultrafast")
    kept = Code.STEREO not in codes_of(notices)
    assert kept == (
        after == "mkv" or mode == "left_right" or (after == "webm" and mode in ("right_left", "bottom_top"))
    )
    assert (stated(target) == stated(video)) == kept
    assert verify_video(video, target, notices=notices).faithful


def spoken(path: Path, tags: dict[int, TrackExtras]) -> Path:
    """A Matroska video with a tone, whose tracks state languages of BCP 47."""

    def decorate(container: Any, _: Any) -> None:
        container.streams[1].metadata["language"] = "por"
        for number, stream in enumerate(container.streams, 1):
            stream.metadata["title"] = "A name" + " " * (ROOM if number in tags else 0)

    make_video(path, sound="aac", decorate=decorate)
    with path.open("r+b") as file:
        add_to_tracks(file, tags)
    return path


BRAZILIAN = {2: TrackExtras(language="pt-BR")}


def test_a_language_of_bcp_47_is_kept_by_matroska_and_announced_elsewhere(tmp_path: Path) -> None:
    video = spoken(tmp_path / "a.mkv", BRAZILIAN)
    with av.open(f"file:{video}") as container:
        assert languages_of(container) == {1: "pt-BR"}
    assert resize_video(video, tmp_path / "b.mkv") == []
    with av.open(f"file:{tmp_path / 'b.mkv'}") as written:
        assert languages_of(written) == {1: "pt-BR"}
        assert [stream.metadata.get("title") for stream in written.streams] == ["A name", "A name"]
    assert verify_video(video, tmp_path / "b.mkv").faithful
    notices = resize_video(video, tmp_path / "b.mp4")
    assert [(notice.codes, notice.streams) for notice in notices] == [((Code.LANGUAGE,), (1,))]
    assert verify_video(video, tmp_path / "b.mp4", notices=notices).faithful
    assert [one.code for one in verify_video(video, tmp_path / "b.mp4").differences] == [Code.LANGUAGE]


def test_a_language_that_says_no_more_than_iso_639_is_not_worth_a_word(tmp_path: Path) -> None:
    video = spoken(tmp_path / "a.mkv", {2: TrackExtras(language="pt")})
    assert resize_video(video, tmp_path / "b.mp4") == []


def test_the_patched_header_of_matroska_is_sound(tmp_path: Path) -> None:
    video = spoken(tmp_path / "a.mkv", {1: TrackExtras(EQUIRECTANGULAR), **BRAZILIAN})
    with video.open("rb") as file:
        found = ebml.find_tracks(file)
    assert found is not None
    assert ebml.with_checksum(found[1]) == found[1]
    assert sum(len(bytes(part)) for part in ebml.elements(found[1])) == len(found[1])
    assert stated(video) == (EQUIRECTANGULAR, None)


@pytest.mark.parametrize("before", ["xyz", "apple", "mkv"])
@pytest.mark.parametrize("after", ["mp4", "mov"])
def test_the_place_of_a_recording_is_where_players_look_for_it(before: str, after: str, tmp_path: Path) -> None:
    place = "+48.8577+002.2950/"

    def decorate(container: Any, _: Any) -> None:
        key = {"apple": "com.apple.quicktime.location.ISO6709", "mkv": "LOCATION"}.get(before, "location")
        container.metadata[key] = place

    options = {"movflags": "use_metadata_tags"} if before == "apple" else {}
    source = tmp_path / f"a.{'mkv' if before == 'mkv' else 'mov'}"
    video, target = make_video(source, decorate=decorate, options=options), tmp_path / f"b.{after}"
    assert resize_video(video, target) == []
    data = target.read_bytes()
    moov = data[data.rindex(b"moov") + 4 :]
    start, end = next((start, end) for kind, start, end in boxes(moov) if kind == "udta")
    places = [moov[a:b] for kind, a, b in boxes(moov[:end], start + 8) if kind == "\xa9xyz"]
    assert len(places) == 1 and places[0][12:] == place.encode()
    assert struct.unpack_from(">H", places[0], 8) == (len(place),)
    with av.open(str(target)) as written:
        assert written.metadata["location"] == place
    assert verify_video(video, target).faithful


def test_a_box_in_a_sample_entry_is_read_by_ffmpeg(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", time_base=Fraction(1, 25))
    insert_box(path, path.read_bytes(), struct.pack(">I4sIB", 13, b"st3d", 0, 2), b"avc1")
    assert stated(path) == (None, SIDE_BY_SIDE)
