"""Rows of results: the mean of each metric for one method on one image set or video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from vidsr.evaluate.quality.meters import Meter, Values
from vidsr.evaluate.quality.metric_table import METRICS

Warn = Callable[[str], None]
"""Takes a warning for the user."""

Progress = Callable[[int, int], None]
"""Takes how much is done, and the total."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What methods are measured on."""

    material: str
    """Name of the image set or video."""
    scale: int
    codec: str | None = None
    """FFmpeg's name of the encoder that the low-resolution input went through; None if it was not encoded."""
    crf: float | None = None

    @property
    def title(self) -> str:
        """`Set5 x4`, `clip x2, libx264 CRF 23`."""
        encoded = "" if self.crf is None else f", {self.codec} CRF {self.crf:g}"
        return f"{self.material} x{self.scale}{encoded}"


@dataclass(frozen=True, slots=True)
class Row:
    """The results of one method under one condition."""

    material: str
    scale: int
    codec: str | None
    crf: float | None
    method: str
    pictures: int
    """Images or frames measured."""
    figures: dict[str, float]
    """Means by the names of METRICS."""
    gain: float
    """PSNR-Y in dB above the baseline's under the same condition."""
    kbit: float | None = None
    """Bit rate in kbit/s; of videos."""
    bits_per_pixel: float | None = None
    """Encoded bits for each pixel of the original; of compressed images."""

    @property
    def psnr(self) -> float:
        """PSNR-Y in dB, which every row has."""
        return self.figures["psnr"]


def make_rows(
    condition: Condition,
    meters: Sequence[Meter],
    wanted: Sequence[str],
    baseline: str,
    *,
    warn: Warn,
    kbit: float | None = None,
    bits_per_pixel: float | None = None,
) -> list[Row]:
    """Read the meters and return one row for each method.

    wanted: the metrics to keep. baseline: the method that gains are relative to. warn: called for each metric that some
    images have no value of, because its mean leaves them out.
    """
    found: Values = {}
    for meter in meters:
        found |= meter.result()
    wanted = [name for name in wanted if name in found]
    for name in wanted:
        _warn_of_missing(name, found, condition.material, warn)
    means = {
        method: {name: mean for name in wanted if not isnan(mean := mean_of(found[name][method]))}
        for method in found["psnr"]
    }
    rows = []
    for method, figures in means.items():
        count, gain = len(found["psnr"][method]), figures["psnr"] - means[baseline]["psnr"]
        where = condition.material, condition.scale, condition.codec, condition.crf
        rows.append(Row(*where, method, count, figures, gain, kbit, bits_per_pixel))
    return rows


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    numbers = [value for value in values if not isnan(value)]
    return sum(numbers) / len(numbers) if numbers else float("nan")


def _warn_of_missing(name: str, found: Values, material: str, warn: Warn) -> None:
    values = next(iter(found[name].values()))
    valid = sum(not isnan(value) for value in values)
    if valid < len(values):
        metric = METRICS[name]
        extent = f"is the mean of {valid} of {len(values)} values" if valid else "is left out"
        warn(f"{metric.title} of {material} {extent}: {metric.why_missing}")
