"""What an evaluation found, as a table, as a page and as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

from vidsr.errors import DiskFull, TargetExists
from vidsr.evaluate.quality import images, videos
from vidsr.evaluate.quality.compression import CODECS
from vidsr.evaluate.quality.contact_sheet import MARK, ZOOM, label
from vidsr.evaluate.quality.crop_choice import SIDE, Comparison
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.metric_table import FIGURES, legend
from vidsr.evaluate.quality.scores import Row
from vidsr.evaluate.quality.videos import Summary


@dataclass(frozen=True, slots=True)
class Report:
    """What was found on pictures, or on clips."""

    kind: Literal["images", "videos"]
    protocol: str
    rows: list[Row]
    summaries: list[Summary] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def figures(self) -> list[str]:
        """The names of the figures that some row has, in the order of FIGURES."""
        return [name for name in FIGURES if any(name in row.figures for row in self.rows)]

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints: numbers unrounded, no pictures."""
        found: dict[str, Any] = {"protocol": self.protocol, "figures": legend(self.figures)}
        found["rows"] = [asdict(row) for row in self.rows]
        return found | ({"summaries": [asdict(one) for one in self.summaries]} if self.summaries else {})


def on_images(models: Sequence[str | Path], folders: Sequence[Path], *, pictures: bool, **options: Any) -> Report:
    """Measure by `evaluate_images`, whose options it takes; pictures: keep crops to show."""
    codec = CODECS[options.get("codec", "libx264")] if options.get("compress") else None
    crops: list[Comparison] = []
    rows = images.evaluate_images(models, folders, show=crops.append if pictures else None, **options)
    titles = list(dict.fromkeys(crop.title for crop in crops))
    crops.sort(key=lambda crop: titles.index(crop.title))  # what was enlarged alike stands together
    return Report("images", images.protocol(codec, options.get("preset")), rows, comparisons=crops)


def on_videos(models: Sequence[str | Path], clips: Sequence[Path], *, pictures: bool, **options: Any) -> Report:
    """Measure by `evaluate_videos`, whose options it takes; pictures: keep crops to show."""
    crops: list[Comparison] = []
    rows = videos.evaluate_videos(models, clips, show=crops.append if pictures else None, **options)
    said = videos.protocol(CODECS[options.get("codec", "libx264")], options.get("preset"))
    return Report("videos", said, rows, videos.summaries(rows), crops)


def table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Give the titles and the cells of a report's table; a dash where a row has no such figure."""
    names, rows = report.figures, report.rows
    optional: list[tuple[str, Callable[[Row], str]]] = []
    if any(row.crf is not None for row in rows):
        optional.append(("CRF", lambda row: f"{row.crf:g}"))
    if any(row.kbit is not None for row in rows):
        optional.append(("kbit/s", lambda row: f"{row.kbit:.0f}"))
    if any(row.bits_per_pixel is not None for row in rows):
        optional.append(("bit/pixel", lambda row: f"{row.bits_per_pixel:.3f}"))
    gain = "over Lanczos" if report.kind == "videos" else "over bicubic"
    header = ["material", "scale", "method", *(title for title, _ in optional)]
    header += ["PSNR-Y", gain, *(FIGURES[name].title for name in names[1:])]
    cells = []
    for row in rows:
        first = [row.material, f"x{row.scale}", row.method, *(show(row) for _, show in optional)]
        cells.append([*first, f"{row.psnr:.2f}", f"{row.gain:+.2f}", *(_cell(row, name) for name in names[1:])])
    return header, cells


def _cell(row: Row, name: str) -> str:
    return f"{row.figures[name]:.{FIGURES[name].digits}f}" if name in row.figures else "-"


def sentences(report: Report) -> list[str]:
    """`live-x2 x2: mean +1.20 dB over Lanczos, least +0.40 (film at CRF 33)`, where there are rows to sum up."""
    if len(report.rows) == len(report.summaries):
        return []
    return [
        f"{one.method} x{one.scale}: mean {one.mean:+.2f} dB over Lanczos, least {one.least:+.2f} ({one.where})"
        for one in report.summaries
        if one.method != LANCZOS
    ]


def to_html(reports: Sequence[Report]) -> str:
    """Give everything as one HTML file with its pictures in it."""
    from vidsr.html_page import Page

    methods = dict.fromkeys(row.method for report in reports for row in report.rows)
    models = [method for method in methods if method not in (BICUBIC, LANCZOS)]
    page = Page(f"{MARK}: {', '.join(models or methods)}")
    for report in reports:
        page.heading("Pictures" if report.kind == "images" else "Clips")
        page.paragraph(report.protocol + ".")
        page.table(*table(report))
        page.table(["figure", "meaning"], list(legend(report.figures).items()))
        for sentence in sentences(report):
            page.paragraph(sentence + ".")
        title = ""
        for one in report.comparisons:
            if one.title != title:
                page.heading(title := one.title)
            crops = [(crop.rgb, label(crop)) for crop in one.crops]
            page.images([(one.overview, one.place), *crops], width=SIDE * ZOOM)
    return page.to_html()


def check_target(path: Path) -> None:
    """Refuse to write a report over anything but a report, or where nothing can be written.

    Raises TargetExists or DiskFull: now, not after minutes of measuring.
    """
    if path.is_dir():
        raise TargetExists(f"{path} is a folder; name a file for the report")
    if path.exists():
        with path.open("rb") as file:
            ours = MARK.encode() in file.read(4096)
        if not ours:
            raise TargetExists(f"{path} exists and is no report of `{MARK}`; move it away, or name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()
    except OSError as exc:
        raise DiskFull(f"{path} cannot be written ({exc.strerror}); name a file elsewhere") from exc
