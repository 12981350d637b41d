"""A report as a table, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vidsr.bench.case_runs import Ratio, Timing
from vidsr.bench.cases import Case
from vidsr.bench.conditions import Machine

SPEED = (
    "size",
    "model",
    "on",
    "network, ms",
    "fps",
    "pipeline, ms",
    "fps",
    "of bicubic",
    "whole, ms",
    "fps",
    "of bicubic",
)
COST = ("size", "model", "on", "first frame, s", "memory, MB", "cores busy", "GFLOP/s", "of matrix peak")
LEGEND = (
    "ms: a frame's time, median, and what 95 of 100 stay under; fps: 1000 / median; of bicubic: against bicubic's fps, "
    "median of the turns (least-most).",
    "network: alone, frames in memory, with its edges and the chroma resized beside it; pipeline: from the H.264 file "
    "to large frames; whole: into an H.264 file by x264 veryfast. Opening, compiling and the first frame do not count.",
    "first frame: from the start of the command until it comes out, in a pipe; cores busy: CPU seconds a second of the "
    "whole way; matrix peak: 3x3 convolutions from 64 to 64 channels at 480x270 with the same engine and precision, "
    "best of 5.",
)


@dataclass(frozen=True, slots=True)
class Result:
    """What was found of one case."""

    case: Case
    network: Timing
    """Alone, with its edges, and chroma resized beside it: from a frame to a large one in memory."""
    pipeline: Timing
    """Decoded and enlarged."""
    whole: Timing
    """Decoded, enlarged, encoded by x264 veryfast, written."""
    first_frame_s: float
    """From the start of the command until its first frame is out."""
    peak_mb: float | None
    """The most memory that the command held; None where the system does not say."""
    cores: float
    """Busy on the whole way."""
    matrix_peak: float | None
    """GFLOP/s of this machine with the same engine and precision; None without a network."""

    @property
    def gflops(self) -> float | None:
        """GFLOP/s that the network reaches; None where the card does not say what it computes."""
        card, size = self.case.card, self.case.size
        return 2e-9 * card.macs * size.width * size.height * self.network.fps if card and card.macs else None

    @property
    def share_of_peak(self) -> float | None:
        """Of the matrix peak, from 0 to 1."""
        return self.gflops / self.matrix_peak if self.gflops and self.matrix_peak else None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found, and on what."""

    machine: Machine
    video: str
    """What was shown."""
    frames: int
    """Of the film; slow models are given fewer."""
    runs: int
    results: tuple[Result, ...]
    notices: tuple[str, ...]
    """Sentences on what was left out."""


def speed_rows(report: Report) -> list[list[str]]:
    """The rows under SPEED."""
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


def cost_rows(report: Report) -> list[list[str]]:
    """The rows under COST."""
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


def sentences(report: Report) -> list[str]:
    """What was measured on what, and what to think of it."""
    turns = "1 run" if report.runs == 1 else f"{report.runs} runs taking turns"
    taken = f"{report.video}, {report.frames} frames, {turns}."
    warning = report.machine.warning
    return [f"{report.machine}.", taken, *([f"Warning: {warning}."] if warning else []), *report.notices]


def as_json(report: Report) -> dict[str, Any]:
    """Everything, as JSON holds it."""
    return {
        "machine": asdict(report.machine),
        "warning": report.machine.warning,
        "film": report.video,
        "frames": report.frames,
        "runs": report.runs,
        "notices": list(report.notices),
        "results": [_result(each) for each in report.results],
    }


def _result(each: Result) -> dict[str, Any]:
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


def _names(each: Result) -> Sequence[str]:
    setup = each.case.setup
    on = "swscale" if setup is None else " ".join(word for word in asdict(setup).values() if word != "cpu")
    return each.case.size.name, each.case.name, on


def _times(timing: Timing) -> tuple[str, str]:
    return f"{timing.ms:.1f} ({timing.p95_ms:.1f})", f"{timing.fps:.1f}"


def _ratio(ratio: Ratio) -> str:
    form = ".2f" if ratio.median >= 0.1 else ".3f"
    spread = "" if ratio.least == ratio.most else f" ({ratio.least:{form}}-{ratio.most:{form}})"
    return f"{ratio.median:{form}}{spread}"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
