"""Upscaling methods under measurement: models, opened as they ship."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidsr.errors import DataError
from vidsr.frames import Frame
from vidsr.options import EvaluateOptions
from vidsr.resize import Kernel
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.zoo import RESIZES

BICUBIC, LANCZOS = "protocol bicubic", "protocol lanczos"
BASELINES: dict[str, Kernel] = {BICUBIC: "bicubic", LANCZOS: "lanczos"}
"""The protocol's methods, computed by `vidsr.resize`. The models `bicubic` and `lanczos` are swscale's."""


@dataclass(frozen=True, slots=True)
class UpscalingMethod:
    """A model, opened as users run it: frames in, frames out."""

    name: str
    """Its file's stem, or its path if two models share a stem."""
    model: str | Path
    """As it was given."""
    scale: int
    """Factor; of bicubic, lanczos and nearest as given, else 2."""
    rgb: bool
    """Whether it takes RGB rather than luma."""
    upscale: Callable[[Frame], Frame]
    """Not for two threads at once."""


@contextmanager
def open_methods(models: Sequence[str | Path], options: EvaluateOptions) -> Iterator[dict[int, list[UpscalingMethod]]]:
    """Open every model and give them by scale.

    Uses `options.scale`, `engine` and `precision`. Without models, the result has that scale and no methods, so that
    the protocol's methods are measured alone. Raises DataError without models and scale, UnknownModel.
    """
    if not models and options.scale is None:
        raise DataError("nothing to evaluate; name a model, or give --scale to measure the protocol's own methods")
    groups: dict[int, list[UpscalingMethod]] = {} if models or options.scale is None else {options.scale: []}
    unique = list(dict.fromkeys(models))
    stems = Counter(Path(model).stem for model in unique)
    with ExitStack() as stack:
        for model in unique:
            # A network given a scale would have its output resized to that.
            scale = (options.scale or 2) if model in RESIZES else None
            upscaler = load_upscaler(model, scale=scale, engine=options.engine, precision=options.precision)
            stack.callback(upscaler.close)
            card = upscaler.card
            name = str(model) if stems[Path(model).stem] > 1 else Path(model).stem
            factor = card.scale if card else options.scale or 2
            method = UpscalingMethod(name, model, factor, card is not None and card.channels == 3, upscaler)
            groups.setdefault(factor, []).append(method)
        yield groups
