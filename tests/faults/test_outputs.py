"""Outputs that cannot be, or cannot go on: refused in a sentence, and nothing is left, nor anything touched."""

import os
import re
import resource
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.inputs import changed, linked
from tests.faults.scene import TIME_LIMIT_S, Outcome, command, contents, run, upscale
from tests.video.videos import frames_of, make_video


class Refused(NamedTuple):
    """An output that ends a run with exit code 6."""

    what: str
    output: Callable[[Path], Path]
    """Folder with video.mp4 -> the output."""
    sentence: str
    options: tuple[str, ...] = ()


def hard_link(path: Path, to: Path) -> Path:
    path.hardlink_to(to)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def taken(path: Path) -> Path:
    path.write_bytes(b"precious")
    return path


REFUSED = [
    Refused("a folder", lambda d: folder(d / "out.mkv"), r"out\.mkv is a folder; name a file in it"),
    Refused("a folder that is not there", lambda d: d / "gone" / "out.mkv", "gone does not exist; create it first"),
    Refused("a file for a folder", lambda d: taken(d / "file") / "out.mkv", "file is a file, not a folder"),
    Refused("a file that is there", lambda d: taken(d / "out.mkv"), r"out\.mkv exists already; pass --overwrite"),
    Refused("the input", lambda d: d / "video.mp4", r"video\.mp4 is the input itself; name another", ("--overwrite",)),
    Refused(
        "a symbolic link to the input",
        lambda d: linked(d / "soft.mp4", d / "video.mp4"),
        r"soft\.mp4 is the input itself; name another",
        ("--overwrite",),
    ),
    Refused(
        "a hard link to the input",
        lambda d: hard_link(d / "hard.mp4", d / "video.mp4"),
        r"hard\.mp4 is the input itself; name another",
        ("--overwrite",),
    ),
    Refused("an extension of no format", lambda d: d / "out.docx", r"ends in \.docx, an unknown output format; use"),
    Refused("no extension", lambda d: d / "out", "has no extension; use one of"),
    Refused("a codec WebM does not hold", lambda d: d / "o.webm", "webm cannot hold libx265", ("--codec", "libx265")),
    Refused("a picture too wide for the codec", lambda d: d / "o.mkv", "libx264 cannot encode", ("--size", "20000x64")),
    Refused(
        "an mp4 to a pipe",
        lambda _: Path("-"),
        "mp4 needs an output that can seek.*use NUT",
        ("-f", "mp4"),
    ),
    Refused("a name that is too long", lambda d: d / f"{'a' * 300}.mkv", "cannot be created: File name too long"),
]


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.what)
def test_an_output_that_cannot_be_is_refused_in_a_sentence(fault: Refused, videos: Path, tmp_path: Path) -> None:
    video = changed(videos, tmp_path, "video.mp4")
    output = fault.output(tmp_path)
    before = contents(tmp_path)
    shown = upscale(*fault.options, video, output)
    assert shown.code == 6 and re.search(fault.sentence, shown.sentence), shown
    assert contents(tmp_path) == before


def test_an_odd_size_is_made_even_for_a_codec_that_needs_it(videos: Path, tmp_path: Path) -> None:
    shown = upscale("--size", "101x75", videos / "video.mp4", tmp_path / "out.mp4")
    assert shown.code == 0 and "101x75 becomes 100x76: chroma subsampling needs even sides" in shown.sentence


def test_a_folder_that_may_not_be_written_to_is_refused(videos: Path, tmp_path: Path) -> None:
    closed = folder(tmp_path / "closed")
    closed.chmod(0o555)
    shown = run(videos / "video.mp4", closed / "out.mkv", bound_by_permissions=True)
    closed.chmod(0o755)
    assert shown.code == 6 and "is not writable; name another" in shown.sentence and not contents(closed)


def on_a_small_disk(folder: Path, *arguments: str | Path, size: str = "64k", options: str = "") -> Outcome:
    """Run with a disk of its own mounted on a folder; the last line said lists what is on it afterwards."""
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    mounting = f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(folder))}"
    if subprocess.run(["unshare", "--mount", *root, "sh", "-c", mounting], capture_output=True).returncode:
        pytest.skip("no small disk may be mounted here")
    work = shlex.join(os.fsdecode(word) for word in command(*arguments))
    remount = f"mount -o remount,{options} {shlex.quote(str(folder))}; " if options else ""
    script = f"{mounting}; {remount}{work}; code=$?; ls -A {shlex.quote(str(folder))} >&2; exit $code"
    shown = subprocess.run(
        ["unshare", "--mount", *root, "sh", "-c", script], stderr=subprocess.PIPE, timeout=TIME_LIMIT_S
    )
    return Outcome(shown.returncode, tuple(shown.stderr.decode().splitlines()))


@pytest.mark.skipif(not Path("/proc/self/ns/mnt").exists(), reason="small disks are mounted the Linux way")
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_disk_that_fills_up_is_said_and_left_empty(extension: str, videos: Path, tmp_path: Path) -> None:
    shown = on_a_small_disk(tmp_path, "--crf", "0", videos / "video.mkv", tmp_path / f"out.{extension}", size="12k")
    assert shown.code == 6 and "its disk is full; free some space, or choose another folder" in shown.sentence


@pytest.mark.skipif(not Path("/proc/self/ns/mnt").exists(), reason="small disks are mounted the Linux way")
def test_a_disk_that_is_read_only_is_said(videos: Path, tmp_path: Path) -> None:
    shown = on_a_small_disk(tmp_path, videos / "video.mkv", tmp_path / "out.mkv", options="ro")
    assert shown.code == 6 and "is not writable; name another" in shown.sentence


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_limit_on_the_size_of_files_is_said(extension: str, videos: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    shown = run("--crf", "0", videos / "video.mkv", tmp_path / f"out.{extension}", preexec_fn=limit)
    assert (
        shown.code == 6
        and f"out.{extension} exceeds the file size limit of its disk or of the shell; choose" in shown.sentence
    )
    assert contents(tmp_path) == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("format", ["nut", "mkv", "ts"])
def test_a_full_device_is_said(format: str, videos: Path) -> None:
    shown = upscale("-f", format, videos / "video.mkv", "/dev/full")
    assert shown.code == 6 and "/dev/full: its disk is full" in shown.sentence


NAMES = {
    "spaces": "a  b .mp4",
    "letters of the world": "ünï-日本-🎞.mp4",
    "quotes": "a'b\"c`d.mp4",
    "a new line": "a\nb.mp4",
    "bytes that are no UTF-8": "a\udcff\udcfe.mp4",
    "percent and d": "a%d b%05dc.mp4",
    "a dash in front": "-dash.mp4",
    "a colon": "co:lon.mp4",
    "a colon and slashes": "http:a.mp4",
    "stars and brackets": "a*[b]?.mp4",
    "a dollar and a semicolon": "$HOME;ls.mp4",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_strange_name_is_a_name(name: str, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        changed(videos, tmp_path, "video.mp4", to=name)
    except OSError:
        pytest.skip("this file system has no such names")
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "out")
    shown = upscale("--", name, f"out/{name}")
    assert shown.code == 0 and shown.said == ()
    assert len(frames_of(tmp_path / "out" / name)) == len(frames_of(videos / "video.mp4"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", ["a\udcff.mp4", "a\nb.mp4"])
def test_a_failure_names_a_strange_name_in_one_line_of_text(name: str, tmp_path: Path) -> None:
    shown = upscale("--", str(tmp_path / name), tmp_path / "out.mkv")
    assert shown.code == 3 and re.search(r"a(\\nb|\ufffd)\.mp4 is not there", shown.sentence)


def test_a_name_in_a_process_of_its_own_comes_through_the_command_line(videos: Path, tmp_path: Path) -> None:
    name = "-ü\udcff %d'\n.mp4"
    changed(videos, tmp_path, "video.mp4", to=name)
    shown = run("--", name, f"./out{name}", cwd=tmp_path)
    assert shown.code == 0 and len(frames_of(tmp_path / f"out{name}")) > 0


def test_pictures_numbered_by_a_name_are_no_video(videos: Path, tmp_path: Path) -> None:
    make_video(tmp_path / "o%d.mkv", pts=range(3))
    assert upscale(tmp_path / "o%d.mkv", tmp_path / "p%d.mkv").code == 0
    assert len(frames_of(tmp_path / "p%d.mkv")) == 3
