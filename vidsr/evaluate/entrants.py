"""Who is measured, and how a measurement is written down."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.frames import Frame
from vidsr.upscaling.resizer import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler, open_upscaler
from vidsr.zoo import RESIZES

BICUBIC, LANCZOS = "protocol bicubic", "protocol lanczos"
"""The rows of vidsr.resize, which are not swscale's: the models named `bicubic` and `lanczos`."""

Scores = dict[str, list[tuple[float, float | None]]]
"""By method, the PSNR and, of stills, the SSIM of every picture."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one method reached on one set of pictures or one clip."""

    material: str
    """Name of the set or of the clip."""
    scale: int
    crf: float | None
    """Of x264 medium, which the small pictures went through; None for clean ones."""
    method: str
    pictures: int
    psnr: float
    """dB on luma, mean over the pictures."""
    ssim: float | None
    gain: float
    """dB over the baseline of the same material, scale and CRF."""
    kbit: float | None = None
    """Kilobits a second that travelled; None for stills."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model, opened to be measured as it ships: planes in, planes out."""

    name: str
    scale: int
    rgb: bool
    upscaler: Upscaler | ResizingUpscaler

    def enlarge(self, frame: Frame) -> Frame:
        """The frame, `scale` times as large."""
        return self.upscaler.submit(frame).result()


@contextmanager
def open_entrants(
    models: Sequence[str | Path], *, scale: int | None, engine: str, precision: Precision
) -> Iterator[dict[int, list[Entrant]]]:
    """Open every model and give them by scale.

    scale: for models that have none of their own (bicubic, lanczos, nearest); without models, the scale at which the
    protocol's own rows are wanted. Raises DataError where neither says a scale.
    """
    if not models and scale is None:
        raise DataError("nothing to evaluate; name a model, or give --scale to see the protocol's own resizes")
    groups: dict[int, list[Entrant]] = {} if scale is None else {scale: []}
    with ExitStack() as stack:
        for model in models:
            entrant = _open(model, scale, engine, precision, stack)
            groups.setdefault(entrant.scale, []).append(entrant)
        yield {factor: group for factor, group in groups.items() if group or not models}


def _open(model: str | Path, scale: int | None, engine: str, precision: Precision, stack: ExitStack) -> Entrant:
    resizes = model in RESIZES  # a network given a scale would have its picture resized to that
    upscaler = open_upscaler(model, scale=(scale or 2) if resizes else None, engine=engine, precision=precision)
    stack.callback(upscaler.close)
    if upscaler.card is None:
        return Entrant(str(model), scale or 2, False, upscaler)
    return Entrant(Path(model).stem, upscaler.card.scale, upscaler.card.channels == 3, upscaler)


def rows_of(
    material: str,
    scale: int,
    crf: float | None,
    scores: Scores,
    *,
    baseline: str,
    kbit: float | None = None,
) -> list[Row]:
    """Average the scores into one row a method."""
    means = {method: _mean(psnr for psnr, _ in pairs) for method, pairs in scores.items()}
    return [
        Row(
            material,
            scale,
            crf,
            method,
            len(pairs),
            means[method],
            _mean(ssim for _, ssim in pairs if ssim is not None) if pairs[0][1] is not None else None,
            means[method] - means[baseline],
            kbit,
        )
        for method, pairs in scores.items()
    ]


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
