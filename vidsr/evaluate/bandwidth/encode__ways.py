"""The ways to send a film: at its own size, or small and then enlarged by Lanczos or a model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from vidsr import zoo
from vidsr.engines import Precision
from vidsr.evaluate.bandwidth.encode import Enlarge
from vidsr.evaluate.quality.methods import open_entrants
from vidsr.frames import Frame
from vidsr.video.convert.resizer import Resizer

NATIVE, LANCZOS = "native", "lanczos"
SIZES = {1: "full", 2: "half", 3: "third", 4: "quarter"}
"""A film's size by how many times smaller its sides are."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send a film."""

    name: str
    scale: int
    method: str | None
    """What enlarges, as --model takes it; None at the film's own size."""
    enlarge: Enlarge
    identity: str
    """Tells a model apart from another of its name."""


@contextmanager
def open_ways(models: Sequence[str | Path], *, engine: str, precision: Precision) -> Iterator[list[Way]]:
    """Open every way there is: native, half size with Lanczos, and each model with Lanczos at its factor beside it.

    The film's own size comes first, half size with Lanczos second. Raises UnknownModel.
    """
    wanted = [model for model in models if model != LANCZOS]
    with open_entrants(wanted, scale=2, engine=engine, precision=precision) as groups:
        ways = [Way(NATIVE, 1, None, _as_it_is, NATIVE)]
        for scale in sorted({2, *groups}):
            lanczos = partial(_resize, Resizer("lanczos", accurate=True), scale)
            ways.append(Way(_name(scale, LANCZOS), scale, LANCZOS, lanczos, LANCZOS))
            for entrant in groups.get(scale, ()):
                model = next(model for model in wanted if entrant.name in (str(model), Path(model).stem))
                identity = f"{_digest(model)} {engine} {precision}"
                ways.append(Way(_name(scale, entrant.name), scale, str(model), entrant.enlarge, identity))
        yield ways


def _name(scale: int, method: str) -> str:
    return f"{SIZES.get(scale, f'1/{scale}')} + {method}"


def _as_it_is(frame: Frame) -> Frame:
    return frame


def _resize(resizer: Resizer, scale: int, frame: Frame) -> Frame:
    return resizer.resize(frame, frame.width * scale, frame.height * scale)


def _digest(model: str | Path) -> str:
    return str(model) if model in zoo.RESIZES else sha256(zoo.find(model).read_bytes()).hexdigest()
