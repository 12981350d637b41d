"""Results of an evaluation as a table, an HTML page, JSON, or metrics on a model's card."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from vidsr.card import BICUBIC_PREFIX, read_card, with_card
from vidsr.context import ignore
from vidsr.errors import CardMismatch, DiskFull, TargetExists
from vidsr.evaluate.quality.contact_sheet import SIGNATURE, ZOOM, caption
from vidsr.evaluate.quality.crop_choice import SIDE, Comparison
from vidsr.evaluate.quality.images import evaluate_images, image_protocol
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.metric_table import METRICS, Kind, legend
from vidsr.evaluate.quality.scores import Progress, Row, Warn
from vidsr.evaluate.quality.videos import GainSummary, evaluate_videos, summarize, video_protocol
from vidsr.io.atomic import write_atomically
from vidsr.options import EvaluateOptions


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Results on images, or on videos."""

    kind: Kind
    protocol: str
    rows: list[Row]
    summaries: list[GainSummary] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that at least one row has, in the order of METRICS."""
        return [name for name in METRICS if any(name in row.figures for row in self.rows)]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints: numbers not rounded, no images."""
        found: dict[str, Any] = {"protocol": self.protocol, "figures": legend(self.metrics)}
        found["rows"] = [asdict(row) for row in self.rows]
        return found | ({"summaries": [asdict(one) for one in self.summaries]} if self.summaries else {})


def report_images(
    models: Sequence[str | Path],
    folders: Sequence[Path],
    options: EvaluateOptions,
    *,
    crops: bool = False,
    progress: Progress | None = None,
    warn: Warn = ignore,
) -> QualityReport:
    """Measure with `evaluate_images`. crops: keep crops to show."""
    shown: list[Comparison] = []
    rows = evaluate_images(models, folders, options, progress=progress, warn=warn, show=shown.append if crops else None)
    titles = list(dict.fromkeys(one.title for one in shown))
    shown.sort(key=lambda one: titles.index(one.title))  # crops under one condition stand together
    return QualityReport("images", image_protocol(options), rows, comparisons=shown)


def report_videos(
    models: Sequence[str | Path],
    clips: Sequence[Path],
    options: EvaluateOptions,
    *,
    crops: bool = False,
    progress: Progress | None = None,
    warn: Warn = ignore,
) -> QualityReport:
    """Measure with `evaluate_videos`. crops: keep crops to show."""
    shown: list[Comparison] = []
    rows = evaluate_videos(models, clips, options, progress=progress, warn=warn, show=shown.append if crops else None)
    return QualityReport("videos", video_protocol(options), rows, summarize(rows), shown)


def table(report: QualityReport) -> tuple[list[str], list[list[str]]]:
    """Return the column titles and cells of a report's table; a dash if a row lacks a metric."""
    names, rows = report.metrics, report.rows
    optional: list[tuple[str, Callable[[Row], str]]] = []
    if any(row.crf is not None for row in rows):
        optional.append(("CRF", lambda row: f"{row.crf:g}"))
    if any(row.kbit is not None for row in rows):
        optional.append(("kbit/s", lambda row: f"{row.kbit:.0f}"))
    if any(row.bits_per_pixel is not None for row in rows):
        optional.append(("bit/pixel", lambda row: f"{row.bits_per_pixel:.3f}"))
    gain = "over Lanczos" if report.kind == "videos" else "over bicubic"
    header = ["material", "scale", "method", *(title for title, _ in optional)]
    header += ["PSNR-Y", gain, *(METRICS[name].title for name in names[1:])]
    cells = []
    for row in rows:
        first = [row.material, f"x{row.scale}", row.method, *(show(row) for _, show in optional)]
        cells.append([*first, f"{row.psnr:.2f}", f"{row.gain:+.2f}", *(_cell(row, name) for name in names[1:])])
    return header, cells


def _cell(row: Row, name: str) -> str:
    return f"{row.figures[name]:.{METRICS[name].digits}f}" if name in row.figures else "-"


def sentences(report: QualityReport) -> list[str]:
    """Return a summary of each method, if it has several rows: `live-x2 x2: mean +1.20 dB over Lanczos, …`."""
    if len(report.rows) == len(report.summaries):
        return []
    return [
        f"{one.method} x{one.scale}: mean {one.mean:+.2f} dB over Lanczos, least {one.least:+.2f} ({one.where})"
        for one in report.summaries
        if one.method != LANCZOS
    ]


def to_html(reports: Sequence[QualityReport]) -> str:
    """Return the reports as one HTML file with its images embedded."""
    from vidsr.html_page import Page

    methods = dict.fromkeys(row.method for report in reports for row in report.rows)
    models = [method for method in methods if method not in (BICUBIC, LANCZOS)]
    page = Page(f"{SIGNATURE}: {', '.join(models or methods)}")
    for report in reports:
        page.heading(report.kind.capitalize())
        page.paragraph(report.protocol + ".")
        page.table(*table(report))
        page.table(["metric", "meaning"], list(legend(report.metrics).items()))
        for sentence in sentences(report):
            page.paragraph(sentence + ".")
        title = ""
        for one in report.comparisons:
            if one.title != title:
                page.heading(title := one.title)
            crops = [(crop.rgb, caption(crop)) for crop in one.crops]
            page.images([(one.overview, one.place), *crops], width=SIDE * ZOOM)
    return page.to_html()


def check_target(path: Path) -> None:
    """Check that a report can be written to `path`, before minutes of measuring.

    Raises TargetExists if there is anything but an older report, DiskFull if the file cannot be written.
    """
    if path.is_dir():
        raise TargetExists(f"{path} is a folder; name a file for the report")
    if path.exists():
        with path.open("rb") as file:
            replaceable = SIGNATURE.encode() in file.read(4096)
        if not replaceable:
            raise TargetExists(f"{path} exists and is not a report of `{SIGNATURE}`; name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()
    except OSError as exc:
        raise DiskFull(f"{path} cannot be written ({exc.strerror}); name a file elsewhere") from exc


def write_card_metrics(path: Path, folders: Sequence[Path]) -> None:
    """Measure an ONNX model on image sets and replace the metrics on its card: PSNR-Y and SSIM-Y, and bicubic's.

    Raises DataError if a folder has no images, CardMismatch if the model has no card, DiskFull.
    """
    card = read_card(path)
    if card is None:
        raise CardMismatch(f"{path} has no card to write metrics on; export the model with 'vidsr export'")
    metrics = {}
    for row in evaluate_images([path], folders, EvaluateOptions(metrics=("psnr", "ssim"))):
        if row.method != LANCZOS:
            prefix = BICUBIC_PREFIX if row.method == BICUBIC else ""
            metrics[f"{prefix}psnr_{row.material}"] = round(row.psnr, 3)
            metrics[f"{prefix}ssim_{row.material}"] = round(row.figures["ssim"], 4)
    write_atomically(path, with_card(path, replace(card, metrics=metrics)))
