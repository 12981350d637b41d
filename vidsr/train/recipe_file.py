"""Recipes read from TOML; unknown keys, wrong types and values that contradict each other are errors."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vidsr.data.degradation import OLD_NAMES
from vidsr.errors import DataError, RecipeError
from vidsr.runs import RENAMED, renamed
from vidsr.train.config import NETS, CompactConfig, NetConfig, Recipe

OLD_KEYS = {**OLD_NAMES, **RENAMED, "quantiser": "qp"}  # allowed word
"""Keys of recipes before version 0.2, with their present names."""


def load_recipe(name: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a TOML file.

    changes: lines of TOML that override the recipe, such as `pixel.steps = 1000`. Raises RecipeError.
    """
    shipped = resources.files("vidsr.train.recipes")
    known = sorted(Path(entry.name).stem for entry in shipped.iterdir() if entry.name.endswith(".toml"))
    if str(name) in known:
        text = shipped.joinpath(f"{name}.toml").read_text()
    elif Path(name).is_file():
        text = Path(name).read_text()
    else:
        raise RecipeError(f"no recipe {name}: give a TOML file or one of {', '.join(known)}")
    try:
        tables = renamed(tomllib.loads(text), OLD_KEYS)
    except tomllib.TOMLDecodeError as exc:
        raise RecipeError(f"recipe {name} is not TOML: {exc}") from exc
    for change in changes:
        try:
            tables = _merge(tables, renamed(tomllib.loads(change), OLD_KEYS))
        except tomllib.TOMLDecodeError as exc:
            raise RecipeError(
                f"{change!r} is not a line of TOML ({exc}); write --set pixel.steps=1000, and quote strings twice:"
                """ --set "pixel.loss='mse'\""""
            ) from exc
    return parse_recipe(tables)


def _merge(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(tables)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(tables.get(key), Mapping)
        merged[key] = _merge(tables[key], value) if nested else value
    return merged


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe from nested tables. Raises RecipeError on unknown or missing keys and wrong types."""
    recipe: Recipe = _parse(Recipe, renamed(values, OLD_KEYS), "")
    check(recipe)
    return recipe


def check(recipe: Recipe) -> None:
    """Raise RecipeError if a value is out of range or contradicts another."""
    net, data, pixel, gan, int8 = recipe.net, recipe.data, recipe.pixel, recipe.gan, recipe.int8
    if net.scale not in (2, 3, 4):
        raise RecipeError(f"net.scale is {net.scale}; it must be 2, 3 or 4")
    minimum = 1 if isinstance(net, CompactConfig) else 3  # one feature for each colour channel
    if net.width < minimum:
        raise RecipeError(f"net.width is {net.width}; it must be {minimum} or more")
    if isinstance(net, CompactConfig) and net.head_size % 2 == 0:
        raise RecipeError(f"net.head_size is {net.head_size}; it must be odd")
    if net.columns not in (1, 2):
        raise RecipeError(f"net.columns is {net.columns}; it must be 1 or 2")
    if data.side % net.columns:
        raise RecipeError(f"data.side is {data.side}; it must be a multiple of net.columns, {net.columns}")
    if isinstance(net, CompactConfig) and net.residual and net.depth % 2:
        raise RecipeError(f"net.depth is {net.depth}; it must be even if net.residual is set")
    if min(pixel.steps, gan.steps, int8.steps) < 0:
        raise RecipeError("pixel.steps, gan.steps and int8.steps must not be negative")
    if int8.steps and not isinstance(net, CompactConfig):
        raise RecipeError("int8.steps is for networks of kind compact")
    counts = {
        "data.patches": data.patches,
        "data.side": data.side,
        "the sum of pixel.steps, gan.steps and int8.steps": recipe.steps,
        "pixel.batch": pixel.batch,
        "gan.batch": gan.batch,
        "int8.batch": int8.batch,
        "pixel.validate_every": pixel.validate_every,
        "gan.validate_every": gan.validate_every,
        "int8.validate_every": int8.validate_every,
        "gan.discriminator_steps": gan.discriminator_steps,
        "gan.discriminator_width": gan.discriminator_width,
    }
    for name, count in counts.items():
        if count < 1:
            raise RecipeError(f"{name} is {count}; it must be 1 or more")
    if data.frames not in (1, 3, 4, 5, 6, 7) or gan.window not in (1, 3) or gan.window > data.frames:
        raise RecipeError("data.frames must be 1 or 3 to 7, gan.window 1 or 3 and at most data.frames")
    if gan.flicker and data.frames == 1:
        raise RecipeError("gan.flicker compares consecutive frames: it needs data.frames of 3 or more")
    if gan.texture and data.side * net.scale < 16:
        raise RecipeError(
            "gan.texture compares windows of two octaves: it needs data.side times net.scale of 16 or more"
        )
    step = 16 if gan.discriminator == "srgan" else 8
    if gan.steps and data.side * net.scale % step:
        raise RecipeError(
            f"data.side times net.scale must be a multiple of {step} for the {gan.discriminator} discriminator"
        )


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
    except DataError as exc:  # a Degradation checks its own values
        raise RecipeError(f"{where.rstrip('.') or 'the recipe'}: {exc}") from exc


def _convert(hint: Any, value: Any, where: str) -> Any:
    if (hint == NetConfig or is_dataclass(hint)) and not isinstance(value, Mapping):
        raise RecipeError(f"{where} must be a table, got {value!r}")
    if hint == NetConfig:
        kind = value.get("kind", "compact")
        if kind not in NETS:
            raise RecipeError(f"{where}.kind is {kind!r}; it must be one of {', '.join(NETS)}")
        hint = NETS[kind]
    if is_dataclass(hint):
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
        return value  # not converted, so that a recipe's JSON is what its file says
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise RecipeError(f"{where} must be {hint.__name__}, got {value!r}")
    return value
