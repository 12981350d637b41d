"""Recipes: all that decides what a training makes, read from TOML."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vidsr.data.degrade import Degradation
from vidsr.errors import DataError, RecipeError

VALIDATED = 256  # pairs of the store's validation split at most, where no folder of pictures is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Which network: the arguments of `nets.compact.Compact`."""

    kind: Literal["compact"] = "compact"
    scale: int
    width: int = 16
    depth: int = 4
    head_size: int = 3
    slope: float = 0.1
    unshuffle: int = 1
    quantiser: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """How many pairs are cut, and how large; see `data.store.Settings`."""

    patches: int = 65536
    side: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixel:
    """The stage that learns from pixel differences alone."""

    steps: int = 100_000
    batch: int = 32
    rate: float = 1e-3
    """Learning rate of Adam at its highest; it warms up, then falls to a thousandth along a cosine."""
    warmup: int = 500
    loss: Literal["l1", "charbonnier"] = "l1"
    balance: float = 0.5
    """How far soft pictures count as much as sharp ones: each sample's loss is divided by the error of a plain
    enlargement, to this power; 0 counts every level of difference the same."""
    fft: float = 0.0
    """Weight of the L1 difference of the spectra."""
    clip: float = 0.5
    """Largest norm of the gradient."""
    ema: float = 0.999
    full_range: float = 0.25
    """Share of batches stretched from limited to full range, since films come in both."""
    validate_every: int = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training."""

    name: str
    seed: int = 0
    start: str = ""
    """A weights file to start from; layers whose shapes differ start anew."""
    net: Net
    data: Data = field(default_factory=Data)
    degradation: Degradation = field(default_factory=Degradation)
    pixel: Pixel = field(default_factory=Pixel)

    def to_json(self) -> str:
        """The recipe as used, defaults filled in."""
        return json.dumps(asdict(self), indent=1)

    def digest(self) -> str:
        """Eight hex digits that two recipes share only if they are equal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:8]


def load_recipe(name: str | Path) -> Recipe:
    """Read a recipe by the name of a shipped one, or from a TOML file. Raises RecipeError."""
    shipped = resources.files("vidsr.train.recipes")
    known = sorted(Path(entry.name).stem for entry in shipped.iterdir() if entry.name.endswith(".toml"))
    if str(name) in known:
        text = shipped.joinpath(f"{name}.toml").read_text()
    elif Path(name).is_file():
        text = Path(name).read_text()
    else:
        raise RecipeError(f"no recipe {name}: give a TOML file or one of {', '.join(known)}")
    try:
        return parse_recipe(tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        raise RecipeError(f"recipe {name} is not TOML: {exc}") from exc


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe of nested tables. Raises RecipeError on unknown or missing keys and on wrong types."""
    recipe: Recipe = _parse(Recipe, values, "")
    if recipe.net.scale not in (2, 3, 4):
        raise RecipeError(f"net.scale is {recipe.net.scale}; it must be 2, 3 or 4")
    if recipe.net.head_size % 2 == 0 or recipe.data.side % recipe.net.unshuffle:
        raise RecipeError("net.head_size must be odd, and data.side divisible by net.unshuffle")
    if min(recipe.data.patches, recipe.pixel.steps, recipe.pixel.batch, recipe.data.side) < 1:
        raise RecipeError("data.patches, data.side, pixel.steps and pixel.batch must be over 0")
    return recipe


def _parse(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    unknown = values.keys() - hints.keys()
    if unknown:
        raise RecipeError(f"unknown key {where}{min(unknown)}; known here: {', '.join(sorted(hints))}")
    missing = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING} - values.keys()
    if missing:
        raise RecipeError(f"the recipe lacks {where}{min(missing)}")
    try:
        return kind(**{key: _convert(hints[key], value, where + key) for key, value in values.items()})
    except DataError as exc:  # settings of a store look after themselves
        raise RecipeError(f"{where.rstrip('.') or 'the recipe'}: {exc}") from exc


def _convert(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where} must be a table, got {value!r}")
        return _parse(hint, value, f"{where}.")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise RecipeError(f"{where} is {value!r}; it must be one of {', '.join(map(str, get_args(hint)))}")
        return value
    if get_origin(hint) is tuple:
        if not (isinstance(value, list | tuple) and len(value) == len(get_args(hint))):
            raise RecipeError(f"{where} must be a pair of numbers, got {value!r}")
        return tuple(_convert(part, v, where) for part, v in zip(get_args(hint), value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return value  # kept whole, so that a recipe reads back as it was written
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise RecipeError(f"{where} must be {hint.__name__}, got {value!r}")
    return value
