"""Films made in segments: stopped anywhere and gone on with, they are the film that nothing stopped, byte by byte."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.clips import sound_of, times_of, video
from tests.networks import network, save
from tests.video.videos import facts_of, make_video
from tests.video.write.copy.test_stream_copy import subtitled
from vidsr.context import Progress
from vidsr.errors import DiskFull, InputError, NotPipeable, OutputError, TargetExists
from vidsr.pipeline import upscale_video
from vidsr.pipeline.progress import Summary
from vidsr.pipeline.resume import segments
from vidsr.pipeline.resume.journal import Journal

SIZE = 10  # frames of a segment
EVEN = [*range(0, 1800, 40)]
UNEVEN = [*range(0, 400, 40), 9_000, 9_040, *range(9_050, 9_200, 7), 20_000, 20_001, *range(30_000, 30_300, 33)]


def upscaled(source: Path, target: Path, **options: Any) -> Summary:
    return upscale_video(source, target, **{"model": "bicubic", "resume": True, "segment_frames": SIZE, **options})


class Enough(Exception):
    """The run is to stop here."""


def stopped(source: Path, target: Path, *, after: int, **options: Any) -> Path:
    """Stop a run when so many frames were told of; the folder it left."""

    def progress(now: Progress) -> None:
        if now.frames >= after:
            raise Enough

    with pytest.raises(Enough):
        upscaled(source, target, progress=progress, **options)
    assert not target.exists()
    return target.with_name(f"{target.name}.vidsr")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "clip.mkv", times=EVEN)  # 45 frames: five segments, the last one short


@pytest.fixture
def whole(clip: Path, tmp_path: Path) -> bytes:
    """The film that nothing stopped."""
    upscaled(clip, tmp_path / "whole.mkv")
    return (tmp_path / "whole.mkv").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "times"), [("mkv", UNEVEN), ("mp4", UNEVEN), ("mp4", EVEN), ("ts", EVEN), ("nut", UNEVEN)]
)
def test_a_film_in_segments_has_the_pictures_times_and_sound_of_an_ordinary_one(
    tmp_path: Path, suffix: str, times: list[int]
) -> None:
    clip = video(tmp_path / "clip.mkv", times=times)
    upscaled(clip, tmp_path / f"a.{suffix}")
    upscaled(clip, tmp_path / f"b.{suffix}", resume=False)
    ours, ordinary = facts_of(tmp_path / f"a.{suffix}"), facts_of(tmp_path / f"b.{suffix}")
    assert ours == ordinary
    assert len(ours.times) == len(times)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}", "clip.mkv"]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_subtitles_chapters_tags_and_attachments_are_those_of_an_ordinary_film(tmp_path: Path, suffix: str) -> None:
    clip = subtitled(tmp_path)
    ours = upscaled(clip, tmp_path / f"a.{suffix}")
    ordinary = upscaled(clip, tmp_path / f"b.{suffix}", resume=False)
    assert facts_of(tmp_path / f"a.{suffix}") == facts_of(tmp_path / f"b.{suffix}")
    assert ours.notices == ordinary.notices


def test_decoding_times_rise_where_segments_meet_before_a_gap(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mkv", times=UNEVEN)
    upscaled(clip, tmp_path / "larger.mkv", preset="medium")
    with av.open(str(tmp_path / "larger.mkv")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size and packet.dts is not None]
    assert all(packet.pts >= packet.dts for packet in packets if packet.pts is not None)
    assert all(a.dts < b.dts for a, b in pairwise(packets))  # type: ignore[operator]
    assert times_of(tmp_path / "larger.mkv") == times_of(clip)


def test_frames_too_close_for_the_ticks_of_the_output_stay_apart_where_segments_meet(tmp_path: Path) -> None:
    times = [40_000 * index for index in range(10)]
    times += [times[-1] + gap for gap in (2, 4, 6, 40_000, 80_000)]  # microseconds, and an mp4 counts in 11 of them
    clip = make_video(tmp_path / "clip.nut", pts=times, time_base=Fraction(1, 1_000_000))
    for name, resume in (("a.mp4", True), ("b.mp4", False)):
        upscaled(clip, tmp_path / name, resume=resume)
    assert facts_of(tmp_path / "a.mp4") == facts_of(tmp_path / "b.mp4")
    assert len(set(times_of(tmp_path / "a.mp4"))) == len(times)


def test_a_piece_is_made_in_segments_too(clip: Path, tmp_path: Path) -> None:
    for name, resume in (("a.mkv", True), ("b.mkv", False)):
        upscaled(clip, tmp_path / name, resume=resume, start=0.4, duration=1)
    assert facts_of(tmp_path / "a.mkv") == facts_of(tmp_path / "b.mkv")
    assert len(times_of(tmp_path / "a.mkv")) == 25


@pytest.mark.parametrize("after", [1, 15, 30, 45])
def test_a_run_that_was_stopped_is_gone_on_with(clip: Path, whole: bytes, tmp_path: Path, after: int) -> None:
    target = tmp_path / "larger.mkv"
    folder = stopped(clip, target, after=after)
    done = len(list(folder.glob("*.packets")))
    told: list[Progress] = []
    summary = upscaled(clip, target, progress=told.append)
    assert target.read_bytes() == whole
    assert not folder.exists()
    assert told[0].frames == done * SIZE + 1
    assert told[0].frames_before == done * SIZE and told[-1].frames == summary.frames == 45


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9", "libvpx", "ffv1", "mpeg4", "mjpeg"])
def test_every_codec_that_repeats_itself_is_gone_on_with(clip: Path, tmp_path: Path, codec: str) -> None:
    for name in ("whole.mkv", "larger.mkv"):
        if name == "larger.mkv":
            stopped(clip, tmp_path / name, after=25, codec=codec)
        summary = upscaled(clip, tmp_path / name, codec=codec)
        assert not [said for said in summary.notices if "repeat" in str(said)]
    assert (tmp_path / "larger.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert times_of(tmp_path / "larger.mkv") == times_of(clip)


def test_a_network_is_gone_on_with(clip: Path, tmp_path: Path) -> None:
    tiny = save(network(), tmp_path / "tiny.onnx")
    for name in ("whole.mkv", "larger.mkv"):
        if name == "larger.mkv":
            stopped(clip, tmp_path / name, after=25, model=tiny)
        upscaled(clip, tmp_path / name, model=tiny)
    assert (tmp_path / "larger.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()


ALONE = """
import sys
from vidsr.pipeline import upscale_video
source, target = sys.argv[1:]
tell = lambda now: print(now.frames, flush=True)
upscale_video(source, target, model="bicubic", resume=True, segment_frames=10, progress=tell)
"""


def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(clip: Path, whole: bytes, tmp_path: Path) -> None:
    chance, target = random.Random(0), tmp_path / "larger.mkv"
    for moment in (1, 12, 23, 33, 45, None):
        perturbed = {**os.environ, "MALLOC_PERTURB_": str(chance.randint(1, 255))}  # fills memory, with glibc
        command = [sys.executable, "-c", ALONE, str(clip), str(target)]
        with subprocess.Popen(command, env=perturbed, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) == moment:
                    time.sleep(chance.uniform(0, 0.02))
                    process.kill()
            code = process.wait(60)
        if target.exists():  # the last kill may come behind the film
            break
        assert code == -signal.SIGKILL
    assert target.read_bytes() == whole


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"crf": 23},
            "was begun with crf 20.0, and this run has crf 23.0; ask for the same, or delete .* to start again",
        ),
        ({"preset": "fast"}, "with preset veryfast, and this run has preset fast"),
        ({"scale": 3}, "with no scale, and this run has scale 3"),
        ({"model": "nearest"}, "with model bicubic, and this run has model nearest"),
        ({"segment_frames": 20}, "with segment_frames 10, and this run has segment_frames 20"),
        ({"encoder_options": {"tune": "film"}}, 'has encoder_options {"tune": "film"}'),
    ],
)
def test_other_settings_are_refused_with_what_differs(
    clip: Path, tmp_path: Path, changed: dict[str, Any], sentence: str
) -> None:
    folder = stopped(clip, tmp_path / "larger.mkv", after=25)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(OutputError, match=sentence):
        upscaled(clip, tmp_path / "larger.mkv", **changed)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_another_input_is_refused(clip: Path, tmp_path: Path) -> None:
    stopped(clip, tmp_path / "larger.mkv", after=25)
    facts = clip.stat()
    os.utime(clip, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    with pytest.raises(
        OutputError, match=r"with an input of a modified of .* delete .*larger.mkv.vidsr to start again"
    ):
        upscaled(clip, tmp_path / "larger.mkv")
    data = bytearray(clip.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    os.utime(clip, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(OutputError, match="with an input of other content"):
        upscaled(clip, tmp_path / "larger.mkv")


def test_another_network_of_the_same_name_is_refused(clip: Path, tmp_path: Path) -> None:
    tiny = save(network(), tmp_path / "tiny.onnx")
    stopped(clip, tmp_path / "larger.mkv", after=25, model=tiny)
    save(network(scale=2, seed=1), tiny)
    with pytest.raises(OutputError, match="begun with another file of this model; delete"):
        upscaled(clip, tmp_path / "larger.mkv", model=tiny)


def test_another_version_is_refused(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(clip, tmp_path / "larger.mkv", after=25)
    monkeypatch.setattr(segments, "version", lambda _: "0.0.0")
    with pytest.raises(OutputError, match=r"this run has vidsr 0\.0\.0; go back to that version, or delete"):
        upscaled(clip, tmp_path / "larger.mkv")


def test_an_input_that_changes_on_the_way_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="changed while it was read"):
        upscaled(clip, tmp_path / "larger.mkv", progress=lambda now: os.utime(clip) if now.frames == 40 else None)
    assert not (tmp_path / "larger.mkv").exists()


def torn(folder: Path) -> None:
    with (folder / "journal.jsonl").open("r+b") as journal:
        journal.truncate(journal.seek(0, os.SEEK_END) - 20)


def flipped(folder: Path) -> None:
    file = folder / "segment-000001.packets"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def shortened(folder: Path) -> None:
    os.truncate(folder / "segment-000000.packets", 100)


def lost(folder: Path) -> None:
    (folder / "segment-000002.packets").unlink()


def unnoted(folder: Path) -> None:
    (folder / "journal.jsonl").unlink()


@pytest.mark.parametrize(("damage", "again"), [(torn, 1), (flipped, 1), (shortened, 1), (lost, 1), (unnoted, 3)])
def test_what_is_not_whole_is_made_again(
    clip: Path, whole: bytes, tmp_path: Path, damage: Callable[[Path], None], again: int
) -> None:
    folder = stopped(clip, tmp_path / "larger.mkv", after=35)
    damage(folder)
    told: list[Progress] = []
    upscaled(clip, tmp_path / "larger.mkv", progress=told.append)
    assert (tmp_path / "larger.mkv").read_bytes() == whole
    assert len(told) == 15 + again * SIZE


def test_two_runs_on_one_folder_are_refused(clip: Path, whole: bytes, tmp_path: Path) -> None:
    folder = stopped(clip, tmp_path / "larger.mkv", after=25)

    def second(now: Progress) -> None:
        if now.frames == 40:
            with pytest.raises(OutputError, match=r"another run is using .*larger.mkv.vidsr; wait"):
                upscaled(clip, tmp_path / "larger.mkv")

    upscaled(clip, tmp_path / "larger.mkv", progress=second)
    assert (tmp_path / "larger.mkv").read_bytes() == whole
    assert not folder.exists()


@pytest.mark.parametrize("moment", ["move_into_place", "open_sink", "_joined"])
def test_a_run_that_died_at_its_end_is_gone_on_with(
    clip: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Enough

    with monkeypatch.context() as patched, pytest.raises(Enough):
        patched.setattr(segments, moment, die)
        upscaled(clip, tmp_path / "larger.mkv")
    assert upscaled(clip, tmp_path / "larger.mkv").frames == 45
    assert (tmp_path / "larger.mkv").read_bytes() == whole
    assert not (tmp_path / "larger.mkv.vidsr").exists()


def test_what_a_run_left_that_died_behind_its_end_is_cleared_up(
    clip: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "remove", lambda _: None)
        upscaled(clip, tmp_path / "larger.mkv")
    assert (tmp_path / "larger.mkv.vidsr").exists()
    with pytest.raises(TargetExists):
        upscaled(clip, tmp_path / "larger.mkv")
    assert (tmp_path / "larger.mkv").read_bytes() == whole
    assert not (tmp_path / "larger.mkv.vidsr").exists()


def test_a_full_disk_keeps_what_is_done_and_says_so(
    clip: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(
            DiskFull, match=r"larger.mkv.vidsr: its disk is full; .* the same command continues with what"
        ):
            upscaled(clip, tmp_path / "larger.mkv")
    assert list((tmp_path / "larger.mkv.vidsr").glob("*.packets"))
    upscaled(clip, tmp_path / "larger.mkv")
    assert (tmp_path / "larger.mkv").read_bytes() == whole


def test_an_existing_target_is_left_alone_unless_overwriting_is_asked_for(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "larger.mkv"
    target.write_bytes(b"precious")
    with pytest.raises(TargetExists, match="--overwrite"):
        upscaled(clip, target)
    assert target.read_bytes() == b"precious"
    upscaled(clip, target, overwrite=True)
    assert sound_of(target) == sound_of(clip)


@pytest.mark.parametrize(
    ("source", "target", "error", "sentence"),
    [
        ("-", "larger.mkv", InputError, "stdin is not a file; --resume reads its input again"),
        ("http://localhost/clip.mkv", "larger.mkv", InputError, "is not a file; --resume reads"),
        ("/dev/null", "larger.mkv", InputError, "/dev/null is not a file"),
        ("frame%d.png", "larger.mkv", InputError, "is not a file; --resume reads"),
        ("clip.mkv", "-", NotPipeable, "stdout is not a file, which --resume writes"),
        ("clip.mkv", "tcp://localhost:1", NotPipeable, "is not a file, which --resume writes"),
        ("clip.mkv", "/dev/null", NotPipeable, "/dev/null is not a file"),
        ("clip.mkv", "larger.png", OutputError, "holds images, which stay once they are made; leave --resume out"),
        ("clip.mkv", "larger.y4m", OutputError, "holds raw frames, not packets; leave --resume out"),
    ],
)
def test_what_cannot_resume_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str, error: type[Exception], sentence: str
) -> None:
    monkeypatch.chdir(video(tmp_path / "clip.mkv").parent)
    with pytest.raises(error, match=sentence):
        upscale_video(source, target, model="bicubic", resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


def test_a_playlist_is_refused(tmp_path: Path) -> None:
    video(tmp_path / "0.ts")
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:0.48,", "0.ts", "#EXT-X-ENDLIST", ""]
    (tmp_path / "clip.m3u8").write_text("\n".join(lines))
    with pytest.raises(InputError, match="is a list of other files, which may change; leave --resume out"):
        upscaled(tmp_path / "clip.m3u8", tmp_path / "larger.mkv")
    assert not (tmp_path / "larger.mkv.vidsr").exists()


def test_transparency_that_segments_cannot_keep_is_refused(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mov", codec="prores_ks", layout="yuva444p10le", times=[0, 40])
    with pytest.raises(OutputError, match="stores alpha beside its packets, where segments cannot keep it"):
        upscaled(clip, tmp_path / "larger.webm")
    upscaled(clip, tmp_path / "larger.mov", codec="prores_ks")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mov", "larger.mov"]


@pytest.mark.parametrize("options", [{"mbtree": "1"}, {"threads": "2"}, {"x264-params": "rc-lookahead=9:mbtree=1"}])
def test_options_that_would_not_repeat_are_refused(clip: Path, tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(OutputError, match=r"--resume sets (mbtree|threads) of libx264 itself"):
        upscaled(clip, tmp_path / "larger.mkv", encoder_options=options)
    assert not (tmp_path / "larger.mkv").exists()


def test_a_codec_that_may_not_repeat_itself_says_so(clip: Path, tmp_path: Path) -> None:
    summary = upscaled(clip, tmp_path / "larger.mkv", codec="mpeg1video")
    assert any("mpeg1video may not be repeatable" in notice.message for notice in summary.notices)
    assert times_of(tmp_path / "larger.mkv") == times_of(clip)
