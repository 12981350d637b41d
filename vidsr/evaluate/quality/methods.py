"""Who is measured."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.frames import Frame
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.zoo import RESIZES

BICUBIC, LANCZOS = "protocol bicubic", "protocol lanczos"
"""The rows of vidsr.resize, which are not swscale's: the models named `bicubic` and `lanczos`."""


@dataclass(frozen=True, slots=True)
class Method:
    """A model, opened to be measured as it ships: planes in, planes out."""

    name: str
    scale: int
    rgb: bool
    upscaler: FrameUpscaler

    def enlarge(self, frame: Frame) -> Frame:
        """The frame, `scale` times as large."""
        return self.upscaler.submit(frame).result()


@contextmanager
def open_methods(
    models: Sequence[str | Path], *, scale: int | None, engine: str, precision: Precision
) -> Iterator[dict[int, list[Method]]]:
    """Open every model and give them by scale.

    scale: for models that have none of their own (bicubic, lanczos, nearest); without models, the scale at which the
    protocol's own rows are wanted. Raises DataError where neither says a scale.
    """
    if not models and scale is None:
        raise DataError("nothing to evaluate; name a model, or give --scale to see the protocol's own resizes")
    groups: dict[int, list[Method]] = {} if scale is None else {scale: []}
    with ExitStack() as stack:
        stems = Counter(Path(model).stem for model in dict.fromkeys(models))
        for model in dict.fromkeys(models):
            name = str(model) if stems[Path(model).stem] > 1 else Path(model).stem  # a/best.onnx beside b/best.onnx
            method = _open(model, name, scale, engine, precision, stack)
            groups.setdefault(method.scale, []).append(method)
        yield {factor: group for factor, group in groups.items() if group or not models}


def _open(
    model: str | Path, name: str, scale: int | None, engine: str, precision: Precision, stack: ExitStack
) -> Method:
    resizes = model in RESIZES  # a network given a scale would have its picture resized to that
    factor = (scale or 2) if resizes else None
    upscaler = load_upscaler(model, scale=factor, engine=engine, precision=precision)
    stack.callback(upscaler.close)
    if upscaler.card is None:
        return Method(name, scale or 2, False, upscaler)
    return Method(name, upscaler.card.scale, upscaler.card.channels == 3, upscaler)
