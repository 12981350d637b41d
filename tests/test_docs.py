"""README and docs: every command shown is run, or needs what the comment above it says; tables and links are true.

A block that cannot be run everywhere has a comment in the line above it: `<!-- needs: ffmpeg -->`. What is in AVAILABLE
is looked for; anything else (network, gpu, minutes, training data) skips the block.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import typer
from PIL import Image

from tests import clips
from tests.networks import network
from tests.test_house import FLOORS
from vidsr import errors, zoo
from vidsr.cli import app
from vidsr.engines import ENGINES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "export" / "README.md"]

AVAILABLE = {
    "ffmpeg": lambda: shutil.which("ffmpeg") is not None,
    "evaluation packages": lambda: all(importlib.util.find_spec(name) for name in ("cv2", "matplotlib")),
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    place: str
    language: str
    needs: tuple[str, ...]
    text: str


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of all pages in these languages, each text once."""
    fence = re.compile(r"(?:^<!-- needs: (?P<needs>[^\n]*?) -->\n)?^```(?P<lang>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in fence.finditer(text):
            place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start('text'))}"
            needs = tuple(re.split(r",\s*", match["needs"])) if match["needs"] else ()
            found.append(Block(place, match["lang"], needs, match["text"]))
    return list({block.text: block for block in reversed(found) if block.language in languages}.values())[::-1]


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small files under the names that the pages use, and commands for the PATH in `bin`."""
    folder = tmp_path_factory.mktemp("docs")
    clips.video(folder / "video.mp4", times=range(0, 1500, 125))
    clips.video(folder / "video.mkv", times=range(0, 240, 40))
    onnx.save(network(), folder / "model.onnx")
    (folder / "frames").mkdir()
    for index in range(3):
        Image.fromarray(clips.drawn((64, 48), index)).convert("RGB").save(folder / "frames" / f"{index:05d}.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save(folder / "photo.jpg")
    (folder / "samples").symlink_to(ROOT / "samples")
    commands = {
        "vidsr": f'exec {shlex.quote(sys.executable)} -m vidsr "$@"',
        "python": f'exec {shlex.quote(sys.executable)} "$@"',
        "ffplay": "exec ffmpeg -loglevel error -i - -f null -",  # decodes what it would show
    }
    (folder / "bin").mkdir()
    for name, line in commands.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("block", blocks("sh", "python"), ids=lambda block: block.place)
def test_what_is_shown_runs(block: Block, stand_ins: Path, tmp_path: Path) -> None:
    if missing := [each for each in block.needs if not AVAILABLE.get(each, lambda: False)()]:
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path / "work"
    shutil.copytree(stand_ins, folder, symlinks=True)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    surroundings = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, block.text], cwd=folder, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def known_options() -> dict[str, set[str]]:
    """The options of each command."""
    command: Any = typer.main.get_command(app)
    return {
        name: {option for param in each.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
        for name, each in command.commands.items()
    }


def commands_in(text: str) -> Iterator[list[str]]:
    """The calls of vidsr in a shell block: command, options and arguments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = list(shlex.shlex(line, posix=True, punctuation_chars="|&;"))
        starts = [index for index, word in enumerate(words) if Path(word).name == "vidsr"]
        for start in starts:
            rest = words[start + 1 :]
            end = next((index for index, word in enumerate(rest) if re.fullmatch(r"[|&;]+", word)), len(rest))
            yield rest[:end]


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.place)
def test_the_options_shown_exist(block: Block) -> None:
    options = known_options()
    for name, *words in commands_in(block.text):
        assert name in options
        assert not [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in options[name]]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_the_options_mentioned_exist(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    known = set().union(*known_options().values()) | {"--version"}
    ours = [span for span in re.findall(r"`([^`\n]+)`", prose) if span.startswith(("-", "vidsr "))]
    assert not [word for span in ours for word in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", span) if word not in known]


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.place)
def test_a_recipe_shown_is_one(block: Block) -> None:
    recipe_file = pytest.importorskip("vidsr.train.recipe_file", exc_type=ImportError)
    assert recipe_file.parse_recipe(tomllib.loads(block.text)).name


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


@pytest.mark.parametrize("page", [*TEXTS, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(file for entry in contents for file in entry.values()) == [
        page.name for page in PAGES if page.parent.name == "docs"
    ]


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 700
    first, second, *_ = [block for block in blocks("sh") if block.place.startswith("README.md")]
    assert first.text.strip() == (
        "python3 -m venv .venv && .venv/bin/pip install . && "
        ".venv/bin/vidsr upscale --scale 4 samples/clip.mp4 larger.mp4"
    )
    assert second.text.strip() == (
        "python3 -m venv .venv-dev && .venv-dev/bin/pip install -e '.[dev]' && .venv-dev/bin/pytest"
    )


def test_the_floors_in_the_docs_are_those_of_the_rules() -> None:
    printed = "\n".join(f"{floor}  {' | '.join(sorted(FLOORS[floor]))}" for floor in reversed(range(len(FLOORS))))
    shown = re.search(r"<!-- floors -->\n```text\n(.*?)\n?```", (ROOT / "docs/design.md").read_text("utf-8"), re.S)
    assert shown
    assert shown[1] == printed, f"docs/design.md shows other floors; these are right:\n{printed}"


@pytest.mark.parametrize("page", ["README.md", "docs/models.md"])
def test_the_quality_of_models_is_that_of_their_cards(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for _, card in zoo.shelf():
        row = re.search(rf"^\| `{card.name}` \|.*$", text, re.M)
        assert row, card.name
        shown = [float(number) for number in re.findall(r"\d+\.\d+", row[0])]
        for metric in ("psnr_Set5", "bicubic_psnr_Set5", "psnr_Set14", "bicubic_psnr_Set14"):
            assert any(abs(number - card.metrics[metric]) < 0.0051 for number in shown), (card.name, metric)


def test_every_engine_and_recipe_is_in_the_docs() -> None:
    engines = (ROOT / "docs/engines.md").read_text(encoding="utf-8")
    assert not [name for name in ENGINES if f"`{name}`" not in engines]
    training = (ROOT / "docs/train.md").read_text(encoding="utf-8")
    recipes = [file.stem for file in (ROOT / "vidsr/train/recipes").glob("*.toml")]
    assert not [name for name in recipes if f"`{name}`" not in training]


def test_the_exit_codes_in_the_docs_are_those_of_the_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.VidsrError)]
    codes = {kind.exit_code for kind in kinds} - {errors.VidsrError.exit_code} | {0}
    text = (ROOT / "docs/verify.md").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d) \|", text, re.M)} == codes
