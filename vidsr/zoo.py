"""Models by name, path or scale: on the shelf, in the user's folder, or any file."""

import difflib
import os
from importlib import resources
from pathlib import Path

import platformdirs

from vidsr.card import ModelCard, read_card
from vidsr.errors import UnknownModel

RESIZES = ("bicubic", "lanczos", "nearest")
"""Models that are no networks: swscale through the same pipeline."""

FAMILY = "live-x"  # what `by_scale` chooses from: the shelf's networks for any film, at real time


def find(model: str | Path) -> Path:
    """Find a model's file by its path, or by its name on the shelf or in the user's folder.

    Raises UnknownModel with the names there are, the closest first.
    """
    path = Path(model).expanduser()
    if path.is_file():
        return path
    known = _known()
    if str(model) in known:
        return known[str(model)]
    names = [*known, *RESIZES]
    if path.suffix == ".onnx" or len(path.parts) > 1:
        raise UnknownModel(f"there is no file {path}; the models with names are {', '.join(names)}")
    close = difflib.get_close_matches(str(model), names, n=1)
    hint = f"did you mean {close[0]}? There are" if close else "choose one of"
    raise UnknownModel(f"there is no model {str(model)!r}; {hint} {', '.join(names)}, or give a path to an .onnx file")


def name_of(path: Path) -> str:
    """How a user would call a model's file: by its name where it has one, else by its path."""
    return path.stem if _known().get(path.stem) == path else str(path)


def available_models() -> list[str]:
    """Return the names of all models: the shelf's, those in the user's folder, and the resizes."""
    return [*sorted(_known()), *RESIZES]


def shelf() -> list[tuple[Path, ModelCard]]:
    """The models that come with vidsr, with their cards, by name."""
    cards = ((path, read_card(path)) for path in _files(_shelf_folder()))
    return [(path, card) for path, card in cards if card is not None]


def by_scale(scale: float) -> Path:
    """Find the shelf's model of the smallest factor that reaches `scale`; the largest there is where none does.

    Raises UnknownModel where the shelf is empty.
    """
    ladder = sorted((card.scale, path) for path, card in shelf() if card.name.startswith(FAMILY))
    if not ladder:
        raise UnknownModel(f"no {FAMILY}… model lies on the shelf; give a path to an .onnx file, or bicubic or lanczos")
    return next((path for factor, path in ladder if factor >= scale), ladder[-1][1])


def user_folder() -> Path:
    """Return the folder whose models the user can refer to by name: VIDSR_MODELS, or the platform's data folder.

    The folder may not exist.
    """
    if chosen := os.environ.get("VIDSR_MODELS"):
        return Path(chosen)
    try:
        return platformdirs.user_data_path("vidsr", appauthor=False) / "models"
    except RuntimeError:  # the user's home is unknown
        return Path("~/.local/share/vidsr/models")


def _known() -> dict[str, Path]:
    """Every model that has a name; the shelf's own names cannot be taken."""
    return {path.stem: path for folder in (user_folder(), _shelf_folder()) for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.onnx"))


def _shelf_folder() -> Path:
    return Path(str(resources.files("vidsr.shelf")))
