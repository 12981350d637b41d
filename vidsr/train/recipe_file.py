"""Recipes read from TOML: unknown keys, wrong types and what does not go together are errors."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vidsr.data.degradation import OLD_NAMES
from vidsr.errors import DataError, RecipeError
from vidsr.train.config import NETS, Compact, Net, Recipe

OLD_KEYS = {**OLD_NAMES, "quantiser": "qp"}  # allowed word
"""Keys as recipes and weights named them before version 0.2."""


def load_recipe(name: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by the name of a shipped one, or from a TOML file. Raises RecipeError.

    changes: lines of TOML such as `pixel.steps = 1000`, which win over the recipe's.
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
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise RecipeError(f"recipe {name} is not TOML: {exc}") from exc
    for change in changes:
        try:
            tables = _merged(tables, tomllib.loads(change))
        except tomllib.TOMLDecodeError as exc:
            raise RecipeError(
                f"{change!r} is no line of TOML ({exc}); write --set pixel.steps=1000, words in two kinds of quotes:"
                """ --set "pixel.loss='mse'\""""
            ) from exc
    return parse_recipe(tables)


def _merged(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with what `changes` has instead, as deep as both are tables."""
    deep = {
        key: _merged(tables[key], value)
        for key, value in changes.items()
        if isinstance(value, Mapping) and isinstance(tables.get(key), Mapping)
    }
    return {**tables, **changes, **deep}


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe of nested tables. Raises RecipeError on unknown or missing keys and on wrong types."""
    recipe: Recipe = _parse(Recipe, values, "")
    check(recipe)
    return recipe


def check(recipe: Recipe) -> None:
    """Raise RecipeError where parts of a recipe do not go together."""
    net, data, pixel, gan = recipe.net, recipe.data, recipe.pixel, recipe.gan
    if net.scale not in (2, 3, 4):
        raise RecipeError(f"net.scale is {net.scale}; it must be 2, 3 or 4")
    least = 1 if isinstance(net, Compact) else 3  # a feature for each colour
    if net.width < least:
        raise RecipeError(f"net.width is {net.width}; it must be {least} or more")
    if isinstance(net, Compact) and net.head_size % 2 == 0:
        raise RecipeError(f"net.head_size is {net.head_size}; it must be odd")
    if net.columns not in (1, 2):
        raise RecipeError(f"net.columns is {net.columns}; it must be 1 or 2")
    if data.side % net.columns:
        raise RecipeError(f"data.side is {data.side}; it must be a multiple of net.columns, {net.columns}")
    if isinstance(net, Compact) and net.residual and net.depth % 2:
        raise RecipeError(f"net.depth is {net.depth}; a residual network skips two convolutions at a time")
    if min(pixel.steps, gan.steps) < 0:
        raise RecipeError("pixel.steps and gan.steps must not be below 0")
    counts = (data.patches, data.side, recipe.steps, gan.judge_steps, gan.judge_width)
    if min(*counts, pixel.batch, gan.batch, pixel.validate_every, gan.validate_every) < 1:
        raise RecipeError(
            "data.patches, data.side, the steps together, every batch and validate_every, judge_steps and judge_width"
            " must be over 0"
        )
    if data.frames not in (1, 3, 4, 5, 6, 7) or gan.window not in (1, 3) or gan.window > data.frames:
        raise RecipeError("data.frames is 1 or 3 to 7, gan.window 1 or 3 and at most data.frames")
    if gan.flicker and data.frames == 1:
        raise RecipeError("gan.flicker is of what changes from frame to frame: it needs data.frames of 3 or more")
    step = 16 if gan.judge == "srgan" else 8
    if gan.steps and data.side * net.scale % step:
        raise RecipeError(f"data.side times net.scale must be a multiple of {step} for the {gan.judge} discriminator")


def _parse(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    values = {OLD_KEYS.get(key, key): value for key, value in values.items()}
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
    if hint == Net and isinstance(value, Mapping):
        hint = NETS.get(value.get("kind", "compact"))
        if hint is None:
            raise RecipeError(f"{where}.kind is {value['kind']!r}; it must be one of {', '.join(NETS)}")
    elif hint == Net:
        raise RecipeError(f"{where} must be a table, got {value!r}")
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
