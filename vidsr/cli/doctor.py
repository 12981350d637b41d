"""`vidsr doctor`: what this machine has, what works, and what installs the rest."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vidsr.doctor import Diagnosis

Row = tuple[str, str, str]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show what this machine has, what works, and the commands that install the rest."""
    from vidsr.doctor import examine

    report = examine()
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    _print(report)


def _print(report: "Diagnosis") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"vidsr {report.vidsr}, Python {report.python}, {report.system}")
    sections = {
        "machine": _machine(report), "engines": _engines(report), "video": _video(report), "models": _models(report),
        "extras": [(one.name, _mark(not one.missing), ", ".join(one.missing)) for one in report.extras],
        "to install what is missing": [(one.what, "", one.command) for one in report.missing],
    }  # fmt: skip
    for title, rows in sections.items():
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row("  " + escape(row[0]), escape(row[1]), escape(row[2]))
        if table.rows:
            console.print(f"\n[bold]{title}[/bold]")
            console.print(table)


def _machine(report: "Diagnosis") -> Iterator[Row]:
    cpu, memory = report.cpu, report.memory
    cores = f"{cpu.cores} cores" + (f", {cpu.usable:g} usable" if cpu.usable != cpu.cores else "")
    yield "CPU", cores, cpu.name
    yield "", "", ", ".join(cpu.features) or "without known features that speed up inference"
    limit = f", limited to {_gigabytes(memory.limit)} by a control group" if memory.limit is not None else ""
    yield "memory", f"{_gigabytes(memory.available)} free", f"of {_gigabytes(memory.total)}{limit}"
    for disk in report.disks:
        yield "disk", f"{_gigabytes(disk.free)} free", f"of {_gigabytes(disk.total)} at {disk.folder}"
    for gpu in report.gpus:
        about = f"compute capability {gpu.capability}" + (f", driver {gpu.driver}" if gpu.driver else "")
        yield "GPU", f"{_gigabytes(gpu.memory)}", f"{gpu.name}, {about}"
    if not report.gpus:
        yield "GPU", "none", "the NVIDIA driver does not answer"


def _engines(report: "Diagnosis") -> Iterator[Row]:
    for one in report.engines:
        if one.state == "works":
            more = [name for name in one.precisions if name != one.precision]
            also = f", also {', '.join(more)}" if more else ""
            others = f"; --device {', '.join(one.other_devices)}" if one.other_devices else ""
            yield one.name, one.state, f"{one.version}: {one.precision} on {one.device}{also}{others}"
        else:
            yield one.name, one.state, one.reason


def _video(report: "Diagnosis") -> Iterator[Row]:
    video = report.video
    if video.state != "works":
        yield "PyAV", video.state, video.reason
        return
    yield "PyAV", f"{video.pyav}", f"FFmpeg {video.ffmpeg}"
    yield "encoders", "", ", ".join(video.encoders)
    yield "decoders", "", ", ".join(video.decoders)
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in video.hardware:
        kind = "encoders" if one.encodes else "decoders"
        reasons.setdefault((f"hardware {kind}", one.reason), []).append(one.name)
    for (kind, reason), names in reasons.items():
        yield kind, _mark(not reason), ", ".join(names) + (f": {reason}" if reason else "")


def _models(report: "Diagnosis") -> Iterator[Row]:
    for one in report.models:
        factor = f"x{one.scale}" if one.scale else ""
        where = f"{one.path}" if one.own else ""
        runs = f"by {one.engine}" if one.engine and not one.reason else one.reason
        yield one.name, factor, ", ".join(part for part in (runs, where) if part)
    if report.models_reason:
        yield "all", "broken", report.models_reason


def _mark(works: bool) -> str:
    return "works" if works else "missing"


def _gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.1f} GB"
