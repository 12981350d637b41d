"""`vidsr evaluate`: how good models are, in figures that can be held against the literature."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vidsr.cli.console import once, print_report, progress, say, write_files

if TYPE_CHECKING:
    from vidsr.engines import Precision
    from vidsr.evaluate.bandwidth.bandwidth_tables import Table
    from vidsr.evaluate.bandwidth.results import Answer
    from vidsr.evaluate.quality.reports import Report

WHAT, HOW, REPORT = "What is measured", "How it is sent", "Report"  # panels of --help


def evaluate(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="Names, paths, bicubic, lanczos or nearest.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="One more model; may be repeated.")] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR...", help="Sets of pictures: folders, or a folder of such.", rich_help_panel=WHAT),
    ] = None,
    videos: Annotated[
        list[Path] | None,
        typer.Option(metavar="CLIP...", help="Clips to shrink, compress and regain.", rich_help_panel=WHAT),
    ] = None,
    bandwidth: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CLIP...", help="Clips whose bits to count: sent small or at full size?", rich_help_panel=WHAT
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME...",
            help="Figures beside PSNR-Y: ssim, ms_ssim, sharpness, psnr_flat, psnr_texture, psnr_edge, flicker, "
            "warping, vmaf, vmaf_neg, lpips, dists.",
            show_default="those that cost little",
            rich_help_panel=WHAT,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Taken of each clip.", show_default="24; 48 for --bandwidth", rich_help_panel=WHAT),
    ] = None,
    compress: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CRF...",
            help="Send what is small through a codec first.",
            show_default="none for pictures; 18 23 28 33 for clips",
            rich_help_panel=HOW,
        ),
    ] = None,
    codec: Annotated[
        str, typer.Option(help="libx264, libx265, libsvtav1 or libvpx-vp9.", rich_help_panel=HOW)
    ] = "libx264",
    preset: Annotated[
        str | None,
        typer.Option(help="The codec's; cpu-used for libvpx-vp9.", show_default="medium, 8 or 4", rich_help_panel=HOW),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=2, max=8, help="For models without one of their own.", show_default="the model's")
    ] = None,
    engine: Annotated[str, typer.Option(help="Runtime.")] = "auto",
    precision: Annotated[str, typer.Option(help="f32, bf16 or auto.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.", rich_help_panel=REPORT)] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Figures and pictures as one page; replaces an old one, no other file.",
            rich_help_panel=REPORT,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Truth, bicubic and models side by side; replaces an old one, no other file.",
            rich_help_panel=REPORT,
        ),
    ] = None,
) -> None:
    """Measure how well models regain pictures and clips that were made small, or how many bits that saves."""
    names = [*(models or []), *(model or [])]
    options: dict[str, Any] = {"codec": codec, "engine": engine, "precision": precision}
    crfs = _crfs(compress or [], codec)
    if bandwidth:
        if images or videos or metrics or compress or scale or sheet:
            raise typer.BadParameter("--bandwidth is measured by itself, at CRFs, scales and by figures of its own")
        run(names, bandwidth, preset=preset, frames=frames, html=html, as_json=as_json, **options)
        return
    if not images and not videos:
        raise typer.BadParameter("give --images DIR, --videos CLIP or both, or --bandwidth CLIP")
    from vidsr.evaluate.quality.reports import check_target

    if sheet and sheet.suffix.lower() != ".png":
        raise typer.BadParameter(f"--sheet writes a PNG; name it {sheet.stem}.png")
    for target in (html, sheet):
        if target:
            check_target(target)
    options |= {"scale": scale, "preset": preset, "compress": crfs}
    options |= _figures(metrics or [])
    reports = list(_reports(names, images or [], videos or [], frames, bool(html or sheet), options))
    if as_json:
        print(json.dumps({report.kind: report.as_json() for report in reports}, indent=2))
    else:
        for report in reports:
            print_report(report)
    write_files(reports, html, sheet)


def _reports(
    names: list[str],
    images: list[Path],
    videos: list[Path],
    frames: int | None,
    pictures: bool,
    options: dict[str, Any],
) -> "Iterator[Report]":
    from vidsr.evaluate.quality.reports import on_images, on_videos
    from vidsr.evaluate.quality.videos import CRFS, FRAMES

    options = {**options, "notice": once(), "pictures": pictures}
    if images:
        with progress("pictures") as bar:
            yield on_images(names, images, progress=bar, **options)
    if videos:
        options = {**options, "compress": options["compress"] or CRFS, "frames": frames or FRAMES}
        with progress("frames") as bar:
            yield on_videos(names, videos, progress=bar, **options)


def _figures(words: list[str]) -> dict[str, list[str]]:
    """The option `metrics`, where any were asked for."""
    from vidsr.evaluate.quality.metric_table import chosen

    try:
        return {"metrics": chosen([name for word in words for name in word.split(",")])} if words else {}
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def _crfs(words: list[str], codec: str) -> list[float]:
    from vidsr.evaluate.quality.compression import codec_of

    try:
        crfs = [float(part) for word in words for part in word.split(",")]
    except ValueError as exc:
        raise typer.BadParameter("--compress takes CRFs, such as 23 or 18,23,28,33") from exc
    try:
        codec_of(codec, crfs)
    except ValueError as exc:
        raise typer.BadParameter(f"--compress and --codec: {exc}") from exc
    return crfs


def run(
    models: list[str],
    clips: list[Path],
    *,
    codec: str,
    preset: str | None,
    frames: int | None,
    html: Path | None,
    as_json: bool,
    engine: str,
    precision: str,
) -> None:
    """Measure and print; frames: None takes the first FRAMES."""
    from vidsr.evaluate.bandwidth.bandwidth_page import need_matplotlib
    from vidsr.evaluate.bandwidth.bandwidth_tables import as_json as to_json
    from vidsr.evaluate.bandwidth.study import FRAMES, evaluate_bandwidth
    from vidsr.evaluate.quality.reports import check_target
    from vidsr.evaluate.quality.vmaf import why_not

    if html:
        check_target(html)
        need_matplotlib()
    if reason := why_not():
        say(f"{reason}; PSNR-Y alone is measured")
    options: dict[str, Any] = {"engine": engine, "precision": cast("Precision", precision)}
    with progress("frames") as bar:
        answers = evaluate_bandwidth(
            models, clips, codec=codec, preset=preset, frames=frames or FRAMES, progress=bar, **options
        )
    if as_json:
        print(json.dumps({"bandwidth": [to_json(answer) for answer in answers]}, indent=2))
    else:
        for answer in answers:
            _print(answer)
    if html:
        _write(html, models, answers, options)


def _print(answer: "Answer") -> None:
    from vidsr.evaluate.bandwidth.bandwidth_tables import comparisons_table, points_table
    from vidsr.evaluate.bandwidth.commands import receiver, sender
    from vidsr.evaluate.bandwidth.verdict import verdict

    print(answer.protocol + ".")
    _table(points_table(answer))
    _table(comparisons_table(answer))
    print(verdict(answer))
    print(f"\n  {sender(answer)}")
    if enlarge := receiver(answer):
        print(f"  {enlarge}")


def _table(table: "Table") -> None:
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    header, rows = table
    drawn = Table(box=MARKDOWN)
    for index, title in enumerate(header):
        drawn.add_column(title, justify="left" if index == 0 else "right")
    for row in rows:
        drawn.add_row(*row)
    Console(width=max(Console().width, 160)).print(drawn)  # wide enough that no figure is cut where it is piped


def _write(html: Path, models: list[str], answers: "list[Answer]", options: dict[str, Any]) -> None:
    from vidsr.evaluate.bandwidth.bandwidth_examples import show_parts
    from vidsr.evaluate.bandwidth.bandwidth_page import to_html
    from vidsr.evaluate.bandwidth.encode import open_send_methods
    from vidsr.io.atomic import write_atomically

    with open_send_methods(models, **options) as ways:
        parts = {answer.video.digest: show_parts(answer, ways) for answer in answers}
    write_atomically(html, to_html(answers, parts).encode())
    say(f"wrote {html}")
