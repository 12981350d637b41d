"""Nothing that is read is ever run: no shell, no program, no pickle."""

import ast
import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import vidsr
from vidsr.errors import VidsrError

HOUSE = Path(vidsr.__file__).parent
RUNS = {
    "eval", "exec", "__import__",
    "os.system", "os.popen", "os.fork", "os.startfile", "pty.spawn",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open",
    "yaml.load", "joblib.load", "tarfile.open", "shutil.unpack_archive",
}  # fmt: skip
PROGRAMS = ("subprocess", "os.exec", "os.spawn", "os.posix_spawn", "asyncio.create_subprocess")
STARTERS = {
    "bench/case_runs.py", "bench/peak_memory.py", "doctor/diagnosis.py", "system.py", "video/write/copy/muxer_trial.py"
}  # fmt: skip
"""These start vidsr itself, or ask the system about its hardware: on the user's word, and nothing that a film names."""
FILES = sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py"))


def calls(file: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with the dotted name of what is called."""
    for node in ast.walk(ast.parse((HOUSE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((HOUSE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES)
def test_no_shell_no_program_and_no_text_is_run(file: str) -> None:
    names = [*(name for name, _ in calls(file)), *imported(file)]
    assert not [name for name in names if name in RUNS or (name.startswith(PROGRAMS) and file not in STARTERS)]
    assert not [name for name, call in calls(file) if any(word.arg == "shell" for word in call.keywords)]


@pytest.mark.parametrize("file", FILES)
def test_weights_and_arrays_are_loaded_without_pickle(file: str) -> None:
    for name, call in calls(file):
        words = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name.endswith("torch.load"):
            assert words.get("weights_only") == "True", f"{file} loads a pickle"
        assert words.get("allow_pickle", "False") == "False", f"{file} loads a pickle"


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self._sprung = sprung

    def __reduce__(self) -> object:
        return Path.touch, (self._sprung,)


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    return tmp_path / "sprung"


def traps(sprung: Path) -> list[bytes]:
    """A trap as plain pickle and as PyTorch writes one."""
    torch = pytest.importorskip("torch")
    buffer = io.BytesIO()
    torch.save({"weights": Trap(sprung)}, buffer)
    return [pickle.dumps({"weights": Trap(sprung)}, protocol=2), buffer.getvalue()]


def test_the_trap_works(sprung: Path) -> None:
    pickle.loads(traps(sprung)[0])
    assert sprung.exists()


@pytest.mark.parametrize("which", [0, 1])
def test_a_pickle_in_place_of_a_model_is_refused_and_not_run(which: int, sprung: Path, tmp_path: Path) -> None:
    content = traps(sprung)[which]
    from vidsr.evaluate.quality.lpips_dists import _read
    from vidsr.nets.vgg import open_vgg
    from vidsr.runs import read_weights
    from vidsr.upscaling.upscaler import load_upscaler

    for name in ("model.onnx", "model.pth", "best.safetensors"):
        (tmp_path / name).write_bytes(content)
    for attempt in (
        lambda: load_upscaler(tmp_path / "model.onnx"),
        lambda: load_upscaler(tmp_path / "model.pth"),
        lambda: load_upscaler(tmp_path / "best.safetensors"),
        lambda: read_weights(tmp_path / "best.safetensors"),
        lambda: open_vgg(tmp_path / "model.pth", ["relu1_1"]),
        lambda: _read(tmp_path / "model.pth"),
    ):
        with pytest.raises(VidsrError):
            attempt()
    assert not sprung.exists()


@pytest.mark.parametrize("which", [0, 1])
def test_a_pickle_in_place_of_a_checkpoint_is_refused_and_not_run(which: int, sprung: Path, tmp_path: Path) -> None:
    content = traps(sprung)[which]
    from vidsr.errors import CheckpointError
    from vidsr.runs import Run
    from vidsr.train.devices import Accelerator
    from vidsr.train.recipe_file import load_recipe
    from vidsr.train.state import resume

    run = Run(tmp_path)
    run.checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        resume(run, load_recipe("live-x2"), Accelerator())
    assert not sprung.exists()
