"""A training run's folder: recipe as used, log, checkpoint, best weights with their card, sample grids."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vidsr.card import BESIDE, KEY, ModelCard
from vidsr.errors import CheckpointError, DiskFull, NotAModel
from vidsr.io.atomic import write_atomically

RECIPE_KEY = "vidsr.recipe"  # in the safetensors header, beside the card


@dataclass(frozen=True, slots=True)
class Run:
    """Where the parts of one run lie."""

    folder: Path

    @property
    def recipe(self) -> Path:
        """The recipe as used, JSON."""
        return self.folder / "recipe.json"

    @property
    def log(self) -> Path:
        """One JSON object a line: losses and validations by step."""
        return self.folder / "log.jsonl"

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on as if never stopped."""
        return self.folder / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The best averaged weights so far, with their card."""
        return self.folder / "best.safetensors"

    @property
    def pixel(self) -> Path:
        """The averaged weights that stage `gan` began with, with their card."""
        return self.folder / "pixel.safetensors"

    @property
    def board(self) -> Path:
        """The folder of what TensorBoard shows."""
        return self.folder / "board"

    @property
    def samples(self) -> Path:
        """The folder of the sample grids, one a validation."""
        return self.folder / "samples"

    def sample(self, step: int) -> Path:
        """The sample grid of the validation at `step`, PNG."""
        return self.samples / f"{step:07}.png"

    def sampled(self) -> list[int]:
        """The steps that have a sample grid, in order."""
        return sorted(int(file.stem) for file in self.samples.glob("*.png") if file.stem.isdecimal())


def is_run(path: Path) -> bool:
    """Whether a training run lies in this folder, if only just begun."""
    return Run(path).recipe.is_file() or Run(path).log.is_file()


def append_log(run: Run, entry: Mapping[str, Any]) -> None:
    """Add one line to the log. Raises DiskFull."""
    try:
        with run.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as exc:
        raise DiskFull(f"{run.log} could not be written ({exc.strerror})") from exc


def read_log(run: Run) -> Iterator[dict[str, Any]]:
    """Give the log's lines; a torn last line, as a crash leaves it, is left out."""
    for line in run.log.read_text().splitlines() if run.log.exists() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def is_validation(line: Mapping[str, Any]) -> bool:
    """Whether a line of the log is of a validation, ours beside bicubic's; the others are of losses."""
    return any(name.startswith(BESIDE) for name in line)


def trim_log(run: Run, step: int) -> None:
    """Drop what was logged after `step`, which a resumed run will do again."""
    lines = [json.dumps(entry) + "\n" for entry in read_log(run) if entry["step"] <= step]
    write_atomically(run.log, "".join(lines).encode())


def write_weights(path: Path, weights: Mapping[str, NDArray[Any]], card: ModelCard, recipe: str) -> None:
    """Write weights with their card and the recipe (JSON) that builds their network. Raises DiskFull."""
    from safetensors.numpy import save

    arrays = {name: array.copy(order="C") for name, array in weights.items()}
    write_atomically(path, save(arrays, {KEY: card.to_json(), RECIPE_KEY: recipe}))


def read_weights(path: Path) -> tuple[dict[str, NDArray[Any]], ModelCard, str]:
    """Read weights, their card, and their recipe as JSON. `path`: a weights file or a run's folder.

    Raises CheckpointError where there are none, NotAModel where they are not ours.
    """
    from safetensors import SafetensorError, safe_open

    file = Run(path).weights if path.is_dir() else path
    if not file.exists():
        raise CheckpointError(f"{path} holds no weights; give a run's folder or a .safetensors file")
    try:
        with safe_open(file, "numpy") as opened:
            header = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (no mapping)
    except SafetensorError as exc:
        raise NotAModel(f"{file} is no safetensors file ({exc})") from exc
    if KEY not in header or RECIPE_KEY not in header:
        raise NotAModel(f"{file} carries no card of vidsr; only weights that `vidsr train` wrote can be used")
    return arrays, ModelCard.from_json(header[KEY], where=str(file)), header[RECIPE_KEY]
