"""The floors of the house: an import only goes down, and each foreign package stays in its rooms."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vidsr

HOUSE = Path(vidsr.__file__).parent

FLOORS = [
    {"errors", "frames", "prefetch", "system", "shelf"},
    {"card", "metrics", "resize", "html_page", "io"},
    {"video", "engines", "nets", "zoo", "runs"},
    {"upscaling", "data"},
    {"pipeline", "train", "export"},
    {"evaluate", "verify", "bench", "doctor", "report"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Folders end in a slash; a file is that file alone.
ROOMS_OF = {
    "av": ["video/", "evaluate/quality/vmaf.py", "doctor/codecs.py"],
    "torch": ["nets/", "train/", "export/", "engines/torch/", "evaluate/quality/lpips_dists.py"],
    "torchvision": ["nets/", "train/", "evaluate/quality/lpips_dists.py"],
    "openvino": ["engines/openvino.py"],
    "onnxruntime": ["engines/onnxruntime.py", "engines/onnxruntime_gpu.py", "engines/onnxruntime_providers.py"],
    "tensorrt": ["engines/tensorrt/", "export/"],
    "cuda": ["engines/tensorrt/"],
    "nncf": ["export/"],
    "typer": ["cli/"],
    "rich": ["cli/"],
    "httpx": ["data/fetch.py"],
    "cv2": ["evaluate/"],
    "bjontegaard": ["evaluate/"],
    "torchmetrics": ["evaluate/quality/lpips_dists.py"],
    "matplotlib": ["bench/", "evaluate/", "report/"],
    "tensorboard": ["train/tensorboard.py"],
}


def files() -> list[str]:
    return sorted(str(path.relative_to(HOUSE)) for path in HOUSE.rglob("*.py"))


def imports(file: str) -> Iterator[str]:
    """Every module a file imports, wherever in the file, as a dotted name."""
    for node in ast.walk(ast.parse((HOUSE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of_file(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def room_of_module(name: str) -> str:
    """`vidsr.video.read.source.open_source` is in `video`; a public name, `vidsr.Frame`, is in `__init__`."""
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


@pytest.mark.parametrize("file", files())
def test_a_foreign_package_stays_in_its_rooms(file: str) -> None:
    for name in imports(file):
        homes = ROOMS_OF.get(name.split(".")[0])
        assert homes is None or any(file == home or (home.endswith("/") and file.startswith(home)) for home in homes), (
            f"{file} imports {name}, which belongs in {', '.join(homes)}"
        )
