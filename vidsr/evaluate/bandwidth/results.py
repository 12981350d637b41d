"""Results of a bandwidth study: the curves of one clip, and comparisons with the clip at full size."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidsr.evaluate.bandwidth.encode import Clip, StudyEncoder
from vidsr.evaluate.bandwidth.rd_curves import Crossover, Metric, RdCurve, bd_rate, bits_saved, crossover, metrics_of

QUALITIES = (80, 90)
"""VMAF-NEG scores at which the saved bits are reported."""


@dataclass(frozen=True, slots=True)
class CurveComparison:
    """A downscaled delivery method compared with the clip at full size, by one metric."""

    curve: str
    metric: Metric
    against_native: float | None
    """BD-rate in percent, negative if bits are saved; None for the reason below."""
    native_reason: str
    against_lanczos: float | None
    """BD-rate against half size upscaled by Lanczos; None for the reason below."""
    lanczos_reason: str
    crossover: Crossover
    saved: dict[int, float | None]
    """Percentage of bits saved at each of QUALITIES, None if a curve does not reach it; only for VMAF-NEG."""


@dataclass(frozen=True, slots=True)
class BandwidthResult:
    """What was measured on one clip."""

    video: Clip
    encoder: StudyEncoder
    protocol: str
    curves: tuple[RdCurve, ...]
    """The first is the clip at full size, the second half size upscaled by Lanczos."""
    comparisons: tuple[CurveComparison, ...]

    @property
    def metrics(self) -> list[Metric]:
        """Metrics that all points have; the last one decides."""
        return metrics_of(self.curves)

    def curve(self, name: str) -> RdCurve:
        """Return the curve of that name."""
        return next(curve for curve in self.curves if curve.name == name)

    def comparison(self, name: str, metric: Metric) -> CurveComparison:
        """Return the comparison of the curve of that name by a metric."""
        return next(one for one in self.comparisons if (one.curve, one.metric) == (name, metric))


def compare(curves: Sequence[RdCurve]) -> tuple[CurveComparison, ...]:
    """Compare every downscaled curve with the first, native, and the second, half size upscaled by Lanczos."""
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
                CurveComparison(
                    curve.name, metric, to_native, native_reason, to_lanczos, lanczos_reason, crossing, saved
                )
            )
    return tuple(found)
