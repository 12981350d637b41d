"""The folder of a training run: recipe, log, checkpoint, best weights with their card, sample grids."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vidsr.card import BICUBIC_PREFIX, KEY, ModelCard
from vidsr.errors import CheckpointError, DiskFull, NotAModel
from vidsr.io.atomic import write_atomically

RECIPE_KEY = "vidsr.recipe"  # in the header of safetensors files, beside the card

RENAMED = {
    "judge": "discriminator",
    "judge_adam": "discriminator_adam",
    "judge_rate": "discriminator_rate",
    "judge_scaler": "discriminator_scaler",
    "judge_steps": "discriminator_steps",
    "judge_width": "discriminator_width",
    "ease": "discriminator_loss",
}
"""Keys of recipes, logs and checkpoints before version 0.2, with their present names."""


def renamed(values: Mapping[str, Any], names: Mapping[str, str] = RENAMED) -> dict[str, Any]:
    """Return nested tables with their keys replaced according to `names`."""
    return {
        names.get(key, key): renamed(value, names) if isinstance(value, dict) else value
        for key, value in values.items()
    }


class Run:
    """The files of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe = folder / "recipe.json"  # with all defaults
        self.log = folder / "log.jsonl"  # an object a line, with the losses or the validation of a step
        self.checkpoint = folder / "checkpoint.pt"  # everything needed to resume as if the run had never stopped
        self.weights = folder / "best.safetensors"  # the best averaged weights so far, with their card
        self.int8 = folder / "int8.safetensors"  # the best averaged weights of stage `int8`
        self.pixel = folder / "pixel.safetensors"  # the averaged weights that stage `gan` started from
        self.board = folder / "board"  # TensorBoard's files
        self.samples = folder / "samples"  # sample grids, one for each validation

    def sample(self, step: int) -> Path:
        """Return the PNG file of the sample grid of the validation at `step`."""
        return self.samples / f"{step:07}.png"

    def sampled(self) -> list[int]:
        """Return the steps that have a sample grid, in order."""
        return sorted(int(file.stem) for file in self.samples.glob("*.png") if file.stem.isdecimal())


def is_run(path: Path) -> bool:
    """Return whether a folder has a training run, which may have just begun."""
    return Run(path).recipe.is_file() or Run(path).log.is_file()


def append_log(run: Run, entry: Mapping[str, Any]) -> None:
    """Append one line to the log. Raises DiskFull."""
    try:
        with run.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as exc:
        raise DiskFull(f"{run.log} could not be written ({exc.strerror})") from exc


def read_log(run: Run) -> Iterator[dict[str, Any]]:
    """Yield the lines of the log, without an incomplete last line that a crash left."""
    for line in run.log.read_text().splitlines() if run.log.exists() else []:
        try:
            yield renamed(json.loads(line))
        except json.JSONDecodeError:
            return


def is_validation(line: Mapping[str, Any]) -> bool:
    """Return whether a line of the log is from a validation; the others are losses."""
    return any(name.startswith(BICUBIC_PREFIX) for name in line)


def trim_log(run: Run, step: int) -> None:
    """Remove the lines after `step`, whose steps a resumed run will repeat."""
    lines = [json.dumps(entry) + "\n" for entry in read_log(run) if entry["step"] <= step]
    write_atomically(run.log, "".join(lines).encode())


def write_weights(path: Path, weights: Mapping[str, NDArray[Any]], card: ModelCard, recipe: str) -> None:
    """Write weights with their card and the recipe of their network, as JSON. Raises DiskFull."""
    from safetensors.numpy import save

    arrays = {name: array.copy(order="C") for name, array in weights.items()}
    write_atomically(path, save(arrays, {KEY: card.to_json(), RECIPE_KEY: recipe}))


def read_weights(path: Path) -> tuple[dict[str, NDArray[Any]], ModelCard, str]:
    """Read weights, their card, and their recipe as JSON.

    path: a weights file or the folder of a run. Raises CheckpointError if it does not exist, NotAModel if it was not
    written by `write_weights`.
    """
    from safetensors import SafetensorError, safe_open

    file = Run(path).weights if path.is_dir() else path
    if not file.exists():
        raise CheckpointError(f"{path} does not contain weights; give the folder of a run or a .safetensors file")
    try:
        with safe_open(file, "numpy") as opened:
            header = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as exc:
        raise NotAModel(f"{file} is not a safetensors file ({exc})") from exc
    if KEY not in header or RECIPE_KEY not in header:
        raise NotAModel(f"{file} has no card of vidsr; only weights written by 'vidsr train' can be used")
    return arrays, ModelCard.from_json(header[KEY], where=str(file)), header[RECIPE_KEY]
