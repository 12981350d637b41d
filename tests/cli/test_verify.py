"""`vidsr verify` and `vidsr upscale --verify` as their user meets them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.clips import video
from tests.verify.remuxed import remux
from tests.video.videos import make_video
from vidsr.cli import app


def vidsr(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "clip.mkv")


@pytest.fixture
def silent(clip: Path, tmp_path: Path) -> Path:
    return remux(clip, tmp_path / "silent.mkv", streams=lambda stream: stream.type == "video")


def test_a_faithful_output_is_a_table_and_exit_code_0(clip: Path, tmp_path: Path) -> None:
    vidsr("upscale", "-m", "nearest", clip, tmp_path / "larger.mp4")
    shown = vidsr("verify", clip, tmp_path / "larger.mp4")
    assert shown.exit_code == 0
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in shown.stdout.splitlines()]
    assert ["frames", "12", "12", "holds"] in rows
    assert ["size", "64x48", "128x96, 2 times", "holds"] in rows


def test_a_difference_is_exit_code_8_and_named(clip: Path, silent: Path) -> None:
    shown = vidsr("verify", clip, silent)
    assert shown.exit_code == 8
    assert shown.stderr == f"vidsr: {silent} is not faithful to {clip}; unannounced differences: stream 1\n"


def test_json_says_all_of_it(clip: Path, silent: Path) -> None:
    shown = vidsr("verify", "--json", clip, silent)
    found = json.loads(shown.stdout)
    assert shown.exit_code == 8 and not found["faithful"]
    assert {"name": "stream 1", "source": "audio, aac", "target": "missing", "state": "differs", "announced": ""} in (
        found["findings"]
    )


def test_upscale_verifies_what_it_wrote_on_stderr(clip: Path, tmp_path: Path) -> None:
    shown = vidsr("upscale", "-m", "nearest", "--verify", clip, tmp_path / "larger.ts")
    assert shown.exit_code == 0 and shown.stdout == ""
    assert "| frames " in shown.stderr and "differs" not in shown.stderr


def test_upscale_excuses_what_it_announced(clip: Path, tmp_path: Path) -> None:
    shown = vidsr("upscale", "-m", "nearest", "--verify", "--json", clip, tmp_path / "larger.y4m")
    assert shown.exit_code == 0
    found = json.loads(shown.stderr.splitlines()[-1])["verification"]
    assert [f["name"] for f in found["findings"] if f["state"] == "announced"] == ["stream 1"]
    assert vidsr("verify", clip, tmp_path / "larger.y4m").exit_code == 8


def test_what_was_announced_is_said_once(clip: Path, tmp_path: Path) -> None:
    shown = vidsr("upscale", "-m", "nearest", "--verify", clip, tmp_path / "larger.y4m")
    assert "| announced |" in shown.stderr
    assert shown.stderr.count("is left out") == 1


def test_quiet_says_nothing_of_what_holds(clip: Path, tmp_path: Path) -> None:
    shown = vidsr("upscale", "-m", "nearest", "--verify", "--quiet", clip, tmp_path / "larger.mkv")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "")


@pytest.mark.parametrize("ends", [("clip.mkv", "-"), ("-", "b.mkv"), ("clip.mkv", "udp://127.0.0.1:9")])
def test_what_cannot_be_read_again_is_refused(ends: tuple[str, str], clip: Path) -> None:
    for command in (["upscale", "--verify", "-f", "nut"], ["verify"]):
        shown = vidsr(*command, *(str(clip.parent / end) if end == "clip.mkv" else end for end in ends))
        assert shown.exit_code in (2, 3, 6), shown.stderr
        assert "cannot be read a second time" in " ".join(shown.stderr.replace("│", " ").split())


def test_what_a_file_says_of_itself_cannot_command_the_terminal(tmp_path: Path) -> None:
    def titled(container: Any, _: Any) -> None:
        container.metadata["\x1b[2Jtitle"] = "\x1b]0;mine\x07"

    video = make_video(tmp_path / "a.mkv", decorate=titled)
    done = vidsr("upscale", video, tmp_path / "b.ts", "--model", "nearest", "--verify")
    assert "mpegts cannot store them" in done.stderr and "\\x1b" in done.stderr
    assert "\x1b" not in done.stderr


def test_the_input_is_probed_as_far_as_for_upscaling(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", pts=range(250), sound="mp2", size=(32, 32))
    late = remux(whole, tmp_path / "b.ts", packets=lambda packet, index: not packet.stream.index or index > 375)
    shown = {size: vidsr("verify", "--probe", size, late, late) for size in ("1k", "10M", "much")}
    assert {size: result.exit_code for size, result in shown.items()} == {"1k": 8, "10M": 0, "much": 2}
