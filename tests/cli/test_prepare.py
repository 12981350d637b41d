import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from tests.data.drawings import draw_photo
from vidsr.cli import app

CLEAN = [f"--set={name}=0" for name in ("coded", "soft", "recompressed", "blurred", "resized", "grainy", "jpeg")]


def run(*words: object):
    return CliRunner().invoke(app, ["prepare", *map(str, words)])


@pytest.fixture
def photos(tmp_path):
    for i in range(3):
        draw_photo(tmp_path / "photos" / f"{i}.png", seed=i)
    return tmp_path / "photos"


def test_stdout_has_the_store_alone_and_stderr_what_is_in_it_and_what_was_left_out(photos, tmp_path):
    (photos / "bad.jpg").write_text("no picture")
    done = run(photos, "-o", tmp_path / "store", "--scale", 2, "--pairs", 12, *CLEAN)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'store'}\n")
    first, second = done.stderr.splitlines()
    assert first.startswith("vidsr: ") and "for train" in first and "for test" in first
    assert second.startswith("vidsr: left out: photos/bad.jpg: bad.jpg cannot be read as an image")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--set", "crf=20,99"], 3, "the range crf is (20.0, 99.0)"),
        (["--frames", "2"], 3, "1 frame or 3 to 7"),
        (["--recipe", "nothing"], 9, "no recipe nothing"),
        (["--set", "colour=1"], 2, "unknown setting 'colour'"),
        (["--set", "coded=much"], 2, "coded expects numbers, got 'much'"),
        (["--set", "crf=20"], 2, "crf expects two numbers"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_before_anything_is_read(tmp_path, words, code, sentence):
    done = run(tmp_path / "nowhere", "-o", tmp_path / "store", *words)
    assert done.exit_code == code
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_ctrl_c_is_one_line_and_130_and_the_same_command_goes_on(photos, tmp_path):
    command = [sys.executable, "-m", "vidsr", "prepare", photos, "-o", tmp_path / "store", "--patch-size", "16", *CLEAN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun = time.monotonic()
    while not list(tmp_path.glob("store.part/parts/*.npz")) and time.monotonic() < begun + 30:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)
    assert (process.returncode, *said) == (130, "", "vidsr: stopped; the same command goes on\n")
    assert list(tmp_path.glob("store.part/parts/*.npz"))
