"""Of several programmes in MPEG-TS one is kept, with its name, number and PIDs; `verify` misses what is dropped."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

from tests.video.videos import codes_of, make_video, resize_video
from vidsr.context import Code, Notice
from vidsr.verify import verify_video
from vidsr.video.read.description import describe_input


def service(path: Path, *, number: int = 77, pid: int = 0x321, name: str = "News", station: str = "A station") -> Path:
    """A TS with a named service of a video and a tone. pid: of the video; that of the tone follows."""

    def decorate(container: Any, stream: Any) -> None:
        container.metadata.update({"service_name": name, "service_provider": station})
        for index, one in enumerate(container.streams):
            one.id = pid + index

    options = {"mpegts_service_id": str(number), "mpegts_pmt_start_pid": "0x1010"}
    return make_video(path, sound="mp2", decorate=decorate, options=options)


@pytest.mark.parametrize("pid", [0x321, 0x1000])  # the last is where FFmpeg's muxer puts a table
def test_a_service_keeps_name_number_and_pids(pid: int, tmp_path: Path) -> None:
    video, target = service(tmp_path / "a.ts", pid=pid), tmp_path / "b.ts"
    assert resize_video(video, target) == []
    with av.open(str(target)) as written:
        (program,) = describe_input(written).programs
        assert [stream.id for stream in written.streams] == [pid, pid + 1]
    assert (program.number, program.tags) == (77, {"service_name": "News", "service_provider": "A station"})
    assert verify_video(video, target).faithful


@pytest.mark.parametrize(
    ("change", "code"),
    [({"number": 78}, Code.PROGRAM), ({"pid": 0x400}, Code.PROGRAM), ({}, None)],
)
def test_verify_misses_the_number_and_the_pids(change: dict[str, int], code: Code | None, tmp_path: Path) -> None:
    found = verify_video(service(tmp_path / "a.ts"), service(tmp_path / "b.ts", **change))
    assert {one.code for one in found.differences} == ({code} if code else set())


@pytest.mark.parametrize("after", ["mkv", "mp4"])
def test_the_name_of_a_service_becomes_a_tag(after: str, tmp_path: Path) -> None:
    video, target = service(tmp_path / "a.ts"), tmp_path / f"b.{after}"
    notices = resize_video(video, target)
    with av.open(str(target)) as written:
        tags = {key.lower(): value for key, value in written.metadata.items()}
        assert (tags["service_name"], tags["service_provider"]) == ("News", "A station")
    assert verify_video(video, target, notices=notices).faithful
    plain = make_video(tmp_path / "c.ts", sound="mp2")
    assert Code.TAGS in {one.code for one in verify_video(video, plain).differences}


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="only the ffmpeg command writes several programmes")
@pytest.mark.parametrize("after", ["ts", "mkv"])
def test_one_of_two_programmes_is_kept_and_the_other_announced(after: str, tmp_path: Path) -> None:
    small = make_video(tmp_path / "small.mp4", size=(32, 32), sound="mp2")
    large = make_video(tmp_path / "large.mp4", sound="mp2")
    both, target = tmp_path / "a.ts", tmp_path / f"b.{after}"
    programs = ["-program", "title=One:program_num=10:st=0:st=1", "-program", "title=Two:program_num=20:st=2:st=3"]
    inputs = ["-i", str(small), "-i", str(large), "-map", "0", "-map", "1", "-c", "copy"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *programs, str(both)], check=True)
    notices = resize_video(both, target)
    assert [(notice.codes, notice.streams) for notice in notices] == [((Code.STREAM,), (2, 3))]
    with av.open(str(target)) as written:
        assert [stream.type for stream in written.streams] == ["video", "audio"]
    assert verify_video(both, target, notices=notices).faithful
    assert not verify_video(both, target, notices=[Notice("nothing")]).faithful
    assert codes_of(notices) == [Code.STREAM]


def test_of_the_variants_of_hls_the_largest_is_kept(tmp_path: Path) -> None:
    playlist = ["#EXTM3U", "#EXT-X-VERSION:3"]
    for number, size in enumerate([(32, 32), (64, 48)]):
        make_video(tmp_path / f"{number}.ts", size=size, sound="aac")
        media = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:0.48,", f"{number}.ts", "#EXT-X-ENDLIST"]
        (tmp_path / f"{number}.m3u8").write_text("\n".join(media))
        playlist += [f"#EXT-X-STREAM-INF:BANDWIDTH={number + 1}00000", f"{number}.m3u8"]
    (tmp_path / "a.m3u8").write_text("\n".join(playlist))
    notices = resize_video(tmp_path / "a.m3u8", tmp_path / "b.mkv")
    assert [notice.streams for notice in notices] == [(0, 1)]
    with av.open(str(tmp_path / "b.mkv")) as written:
        assert [stream.type for stream in written.streams] == ["video", "audio"]
        assert written.streams.video[0].width == 128
    assert verify_video(tmp_path / "a.m3u8", tmp_path / "b.mkv", notices=notices).faithful
