"""What is measured: each model at each size, on each engine, with bicubic beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, cast

from vidsr import zoo
from vidsr.bench.cases__sizes import DEFAULT, Size, name_for, size_of
from vidsr.card import ModelCard
from vidsr.engines import Precision, Setup, check, choose, settle
from vidsr.errors import EngineError
from vidsr.upscaling.model_file import card_of

BESIDE: Literal["bicubic"] = "bicubic"
KINDS = ("live-", "fast-")  # of the shelf's models, those that are measured where none is named


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
        """Options of `open_upscaler`."""
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
    return card_of(zoo.find(model))


def _own(card: ModelCard | None) -> str:
    return DEFAULT[0] if card is None else name_for(card.scale)


def _shelf(size: Size) -> dict[str, ModelCard | None]:
    """The shelf's models for any film whose factor is the size's own; where there is none, the one that reaches it."""
    fit = {card.name: card for _, card in zoo.shelf() if card.name.startswith(KINDS) and card.scale == size.factor}
    if not fit:
        path = zoo.by_scale(size.factor)
        fit = {path.stem: card_of(path)}
    return {**fit}
