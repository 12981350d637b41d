"""Models by name, path or scale: shipped with vidsr, in the user's folder, or any file."""

import difflib
import os
from importlib import resources
from pathlib import Path

import platformdirs

from vidsr.card import ModelCard, read_card
from vidsr.errors import UnknownModel

INT8 = ".int8.onnx"
"""How the names of files end that are not models of their own, but beside one: the same network for int8."""

RESIZES = ("bicubic", "lanczos", "nearest")
"""Models without a network: swscale's resizes, through the same pipeline."""

DEFAULT_FAMILY = "live-x"
"""Prefix of the shelf's models that `by_scale` chooses from: networks for real time, for any video."""


def find(model: str | Path) -> Path:
    """Return the file of a model, given its path, or its name on the shelf or in the user's folder.

    Raises UnknownModel, which lists the known names.
    """
    path = Path(model).expanduser()
    if path.is_file():
        return path
    known = _known()
    if str(model) in known:
        return known[str(model)]
    names = ", ".join([*known, *RESIZES])
    if path.suffix == ".onnx" or len(path.parts) > 1:
        raise UnknownModel(f"{path} is not a file; the models known by name are {names}")
    close = difflib.get_close_matches(str(model), [*known, *RESIZES], n=1)
    hint = f"did you mean {close[0]}? Expected" if close else "expected"
    raise UnknownModel(f"unknown model {str(model)!r}; {hint} one of {names}, or a path to an .onnx file")


def int8_file(path: Path) -> Path | None:
    """Return the file of the same network for int8, which lies beside a model: NAME.int8.onnx."""
    file = path.with_suffix(INT8)
    return file if path.suffix == ".onnx" and file.is_file() else None


def name_of(path: Path) -> str:
    """Return the name by which `find` finds a file, or else its path."""
    return path.stem if _known().get(path.stem) == path else str(path)


def available_models() -> list[str]:
    """Return the names of all models: the shelf's, those in the user's folder, and the resizes."""
    return [*sorted(_known()), *RESIZES]


def shelf() -> list[tuple[Path, ModelCard]]:
    """Return the models that ship with vidsr and their cards, sorted by name."""
    cards = ((path, read_card(path)) for path in _files(_shelf_folder()))
    return [(path, card) for path, card in cards if card is not None]


def by_scale(scale: float) -> Path:
    """Return the shelf's live model with the smallest factor of at least `scale`, or else the largest factor.

    Raises UnknownModel if the shelf is empty.
    """
    ladder = sorted((card.scale, path) for path, card in shelf() if card.name.startswith(DEFAULT_FAMILY))
    if not ladder:
        raise UnknownModel(
            f"this installation has no {DEFAULT_FAMILY}… models; give a path to an .onnx file, or bicubic or lanczos"
        )
    return next((path for factor, path in ladder if factor >= scale), ladder[-1][1])


def lighter(card: ModelCard) -> list[Path]:
    """Return the shelf's live models of the same factor that compute less than a model, the heaviest first.

    A model whose card does not say what it computes is taken for heavier.
    """
    live = [
        (each.macs, path)
        for path, each in shelf()
        if each.name.startswith(DEFAULT_FAMILY) and each.name == path.stem and each.scale == card.scale
    ]
    return [path for macs, path in sorted(live, reverse=True) if not card.macs or macs < card.macs]


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
    """Return every model that has a name. The shelf's models take precedence over the user's."""
    return {path.stem: path for folder in (user_folder(), _shelf_folder()) for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.onnx") if not file.name.endswith(INT8))


def _shelf_folder() -> Path:
    """Return the package vidsr.shelf, or `export` next to the package in a checkout that is not installed."""
    try:
        return Path(str(resources.files("vidsr.shelf")))
    except ModuleNotFoundError:
        return Path(__file__).parents[1] / "export"
