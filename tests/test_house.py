"""The rules of the house. When one fails: move, split or rename the code; an exception is listed here, with its reason.

Floors: an import only goes down, rooms on one floor never import one another, and foreign packages stay in their rooms.
Sizes: files in a folder, lines of a file, parameters of a function. Names: a stem and a public class are used once.
Words: the vocabulary of FFmpeg, PyAV and PyTorch.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import vidsr

HOUSE = Path(vidsr.__file__).parent
ROOT = HOUSE.parent

FLOORS = [
    {"errors", "color", "options", "context", "prefetch", "system", "shelf"},
    {"frames"},
    {"card", "metrics", "resize", "html_page", "plotting", "io"},
    {"video", "engines", "nets", "zoo", "runs"},
    {"upscaling", "data"},
    {"pipeline", "train", "export"},
    {"evaluate", "verify", "bench", "doctor", "report"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Inside video/: write never imports read, convert imports neither; the modules of video/ itself stand below all three.
VIDEO = {"read": {"convert", ""}, "write": {"convert", ""}, "convert": {""}, "": set()}

# Where a foreign package may be imported. Folders end in a slash; a file is that file alone.
ROOMS_OF = {
    "av": ["video/", "evaluate/quality/vmaf.py", "doctor/codecs.py"],
    "torch": ["nets/", "train/", "export/", "engines/torch/", "evaluate/quality/lpips_dists.py"],
    "torchvision": ["nets/", "train/", "evaluate/quality/lpips_dists.py"],
    "openvino": ["engines/openvino.py"],
    "onnxruntime": ["engines/onnxruntime.py"],
    "tensorrt": ["engines/tensorrt/", "export/"],
    "cuda": ["engines/tensorrt/"],
    "nncf": ["export/"],
    "typer": ["cli/"],
    "rich": ["cli/"],
    "httpx": ["data/fetch.py"],
    "cv2": ["evaluate/"],
    "bjontegaard": ["evaluate/"],
    "torchmetrics": ["evaluate/quality/lpips_dists.py"],
    "matplotlib": ["plotting.py"],
    "tensorboard": ["train/tensorboard.py"],
    "platformdirs": ["io/", "zoo.py"],
    "filelock": ["io/", "pipeline/"],
}

MOST_FILES, MOST_LINES, LEAST_LINES, MOST_PARAMETERS = 16, 400, 60, 8

SMALL: set[str] = {
    "bench/peak_memory.py",  # a script that must stay small, see there
    "cli/fetch.py",
    "cli/report.py",
    "cli/models.py",
    "io/cache.py",
    "io/names.py",
    "pipeline/image.py",
    "pipeline/resume/identity.py",
    "pipeline/supervise.py",
    "plotting.py",
    "resize.py",
    "upscaling/gpu_session.py",
    "upscaling/swscale_upscaler.py",
    "video/convert/av_filter.py",
}
"""Files below 60 lines that hold one whole idea; data and `__init__` need no entry."""

MANY_PARAMETERS = {
    "pipeline/video.py:upscale_video": "public, flat on purpose: options as users write them",
    "pipeline/image.py:upscale_image": "public, flat on purpose",
    "upscaling/upscaler.py:load_upscaler": "public, flat on purpose",
    "pipeline/frame_io.py:create_video": "public, flat on purpose",
    "nets/compact.py:__init__": "the keys of a recipe's table of the network",
}
"""At most 5 functions of more than 8 parameters outside `cli/`."""

SHARED_STEMS = {
    "fetch": "cli/fetch.py is the command, data/fetch.py what it calls",
    "prepare": "cli/prepare.py is the command, data/prepare.py what it calls",
}

# What may not be said, and what is said instead.
WORDS = {
    r"films?\b(?! grain)": "video",
    r"enlarg\w*": "upscale",
    r"quantisers?\b": "QP",
    r"siting\b": "chroma_location",
    r"seams?\b|halo\b": "tile overlap, tile span",
    r"(?:the|a|its|of|with|network's) reach\b": "receptive field",
    r"lanes?\b": "session",
    r"whisper\w*|untold\w*|unsaid\w*": "say it plainly",
    r"spoil(?:s|t|ed)\b|worn\b": "degraded, recompressed",
    r"entrants?\b": "method",
    r"told\b|tell(?:s|ing)?\b(?!\()": "warn, report, state, say",
    r"none where|where none|(?-i:is none\b)|is no (?!longer)[a-z]+|are no (?!longer)[a-z]+": "say it plainly",
    r"of its own\b|of ours\b|of theirs\b|of one's own\b": "say it plainly",
    r"abutting|sideways\b": "the field's word",
}


def files() -> list[str]:
    return sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py"))


@cache
def text(file: str) -> str:
    return (HOUSE / file).read_text(encoding="utf-8")


@cache
def tree(file: str) -> ast.Module:
    return ast.parse(text(file))


def imports(file: str) -> Iterator[str]:
    """Every module a file imports, wherever in the file, as a dotted name."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(file: str) -> set[str]:
    """The files of vidsr that a file imports."""
    found = set()
    known = set(files())
    for name in imports(file):
        parts = name.split(".")
        if parts[0] != "vidsr":
            continue
        for length in range(len(parts), 0, -1):
            stem = "/".join(parts[1:length])
            match = next((path for path in (f"{stem}.py", f"{stem}/__init__.py".lstrip("/")) if path in known), None)
            if match:
                found.add(match)
                break
    return found - {file}


def room_of_file(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def room_of_module(name: str) -> str:
    """`vidsr.video.read.source` is in `video`; a public name, `vidsr.Frame`, is in `__init__`."""
    room = name.partition(".")[2].split(".")[0]
    return room if room in FLOOR else "__init__"


@pytest.mark.parametrize("file", files())
def test_every_file_stands_on_a_floor(file: str) -> None:
    assert room_of_file(file) in FLOOR


@pytest.mark.parametrize("file", files())
def test_an_import_only_goes_down(file: str) -> None:
    room = room_of_file(file)
    for name in imports(file):
        if name.split(".")[0] == "vidsr" and (other := room_of_module(name)) != room:
            assert FLOOR[other] < FLOOR[room], f"{file} (floor {FLOOR[room]}) imports {name} (floor {FLOOR[other]})"


@pytest.mark.parametrize("file", [file for file in files() if file.startswith("video/")])
def test_write_imports_no_read_and_convert_neither(file: str) -> None:
    def part(path: str) -> str:
        return path.split("/")[1] if path.count("/") > 1 else ""

    if file == "video/__init__.py":  # the front door: open_source, open_sink
        return
    for other in own_imports(file):
        if other.startswith("video/") and other != "video/__init__.py" and part(other) != part(file):
            assert part(other) in VIDEO[part(file)], f"{file} imports {other}"


def test_no_import_goes_round_in_a_circle() -> None:
    state: dict[str, int] = {}

    def visit(file: str, path: list[str]) -> None:
        if state.get(file) == 1:
            raise AssertionError(" -> ".join([*path[path.index(file) :], file]))
        if file not in state:
            state[file] = 1
            for other in sorted(own_imports(file)):
                if not other.endswith("__init__.py") or other != f"{Path(file).parent.as_posix()}/__init__.py":
                    visit(other, [*path, file])
            state[file] = 2

    for file in files():
        if file != "__init__.py":  # its names are imported when asked for
            visit(file, [])


@pytest.mark.parametrize("file", files())
def test_a_foreign_package_stays_in_its_rooms(file: str) -> None:
    for name in imports(file):
        homes = ROOMS_OF.get(name.split(".")[0])
        assert homes is None or any(file == home or (home.endswith("/") and file.startswith(home)) for home in homes), (
            f"{file} imports {name}, which belongs in {', '.join(homes)}"
        )


def test_a_folder_has_at_most_16_files() -> None:
    count = Counter(str(Path(file).parent) for file in files() if not file.endswith("__init__.py"))
    assert not {folder: number for folder, number in count.items() if number > MOST_FILES}


@pytest.mark.parametrize("file", files())
def test_a_file_has_60_to_400_lines(file: str) -> None:
    lines = text(file).count("\n")
    assert lines <= MOST_LINES
    if not file.endswith(("__init__.py", "__main__.py")) and file not in SMALL:
        assert lines >= LEAST_LINES, "merge it, or list it in SMALL where it is one whole idea"


def test_small_files_that_are_listed_are_small() -> None:
    assert not [file for file in SMALL if file not in files() or text(file).count("\n") >= LEAST_LINES]


def test_a_stem_is_used_once() -> None:
    places = defaultdict(list)
    for file in files():
        if not file.endswith("__init__.py"):
            places[Path(file).stem].append(file)
    assert not {stem: found for stem, found in places.items() if len(found) > 1 and stem not in SHARED_STEMS}


def test_the_name_of_a_public_class_is_used_once() -> None:
    places = defaultdict(list)
    for file in files():
        for node in tree(file).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file)
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_at_most_8_parameters() -> None:
    many = {}
    for file in files():
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef) and not file.startswith("cli/"):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = len([each for each in given if each.arg not in ("self", "cls")])
                if count > MOST_PARAMETERS and f"{file}:{node.name}" not in MANY_PARAMETERS:
                    many[f"{file}:{node.lineno} {node.name}"] = count
    assert not many
    assert len(MANY_PARAMETERS) <= 5


def sentences(file: str) -> Iterator[tuple[int, str]]:
    """Names, docstrings, comments and messages of a file, by line."""
    yield from enumerate(text(file).split("\n"), 1)


@pytest.mark.parametrize("file", files())
def test_words_are_the_fields(file: str) -> None:
    found = []
    for number, line in sentences(file):
        for pattern, instead in WORDS.items():
            if (match := re.search(rf"\b(?:{pattern})", line, re.IGNORECASE)) and "# allowed word" not in line:
                found.append(f"{file}:{number} {match[0]!r}, say: {instead}   | {line.strip()[:90]}")
    assert not found, "\n" + "\n".join(found)


def test_pyav_is_typed() -> None:
    loose = re.compile(r"\b(?:container|packet|stream|av_frame|codec_context|context): Any\b")
    found = [file for file in files() if file.startswith("video/") and loose.search(text(file))]
    assert not found, "use av.container.InputContainer, av.Packet, av.VideoStream and so on"
