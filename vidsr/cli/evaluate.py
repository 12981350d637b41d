"""`vidsr evaluate`: measure models on images and videos, and the bandwidth they save."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidsr.cli.console import once, print_markdown, progress, say
from vidsr.cli.params import option_of
from vidsr.options import EvaluateOptions, Precision

if TYPE_CHECKING:
    from vidsr.evaluate.bandwidth.results import BandwidthResult
    from vidsr.evaluate.quality.reports import QualityReport

INPUT, ENCODING, REPORT = "What is measured", "How it is encoded", "Report"  # panels of --help


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL...", help="Names or paths of models, or bicubic, lanczos or nearest."),
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="One more model; repeat for several.")] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR...", help="Image sets: folders of images, or of sets.", rich_help_panel=INPUT),
    ] = None,
    videos: Annotated[
        list[Path] | None,
        typer.Option(metavar="CLIP...", help="Videos to downscale, encode and upscale.", rich_help_panel=INPUT),
    ] = None,
    bandwidth: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CLIP...", help="Videos to encode at full size and at lower resolutions.", rich_help_panel=INPUT
        ),
    ] = None,
    metrics: Annotated[list[str] | None, option_of(EvaluateOptions, "metrics", metavar="NAME...", panel=INPUT)] = None,
    frames: Annotated[int | None, option_of(EvaluateOptions, "frames", min=1, panel=INPUT)] = EvaluateOptions.frames,
    compress: Annotated[
        list[str] | None, option_of(EvaluateOptions, "crfs", "--compress", metavar="CRF...", panel=ENCODING)
    ] = None,
    codec: Annotated[str, option_of(EvaluateOptions, "codec", panel=ENCODING)] = EvaluateOptions.codec,
    preset: Annotated[str | None, option_of(EvaluateOptions, "preset", panel=ENCODING)] = EvaluateOptions.preset,
    scale: Annotated[int | None, option_of(EvaluateOptions, "scale", min=2, max=8)] = EvaluateOptions.scale,
    engine: Annotated[str, option_of(EvaluateOptions, "engine")] = EvaluateOptions.engine,
    precision: Annotated[Precision, option_of(EvaluateOptions, "precision")] = EvaluateOptions.precision,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.", rich_help_panel=REPORT)] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the results and example crops as an HTML page.", rich_help_panel=REPORT
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Write crops of original, bicubic and models as an image.", rich_help_panel=REPORT
        ),
    ] = None,
) -> None:
    """Measure the quality of models on images and videos, or the bandwidth they save.

    An existing file is overwritten only if it is an earlier report.
    """
    from vidsr.engines import settle

    names = [*(models or []), *(model or [])]
    options = EvaluateOptions(
        _metrics(metrics or []), frames, _crfs(compress or [], codec), codec, preset, scale, engine, precision
    )
    if engine == "torch" and precision == "auto":
        setup = settle(engine=engine)
        say(f"PyTorch computes in {setup.precision} on {setup.device}")
    if bandwidth:
        if images or videos or metrics or compress or scale or sheet:
            raise typer.BadParameter(
                "--bandwidth cannot be combined with --images, --videos, --metrics, --compress, --scale or --sheet"
            )
        return _evaluate_bandwidth(names, bandwidth, options, html, as_json)
    if not images and not videos:
        raise typer.BadParameter("give --images DIR, --videos CLIP or both, or --bandwidth CLIP")
    _evaluate_quality(names, images or [], videos or [], options, html, sheet, as_json)


def _metrics(words: list[str]) -> list[str] | None:
    from vidsr.evaluate.quality.metric_table import select_metrics

    try:
        return select_metrics([name for word in words for name in word.split(",")]) if words else None
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def _crfs(words: list[str], codec: str) -> list[float] | None:
    from vidsr.evaluate.quality.compression import find_codec

    try:
        crfs = [float(part) for word in words for part in word.split(",")]
    except ValueError as exc:
        raise typer.BadParameter("expected --compress with CRFs such as 23 or 18,23,28,33") from exc
    try:
        find_codec(codec, crfs)
    except ValueError as exc:
        raise typer.BadParameter(f"--compress and --codec: {exc}") from exc
    return crfs or None


def _evaluate_quality(
    models: list[str],
    images: list[Path],
    videos: list[Path],
    options: EvaluateOptions,
    html: Path | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    from vidsr.evaluate.quality.contact_sheet import draw_sheet
    from vidsr.evaluate.quality.reports import check_target, to_html

    if sheet and sheet.suffix.lower() != ".png":
        raise typer.BadParameter(f"--sheet writes a PNG; expected a name such as {sheet.stem}.png")
    for target in (html, sheet):
        if target:
            check_target(target)
    reports = list(_quality_reports(models, images, videos, options, crops=bool(html or sheet)))
    if as_json:
        print(json.dumps({report.kind: report.as_json() for report in reports}, indent=2))
    else:
        for report in reports:
            _print_quality(report)
    if html:
        _write(html, to_html(reports).encode())
    if sheet:
        _write(sheet, draw_sheet([one for report in reports for one in report.comparisons]))


def _quality_reports(
    models: list[str], images: list[Path], videos: list[Path], options: EvaluateOptions, *, crops: bool
) -> "Iterator[QualityReport]":
    from vidsr.evaluate.quality.reports import report_images, report_videos

    warn = once()
    if images:
        with progress("images") as bar:
            yield report_images(models, images, options, crops=crops, progress=bar, warn=warn)
    if videos:
        with progress("frames") as bar:
            yield report_videos(models, videos, options, crops=crops, progress=bar, warn=warn)


def _print_quality(report: "QualityReport") -> None:
    from vidsr.evaluate.quality.metric_table import legend
    from vidsr.evaluate.quality.reports import sentences, table

    print(report.protocol + ".")
    print_markdown(*table(report), text_columns=3)
    for title, meaning in legend(report.metrics).items():
        print(f"{title}: {meaning}.")
    for sentence in sentences(report):
        print(sentence)


def _evaluate_bandwidth(
    models: list[str], clips: list[Path], options: EvaluateOptions, html: Path | None, as_json: bool
) -> None:
    from vidsr.evaluate.bandwidth.bandwidth_examples import make_examples
    from vidsr.evaluate.bandwidth.bandwidth_report import as_json as to_json
    from vidsr.evaluate.bandwidth.bandwidth_report import to_html
    from vidsr.evaluate.bandwidth.encode import open_delivery_methods
    from vidsr.evaluate.bandwidth.study import evaluate_bandwidth
    from vidsr.evaluate.quality.reports import check_target
    from vidsr.evaluate.quality.vmaf import why_unavailable
    from vidsr.plotting import require_matplotlib

    if html:
        check_target(html)
        require_matplotlib()
    if reason := why_unavailable():
        say(f"{reason}; only PSNR-Y is measured")
    with progress("frames") as bar:
        results = evaluate_bandwidth(models, clips, options, progress=bar)
    if as_json:
        print(json.dumps({"bandwidth": [to_json(result) for result in results]}, indent=2))
    else:
        for result in results:
            _print_bandwidth(result)
    if html:
        with open_delivery_methods(models, options) as methods:
            examples = {result.video.digest: make_examples(result, methods) for result in results}
        _write(html, to_html(results, examples).encode())


def _print_bandwidth(result: "BandwidthResult") -> None:
    from vidsr.evaluate.bandwidth.bandwidth_report import comparisons_table, points_table
    from vidsr.evaluate.bandwidth.commands import receiver, sender
    from vidsr.evaluate.bandwidth.verdict import verdict

    print(result.protocol + ".")
    print_markdown(*points_table(result))
    print_markdown(*comparisons_table(result))
    print(verdict(result))
    print(f"\n  {sender(result)}")
    if command := receiver(result):
        print(f"  {command}")


def _write(path: Path, content: bytes) -> None:
    from vidsr.io.atomic import write_atomically

    write_atomically(path, content)
    say(f"wrote {path}")
