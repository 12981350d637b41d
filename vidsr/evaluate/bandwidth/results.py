"""What was measured of a clip's bandwidth: curves, and how each small one stands against the full size."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidsr.evaluate.bandwidth.encode import Encoder, Video
from vidsr.evaluate.bandwidth.rd_curves import Crossover, Curve, Metric, bd_rate, bits_saved, crossover, metrics_of

QUALITIES = (80, 90)
"""VMAF-NEG at which the saved bits are told."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way to send a film small, in one measure, against the film at its own size."""

    curve: str
    metric: Metric
    against_native: float | None
    """BD-rate in percent, negative where bits are saved; None for the reason below."""
    native_reason: str
    against_lanczos: float | None
    """BD-rate against half size enlarged by Lanczos; None for the reason below."""
    lanczos_reason: str
    crossover: Crossover
    saved: dict[int, float | None]
    """Percent of the bits at each of QUALITIES, None where a curve does not reach it; empty but for VMAF-NEG."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured on one clip."""

    video: Video
    encoder: Encoder
    protocol: str
    curves: tuple[Curve, ...]
    """The first is the film at its own size, the second half size enlarged by Lanczos."""
    comparisons: tuple[Comparison, ...]

    @property
    def metrics(self) -> list[Metric]:
        """What it was measured in; the last one decides."""
        return metrics_of(self.curves)

    def curve(self, name: str) -> Curve:
        """The curve of that name."""
        return next(curve for curve in self.curves if curve.name == name)

    def comparison(self, name: str, metric: Metric) -> Comparison:
        """How the curve of that name stands in that measure."""
        return next(one for one in self.comparisons if (one.curve, one.metric) == (name, metric))


def compare(curves: Sequence[Curve]) -> tuple[Comparison, ...]:
    """Hold every small curve against the first, native, and against the second, half size enlarged by Lanczos."""
    native, lanczos = curves[:2]
    found = []
    for curve in curves[1:]:
        for metric in metrics_of(curves):
            to_native, native_reason = bd_rate(native, curve, metric)
            to_lanczos, lanczos_reason = (None, "itself") if curve is lanczos else bd_rate(lanczos, curve, metric)
            levels = QUALITIES if metric == "vmaf_neg" else ()
            saved = {level: bits_saved(native, curve, metric, level) for level in levels}
            crossing = crossover(native, curve, metric)
            found.append(
                Comparison(curve.name, metric, to_native, native_reason, to_lanczos, lanczos_reason, crossing, saved)
            )
    return tuple(found)
