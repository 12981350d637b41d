"""Quality against time: the models of a factor in every precision of this machine, and the one that videos get."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from vidsr import zoo
from vidsr.bench.cases import size_of
from vidsr.bench.conditions import Conditions, current_conditions
from vidsr.card import ModelCard, read_card
from vidsr.engines import Setup, settle
from vidsr.errors import EngineError, WrongOption
from vidsr.options import Precision, UpscaleOptions
from vidsr.plotting import subplots, use_log_scale
from vidsr.upscaling.model_choice import QUALITY, Choice, Demand, choose, network_seconds, rest_seconds
from vidsr.upscaling.session import SessionOptions, setup_for
from vidsr.upscaling.upscaler import load_for

SIZE, RATE = "270p-1080p", 30.0  # by default; frames a second
COLUMNS = ("model", "precision", "PSNR-Y, dB", "ms per frame", "fps of the whole", "")


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A model in one precision."""

    model: str
    precision: str
    psnr: float | None
    """On Set14, of the card."""
    ms: float
    """Of the network, per frame."""
    fps: float
    """Of the whole run, estimated as for the choice."""
    best: bool = False
    """Whether no other point is both faster and better."""
    taken: bool = False
    """Whether a video of this size and rate gets it without a named model."""


@dataclass(frozen=True, slots=True)
class Front:
    """All points of a size."""

    conditions: Conditions
    size: str
    rate: float
    points: tuple[FrontPoint, ...]
    choice: Choice | None
    """Of the model taken; None if there is nothing to choose from."""

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self) | {"why": str(self.choice) if self.choice else None}


def measure_front(
    models: Sequence[str | Path] = (),
    *,
    size: str = SIZE,
    rate: float = RATE,
    progress: Callable[[int, int], None] | None = None,
) -> Front:
    """Measure models anew, and cache that for the choice of a model; a fraction of a second each.

    models: names or paths; empty for the shelf's of the factor. progress: called with the number of points and their
    total. Raises UnknownModel, NotAModel, WrongOption.
    """
    wanted = size_of(size)
    factor = _card(zoo.by_scale(wanted.scale)).scale
    paths = [zoo.find(each) for each in models] or [path for path, card in zoo.shelf() if card.scale == factor]
    demand = Demand(wanted.width, wanted.height, wanted.large_width * wanted.large_height, rate)
    pairs = [(path, each) for path in paths for each in _precisions(path)]
    points = []
    for number, (path, precision) in enumerate(pairs, 1):
        points.append(_point(path, precision, demand))
        if progress:
            progress(number, len(pairs))
    automatic = SessionOptions(UpscaleOptions())
    found = choose(factor, demand, lambda path: load_for(path, automatic.upscale), automatic)
    path, choice = found or (zoo.by_scale(wanted.scale), None)
    taken = (_card(path).name, _automatic(path, automatic))
    marked = tuple(
        replace(each, best=_is_best(each, points), taken=(each.model, each.precision) == taken) for each in points
    )
    return Front(current_conditions(_setups(pairs)), wanted.name, rate, marked, choice)


def front_rows(front: Front) -> list[list[str]]:
    """Return the rows under COLUMNS, the fastest first."""
    return [
        [
            each.model,
            each.precision,
            "" if each.psnr is None else f"{each.psnr:.2f}",
            f"{each.ms:.1f}",
            f"{each.fps:.1f}",
            "taken" if each.taken else "",
        ]
        for each in sorted(front.points, key=lambda point: point.ms)
    ]


def write_front(front: Front, path: Path) -> list[str]:
    """Draw the points, a line through the best, a ring around the one taken. Return those without a quality metric."""
    figure, (axes,) = subplots(1, 1, width=6, height=4.2)
    for each in front.points:
        if each.psnr is not None:
            axes.plot(each.ms, each.psnr, "o", color="#4477aa" if each.best else "#7f7f7f")
            if each.taken:
                axes.plot(each.ms, each.psnr, "o", ms=14, mfc="none", mec="#cc3311")
            label = f"{each.model} {each.precision}"
            axes.annotate(label, (each.ms, each.psnr), xytext=(0, 8), textcoords="offset points", ha="center", size=9)
    line = sorted((each.ms, each.psnr) for each in front.points if each.best and each.psnr is not None)
    axes.plot(*zip(*line, strict=True), "-", color="#4477aa", alpha=0.5) if line else None
    use_log_scale(axes)
    axes.set(xlabel="ms per frame, network alone", ylabel="PSNR-Y on Set14, dB")
    axes.set_title(f"{front.size}; the ring: taken at {front.rate:g} frames a second", fontsize=10)
    axes.margins(x=0.25, y=0.15)
    axes.grid(alpha=0.3)
    figure.suptitle(f"{front.conditions.cpu}, {front.conditions.cores} cores", fontsize=9)
    figure.savefig(path, dpi=140)
    return [each.model for each in front.points if each.psnr is None]


def _precisions(path: Path) -> list[Precision]:
    """Return the precisions that this machine computes natively, and int8 if the model has a file for it."""
    found: list[Precision] = []
    for precision in get_args(Precision):
        if precision == "int8":
            found += ["int8"] if zoo.int8_file(path) else []
        elif precision != "auto":
            try:
                settle(precision=precision)
            except EngineError:
                continue
            found.append(precision)
    return found


def _point(path: Path, precision: Precision, demand: Demand) -> FrontPoint:
    options = SessionOptions(UpscaleOptions(precision=precision))
    model = load_for(path, options.upscale)
    seconds = network_seconds(model, demand, options, again=True)
    psnr = model.card.metrics.get(QUALITY, _card(path).metrics.get(QUALITY))
    return FrontPoint(_card(path).name, precision, psnr, 1000 * seconds, 1 / (seconds + rest_seconds(demand)))


def _is_best(point: FrontPoint, points: Sequence[FrontPoint]) -> bool:
    psnr = point.psnr
    if psnr is None:
        return False
    others = [each for each in points if each.psnr is not None and each != point]
    return not any(each.ms <= point.ms and each.psnr is not None and each.psnr >= psnr for each in others)


def _automatic(path: Path, options: SessionOptions) -> str:
    model = load_for(path, options.upscale)
    return "int8" if model.file.name.endswith(zoo.INT8) else setup_for(model, 8, options).precision


def _card(path: Path) -> ModelCard:
    card = read_card(path)
    if card is None:
        raise WrongOption(f"{path} has no card, which says how good it is; leave it out")
    return card


def _setups(pairs: Sequence[tuple[Path, Precision]]) -> list[Setup]:
    return list(dict.fromkeys(settle(precision=precision) for _, precision in pairs))
