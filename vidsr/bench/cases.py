"""What is measured: each model at each size, on each engine, with bicubic beside them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, cast

from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.engines import Precision, Setup, check, choose, settle
from vidsr.errors import EngineError, WrongOption
from vidsr.system import MOST_SCALE, fits
from vidsr.upscaling.model_file import load_model

BESIDE: Literal["bicubic"] = "bicubic"
KINDS = ("live-", "fast-")  # of the shelf's models, those that are measured where none is named
SIZES = ("360p-720p", "270p-1080p", "540p-1080p", "1080p-4K")
DEFAULT = SIZES[:2]
_LINES = {"4K": 2160, "8K": 4320}
_OWN = {2: "360p-720p", 3: "360p-1080p", 4: "270p-1080p"}
LEAST = 32  # lines of a picture


@dataclass(frozen=True, slots=True)
class Size:
    """A small picture and the large one made of it, 16:9; sides in pixels, even."""

    name: str
    width: int
    height: int
    large_width: int
    large_height: int

    @property
    def factor(self) -> float:
        """How many times larger each side becomes."""
        return self.large_height / self.height


@dataclass(frozen=True, slots=True)
class Case:
    """One model at one size on one engine."""

    size: Size
    model: str | Path
    card: ModelCard | None
    """None: resized by swscale."""
    setup: Setup | None
    """What computes it; None without a network."""

    @property
    def name(self) -> str:
        """The model's."""
        return self.card.name if self.card else str(self.model)

    @property
    def enlarging(self) -> dict[str, Any]:
        """Options of `load_upscaler`."""
        setup = self.setup
        how = {} if setup is None else {"engine": setup.engine, "device": setup.device, "precision": setup.precision}
        return {"model": self.model, "width": self.size.large_width, "height": self.size.large_height, **how}

    @property
    def options(self) -> list[str]:
        """The same as options of the command."""
        words = ["--size", f"{self.size.large_width}x{self.size.large_height}", "--model", str(self.model)]
        if self.setup is not None:
            words += ["--engine", self.setup.engine, "--device", self.setup.device, "--precision", self.setup.precision]
        return words


def cases_of(models: Sequence[str | Path], sizes: Sequence[str], setups: Sequence[Setup]) -> dict[Size, list[Case]]:
    """The cases by size, bicubic first. models: none: the shelf's; sizes: none: those that the models are made for.

    Raises UnknownModel, NotAModel, WrongOption.
    """
    known = {str(model): _card(model) for model in models}
    names = sizes or (list(dict.fromkeys(map(_own, known.values()))) if known else DEFAULT)
    found = {}
    for size in dict.fromkeys(map(size_of, names)):
        entries = known or _shelf(size)
        wanted = [(model, card) for model, card in entries.items() if model != BESIDE]
        found[size] = [
            Case(size, BESIDE, None, None),
            *(Case(size, model, card, setup) for model, card in wanted for setup in (setups if card else (None,))),
        ]
    return found


def setups_of(engines: Sequence[str], precisions: Sequence[str]) -> tuple[list[Setup], list[str]]:
    """What the engines and precisions asked for come to here, and a sentence for each pair that does not work.

    Raises EngineError where none does, or a name is unknown, and EngineMissing.
    """
    for precision in precisions:
        check(precision)
    setups, refused = [], []
    for engine, precision in product(map(choose, engines), precisions):
        try:
            setups.append(settle(engine=engine, precision=cast(Precision, precision)))
        except EngineError as exc:
            refused.append(exc)
    if not setups:
        raise refused[0]
    return list(dict.fromkeys(setups)), [f"left out: {exc}" for exc in refused]


def _card(model: str | Path) -> ModelCard | None:
    if str(model) in zoo.RESIZES:
        return None
    return load_model(model).card


def _own(card: ModelCard | None) -> str:
    return DEFAULT[0] if card is None else name_for(card.scale)


def _shelf(size: Size) -> dict[str, ModelCard | None]:
    """The shelf's models for any film whose factor is the size's own; where there is none, the one that reaches it."""
    fit = {card.name: card for _, card in zoo.shelf() if card.name.startswith(KINDS) and card.scale == size.factor}
    if not fit:
        path = zoo.by_scale(size.factor)
        fit = {path.stem: load_model(path).card}
    return {**fit}


def size_of(name: str) -> Size:
    """Read a size such as 270p-1080p or 1080p-4K. Raises WrongOption."""
    match = re.fullmatch(r"(\d{2,4}p|4K|8K)-(\d{2,4}p|4K|8K)", name)
    if match is None:
        raise WrongOption(f"{name!r} is no size such as {', '.join(SIZES)}; give the lines before and after")
    small, large = (_LINES.get(word) or int(word[:-1]) for word in match.groups())
    if not LEAST <= small < large <= MOST_SCALE * small or small % 2 or large % 2 or not fits(_across(large), large):
        raise WrongOption(
            f"{name} cannot be measured: pictures grow from an even number of lines, {LEAST} or more, to a larger one"
        )
    return Size(name, _across(small), small, _across(large), large)


def name_for(scale: int) -> str:
    """The size that a model of this factor is measured at where none is asked for."""
    return _OWN.get(scale, f"136p-{136 * scale}p")


def _across(lines: int) -> int:
    return round(lines * 8 / 9) * 2
