"""What is measured: each model at each size on each engine, and bicubic."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal, cast

from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.engines import Setup, check, choose, settle
from vidsr.errors import EngineError, WrongOption
from vidsr.options import Precision, UpscaleOptions
from vidsr.system import MOST_SCALE, fits
from vidsr.upscaling.model_file import load_model
from vidsr.upscaling.upscaler import takes_int8

BASELINE: Literal["bicubic"] = "bicubic"
DEFAULT_MODELS = ("live-", "fast-")  # prefixes of names
SIZES = ("360p-720p", "270p-1080p", "540p-1080p", "1080p-4K")
DEFAULT_SIZES = SIZES[:2]
LEAST_LINES = 32
_LINES = {"4K": 2160, "8K": 4320}
_SIZE_OF_SCALE = {2: "360p-720p", 3: "360p-1080p", 4: "270p-1080p"}


@dataclass(frozen=True, slots=True)
class Size:
    """Input and output size of a case, both 16:9; sides in pixels, even."""

    name: str
    width: int
    height: int
    large_width: int
    large_height: int

    @property
    def scale(self) -> float:
        """The upscaling factor."""
        return self.large_height / self.height


@dataclass(frozen=True, slots=True)
class Case:
    """One model at one size on one engine."""

    size: Size
    model: str | Path
    card: ModelCard | None
    """None for resizes by swscale."""
    setup: Setup | None
    """None for resizes by swscale."""

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.card.name if self.card else str(self.model)

    @property
    def upscaling(self) -> UpscaleOptions:
        """The options that run the case in this process."""
        options = UpscaleOptions(self.model, width=self.size.large_width, height=self.size.large_height)
        return replace(options, **asdict(self.setup)) if self.setup else options

    @property
    def arguments(self) -> list[str]:
        """The arguments of `vidsr upscale` that run the case."""
        words = ["--size", f"{self.size.large_width}x{self.size.large_height}", "--model", str(self.model)]
        if self.setup is not None:
            words += ["--engine", self.setup.engine, "--device", self.setup.device, "--precision", self.setup.precision]
        return words


def cases_of(models: Sequence[str | Path], sizes: Sequence[str], setups: Sequence[Setup]) -> dict[Size, list[Case]]:
    """Return the cases of each size, bicubic first.

    models: names or paths; empty for the shelf's live-… and fast-… of each size's factor. sizes: names such as
    270p-1080p; empty for those that fit the models. Raises UnknownModel, NotAModel, WrongOption.
    """
    known = {str(model): _card(model) for model in models}
    names = sizes or (list(dict.fromkeys(map(_default_size, known.values()))) if known else DEFAULT_SIZES)
    found = {}
    for size in dict.fromkeys(map(size_of, names)):
        entries = known or _shelf(size)
        wanted = [(model, card) for model, card in entries.items() if model != BASELINE]
        found[size] = [
            Case(size, BASELINE, None, None),
            *(Case(size, model, card, each) for model, card in wanted for each in _setups_for(model, card, setups)),
        ]
    return found


def setups_of(engines: Sequence[str], precisions: Sequence[str]) -> tuple[list[Setup], list[str]]:
    """Resolve every combination of engines and precisions, and return a sentence for each that is not supported.

    Raises EngineError if none is supported or a precision is unknown, and EngineMissing for an unknown engine.
    """
    for precision in precisions:
        check(precision)
    setups, refused = [], []
    for engine, precision in product(map(choose, engines), precisions):
        try:
            setup = settle(engine=engine, precision=cast(Precision, precision))
            # Of models that have a file for it; see `_setups_for`.
            in_int8 = precision == "int8" or (precision == "auto" and takes_int8(engine, setup.device))
            setups.append(replace(setup, precision="int8") if in_int8 else setup)
        except EngineError as exc:
            refused.append(exc)
    if not setups:
        raise refused[0]
    return list(dict.fromkeys(setups)), [f"left out: {exc}" for exc in refused]


def size_of(name: str) -> Size:
    """Parse a size such as 270p-1080p or 1080p-4K. Raises WrongOption."""
    match = re.fullmatch(r"(\d{2,4}p|4K|8K)-(\d{2,4}p|4K|8K)", name)
    if match is None:
        raise WrongOption(f"{name!r} is not a size; expected the lines before and after, such as {', '.join(SIZES)}")
    small, large = (_LINES.get(word) or int(word[:-1]) for word in match.groups())
    if not LEAST_LINES <= small < large <= MOST_SCALE * small or small % 2 or large % 2:
        raise WrongOption(
            f"{name} cannot be measured; expected even numbers of lines, from {LEAST_LINES} or more to more, "
            f"at most {MOST_SCALE} times as many"
        )
    if not fits(_width_of(large), large):
        raise WrongOption(f"{name} cannot be measured; this machine has too little memory for such frames")
    return Size(name, _width_of(small), small, _width_of(large), large)


def size_for(scale: int) -> str:
    """Return the name of the default size for models of this factor."""
    return _SIZE_OF_SCALE.get(scale, f"136p-{136 * scale}p")


def _card(model: str | Path) -> ModelCard | None:
    if str(model) in zoo.RESIZES:
        return None
    return load_model(model).card


def _setups_for(model: str | Path, card: ModelCard | None, setups: Sequence[Setup]) -> list[Setup | None]:
    """Return the setups that compute a model: without a file for int8, f32 instead; None for a resize."""
    if card is None:
        return [None]
    has_int8 = zoo.int8_file(zoo.find(model)) is not None
    fitting = (replace(each, precision="f32") if each.precision == "int8" and not has_int8 else each for each in setups)
    return list(dict.fromkeys(fitting))


def _default_size(card: ModelCard | None) -> str:
    return DEFAULT_SIZES[0] if card is None else size_for(card.scale)


def _shelf(size: Size) -> dict[str, ModelCard | None]:
    """Return the DEFAULT_MODELS of this factor, or the live-… of the next larger factor if there are none."""
    matching = [card for _, card in zoo.shelf() if card.name.startswith(DEFAULT_MODELS) and card.scale == size.scale]
    if not matching:
        matching = [load_model(zoo.by_scale(size.scale)).card]
    return {card.name: card for card in matching}


def _width_of(lines: int) -> int:
    return round(lines * 8 / 9) * 2
