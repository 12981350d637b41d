"""Every file of a folder is upscaled faithfully, or refused in a sentence; never half, never silently less.

VIDSR_MEDIA names a folder of odd and broken files; without it those that the test makes itself stand for them.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.video.videos import drawing, make_video
from vidsr.errors import VidsrError
from vidsr.pipeline import upscale_video
from vidsr.verify import verify_video

LONGEST_S = 300  # for one file, on a busy machine
CHILD = "import sys; sys.path[:0] = sys.argv[1:2]; from tests.test_corpus import enlarge; enlarge(*sys.argv[2:])"
STILLS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MADE: dict[str, Callable[[Path], object]] = {
    "even.mp4": lambda path: make_video(path, sound="aac"),
    "uneven.mkv": lambda path: make_video(path, pts=[0, 1, 5, 6, 20, 100], sound="flac"),
    "late.ts": lambda path: make_video(path, codec="mpeg2video", pts=range(250, 270), sound="mp2"),
    "ten_bits.mkv": lambda path: make_video(path, pixel_format="yuv422p10le"),
    "odd.mkv": lambda path: make_video(path, size=(7, 5), codec="ffv1", pixel_format="yuv444p"),
    "one.nut": lambda path: make_video(path, codec="ffv1", pts=[0]),
    "gray.mkv": lambda path: make_video(path, codec="ffv1", pixel_format="gray"),
    "cut.mkv": lambda path: cut(make_video(path, pts=range(50), sound="aac")),
    "cut.mp4": lambda path: cut(make_video(path, pts=range(50))),
    "empty.mp4": lambda path: path.write_bytes(b""),
    "text.mp4": lambda path: path.write_text("no film"),
    "photo.jpg": lambda path: Image.fromarray(drawing(64, 48)).save(path),
    "drawing.png": lambda path: Image.fromarray(drawing(63, 47)).save(path, dpi=(300, 300)),
    "moving.gif": lambda path: Image.fromarray(drawing(64, 48)).save(
        path, save_all=True, append_images=[Image.fromarray(drawing(64, 48, 9))], duration=[100, 500]
    ),
}  # fmt: skip


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def given() -> list[Path]:
    folder = Path(os.environ.get("VIDSR_MEDIA", ""))
    return sorted(path for path in folder.rglob("*") if path.is_file()) if os.environ.get("VIDSR_MEDIA") else []


def enlarge(source: str, target: str, model: str) -> None:
    """Enlarge one file and say what came of it, in a process that may be ended: `refused` or each difference."""
    before = {path.name for path in Path(target).parent.iterdir()}
    try:
        summary = upscale_video(source, target, model=model, preset="ultrafast")
    except VidsrError as exc:
        left = {path.name for path in Path(target).parent.iterdir()} - before
        sentence = str(exc)
        assert not left, f"{left} left behind"
        assert sentence and "\n" not in sentence, f"{sentence!r} is no sentence"
        print(f"refused ({exc.exit_code}): {sentence}")
        return
    found = verify_video(source, target, notices=summary.notices)
    for finding in found.differences:
        print(f"differs: {finding.name}: {finding.source} -> {finding.target}; told: {list(summary.notices)}")


def outcome(source: Path, folder: Path, model: str) -> str:
    """What a process of its own says of one file; fails where it ends otherwise or not at all."""
    target = folder / f"out{source.suffix if source.suffix.lower() in STILLS else '.mkv'}"
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", CHILD, str(root), str(source), str(target), model]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LONGEST_S, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert target.exists() != done.stdout.startswith("refused")
    return done.stdout


@pytest.mark.parametrize("model", ["nearest", "live-x2"])
@pytest.mark.parametrize("source", given(), ids=lambda path: path.name)
def test_every_file_of_the_folder_is_upscaled_faithfully_or_refused(source: Path, model: str, tmp_path: Path) -> None:
    assert "differs" not in (said := outcome(source, tmp_path, model)), said


@pytest.mark.parametrize("name", MADE)
def test_every_file_made_here_is_upscaled_faithfully_or_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MADE[name](tmp_path / name)
    models = ["nearest", "live-x2"] if name in ("even.mp4", "photo.jpg") else ["nearest"]
    for model in models:
        target = tmp_path / f"{model}{Path(name).suffix if Path(name).suffix in STILLS else '.mkv'}"
        enlarge(str(tmp_path / name), str(target), model)
        said = capsys.readouterr().out
        assert "differs" not in said, said
        assert said.startswith("refused") == (name in ("cut.mp4", "empty.mp4", "text.mp4"))
