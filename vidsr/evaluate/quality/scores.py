"""How a measurement is written down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from vidsr.evaluate.quality.meters import Meter, Values
from vidsr.evaluate.quality.metric_table import FIGURES

Notice = Callable[[str], None]
"""Takes a sentence that the user should read."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured under which circumstances."""

    material: str
    """Name of the set or of the clip."""
    scale: int
    codec: str | None = None
    """FFmpeg's name of the encoder that the small pictures went through; None for clean ones."""
    crf: float | None = None

    @property
    def title(self) -> str:
        """`Set5 x4`, `film x2, libx264 CRF 23`."""
        sent = "" if self.crf is None else f", {self.codec} CRF {self.crf:g}"
        return f"{self.material} x{self.scale}{sent}"


@dataclass(frozen=True, slots=True)
class Row:
    """What one method reached on one set of pictures or one clip."""

    material: str
    scale: int
    codec: str | None
    crf: float | None
    method: str
    pictures: int
    figures: dict[str, float]
    """Means over the pictures, by the names of FIGURES."""
    gain: float
    """dB of PSNR-Y over the baseline of the same material, scale and CRF."""
    kbit: float | None = None
    """Kilobits a second that travelled; of clips."""
    bits_per_pixel: float | None = None
    """Bits that travelled for each pixel of the truth; of compressed stills."""

    @property
    def psnr(self) -> float:
        """PSNR-Y in dB, which every row has."""
        return self.figures["psnr"]


def rows_of(
    trial: Trial,
    meters: Sequence[Meter],
    *,
    wanted: Sequence[str],
    baseline: str,
    notice: Notice,
    kbit: float | None = None,
    bits_per_pixel: float | None = None,
) -> list[Row]:
    """Read the meters and average what they found into one row a method.

    wanted: the figures; what else a meter says is left out. baseline: the method over which gains are counted.
    notice: is told which pictures have no figure, for a mean says nothing of them.
    """
    found: Values = {}
    for meter in meters:
        found |= meter.result()
    for name in wanted:
        _tell_of_lacking(name, found, trial.material, notice)
    means = {
        method: {name: mean for name in wanted if name in found and not isnan(mean := _mean(found[name][method]))}
        for method in found["psnr"]
    }
    return [
        Row(
            trial.material,
            trial.scale,
            trial.codec,
            trial.crf,
            method,
            len(found["psnr"][method]),
            its,
            its["psnr"] - means[baseline]["psnr"],
            kbit,
            bits_per_pixel,
        )
        for method, its in means.items()
    ]


def _tell_of_lacking(name: str, found: Values, material: str, notice: Notice) -> None:
    values = next(iter(found[name].values())) if name in found else []
    having = sum(not isnan(value) for value in values)
    if having < len(values):
        figure = FIGURES[name]
        where = f"is the mean of {having} of {len(values)} pictures" if having else "is left out"
        notice(f"{figure.title} of {material} {where}: {figure.lacking}")


def _mean(values: Sequence[float]) -> float:
    numbers = [value for value in values if not isnan(value)]
    return sum(numbers) / len(numbers) if numbers else float("nan")
