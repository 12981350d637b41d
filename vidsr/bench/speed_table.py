"""The results of a measurement, and how they are printed: as tables and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from vidsr.bench.case_runs import Ratio, Timing
from vidsr.bench.cases import Case
from vidsr.bench.conditions import Conditions

SPEED = (
    "size", "model", "engine", "network, ms", "fps", "pipeline, ms", "fps", "of bicubic", "whole, ms", "fps",
    "of bicubic",
)  # fmt: skip
COST = ("size", "model", "engine", "first frame, s", "memory, MB", "cores busy", "GFLOP/s", "of matrix peak")
LEGEND = (
    "ms: time per frame, median (95th percentile); fps: 1000 / median; of bicubic: fps relative to bicubic's, median "
    "over the turns (least-most).",
    "network: alone, on frames in memory, with its edges and the resizing of chroma; pipeline: from the H.264 file to "
    "upscaled frames; whole: to an H.264 file, by x264 veryfast. Opening, compiling and the first frame do not count.",
    "first frame: from the start of the command until its first frame comes out of a pipe; cores busy: CPU time over "
    "elapsed time of the whole; matrix peak: 3x3 convolutions from 64 to 64 channels at 480x270 on the same engine in "
    "the same precision, best of 5.",
)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What was measured of one case."""

    case: Case
    network: Timing
    """From a frame to an upscaled one, in memory; with edges and the resizing of chroma."""
    pipeline: Timing
    """Decoding and upscaling."""
    whole: Timing
    """Decoding, upscaling, encoding with x264 veryfast and writing."""
    first_frame_s: float
    """From the start of the command until its first frame is out."""
    peak_mb: float | None
    """Peak memory of the command; None if the system does not say."""
    cores: float
    """Mean number of cores that `whole` keeps busy."""
    matrix_peak: float | None
    """GFLOP/s of this machine on the same engine in the same precision; None without a network."""

    @property
    def gflops(self) -> float | None:
        """GFLOP/s of the network; None if the card has no number of operations."""
        card, size = self.case.card, self.case.size
        return 2e-9 * card.macs * size.width * size.height * self.network.fps if card and card.macs else None

    @property
    def share_of_peak(self) -> float | None:
        """GFLOP/s relative to the matrix peak, from 0 to 1."""
        return self.gflops / self.matrix_peak if self.gflops and self.matrix_peak else None


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """All results, and what they were measured on."""

    conditions: Conditions
    video: str
    """What was upscaled."""
    frames: int
    """Of the video; slow models get fewer."""
    runs: int
    results: tuple[CaseResult, ...]
    notices: tuple[str, ...]
    """Sentences on what was left out."""


def speed_rows(report: SpeedReport) -> list[list[str]]:
    """Return the rows under SPEED."""
    return [
        [
            *_names(each),
            *_times(each.network),
            *_times(each.pipeline),
            _ratio(each.pipeline.of_bicubic),
            *_times(each.whole),
            _ratio(each.whole.of_bicubic),
        ]
        for each in report.results
    ]


def cost_rows(report: SpeedReport) -> list[list[str]]:
    """Return the rows under COST."""
    return [
        [
            *_names(each),
            f"{each.first_frame_s:.2f}",
            _or_dash(each.peak_mb, ".0f"),
            f"{each.cores:.1f}",
            _or_dash(each.gflops, ".0f"),
            "-" if each.share_of_peak is None else f"{100 * each.share_of_peak:.0f} % of {each.matrix_peak:.0f}",
        ]
        for each in report.results
    ]


def sentences(report: SpeedReport) -> list[str]:
    """Return what was measured on what, and warnings."""
    turns = "1 run" if report.runs == 1 else f"{report.runs} runs taking turns"
    measured = f"{report.video}, {report.frames} frames, {turns}."
    warning = report.conditions.warning
    return [f"{report.conditions}.", measured, *([f"Warning: {warning}."] if warning else []), *report.notices]


def as_json(report: SpeedReport) -> dict[str, Any]:
    """Return everything as JSON can hold it."""
    return {
        "machine": asdict(report.conditions),
        "warning": report.conditions.warning,
        "video": report.video,
        "frames": report.frames,
        "runs": report.runs,
        "notices": list(report.notices),
        "results": [_result(each) for each in report.results],
    }


def _result(each: CaseResult) -> dict[str, Any]:
    case = each.case
    return {
        "size": case.size.name,
        "input": [case.size.width, case.size.height],
        "output": [case.size.large_width, case.size.large_height],
        "model": case.name,
        **(asdict(case.setup) if case.setup else {"engine": "swscale", "device": "cpu", "precision": None}),
        "network": _timing(each.network),
        "pipeline": _timing(each.pipeline),
        "whole": _timing(each.whole),
        "first_frame_s": each.first_frame_s,
        "peak_mb": each.peak_mb,
        "cores_busy": each.cores,
        "gflops": each.gflops,
        "matrix_peak_gflops": each.matrix_peak,
        "share_of_peak": each.share_of_peak,
        "metrics": case.card.metrics if case.card else {},
    }


def _timing(timing: Timing) -> dict[str, Any]:
    return {**asdict(timing), "fps": timing.fps}


def _names(each: CaseResult) -> tuple[str, str, str]:
    setup = each.case.setup
    engine = "swscale" if setup is None else " ".join(word for word in asdict(setup).values() if word != "cpu")
    return each.case.size.name, each.case.name, engine


def _times(timing: Timing) -> tuple[str, str]:
    return f"{timing.ms:.1f} ({timing.p95_ms:.1f})", f"{timing.fps:.1f}"


def _ratio(ratio: Ratio) -> str:
    form = ".2f" if ratio.median >= 0.1 else ".3f"
    spread = "" if ratio.least == ratio.most else f" ({ratio.least:{form}}-{ratio.most:{form}})"
    return f"{ratio.median:{form}}{spread}"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
