"""`vidsr upscale`: upscale a video, an image, or a folder of them."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from vidsr.cli.batch import jobs, not_yet_done, run_each
from vidsr.cli.console import Verbose, report, say
from vidsr.cli.params import (
    LARGEST,
    bytes_of,
    compute_of,
    option_of,
    pairs_of,
    rate_of,
    seconds_of,
    size_of,
    tile_of,
)  # fmt: skip
from vidsr.cli.verify import as_dict, check, print_table, readable_again
from vidsr.errors import InputError, OutputError
from vidsr.options import (
    Deinterlace,
    EncodeOptions,
    Hwaccel,
    Precision,
    ReadOptions,
    RealtimeOptions,
    UpscaleOptions,
)

if TYPE_CHECKING:
    from vidsr.pipeline import Summary
    from vidsr.verify import Verification

OUTPUT, ENGINE, SAY = "Output", "Engine", "Reports"  # panels of --help


class Upscale(TyperCommand):
    """Reports a missing OUTPUT: click gives a single argument to the last parameter."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say that OUTPUT is missing where only INPUT is given."""
        alone = bool(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as exc:
            wrong: Any = exc  # older typers have click's types
            if alone and wrong.param is not None and wrong.param.name == "inputs":
                wrong.param = next(param for param in self.params if param.name == "output")
            raise


def upscale(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Videos, images, or a folder of them; - is stdin.")
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A file, or a folder for several inputs; - is stdout.")
    ],
    scale: Annotated[int | None, option_of(UpscaleOptions, "scale", min=2, max=4)] = UpscaleOptions.scale,
    height: Annotated[int | None, option_of(UpscaleOptions, "height", min=1, max=LARGEST)] = UpscaleOptions.height,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Make the output exactly this large, in pixels.")
    ] = None,
    model: Annotated[str | None, option_of(UpscaleOptions, "model", "--model", "-m")] = None,
    start: Annotated[str | None, option_of(ReadOptions, "start", metavar="TIME")] = None,
    duration: Annotated[str | None, option_of(ReadOptions, "duration", metavar="TIME")] = None,
    fps: Annotated[str | None, option_of(ReadOptions, "fps", metavar="RATE")] = None,
    probe: Annotated[str | None, option_of(ReadOptions, "probe", metavar="SIZE")] = None,
    container: Annotated[str | None, option_of(EncodeOptions, "format", "--format", "-f")] = EncodeOptions.format,
    codec: Annotated[str, option_of(EncodeOptions, "codec", panel=OUTPUT)] = EncodeOptions.codec,
    crf: Annotated[float, option_of(EncodeOptions, "crf", panel=OUTPUT)] = EncodeOptions.crf,
    preset: Annotated[str, option_of(EncodeOptions, "preset", panel=OUTPUT)] = EncodeOptions.preset,
    encoder_option: Annotated[
        list[str] | None, option_of(EncodeOptions, "encoder_options", metavar="KEY=VALUE", panel=OUTPUT)
    ] = None,
    pix_fmt: Annotated[
        str | None, option_of(EncodeOptions, "pix_fmt", metavar="NAME", panel=OUTPUT)
    ] = EncodeOptions.pix_fmt,
    overwrite: Annotated[
        bool, option_of(EncodeOptions, "overwrite", "--overwrite", panel=OUTPUT)
    ] = EncodeOptions.overwrite,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Write in segments, so that the same command continues a run that was stopped.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    deinterlace: Annotated[Deinterlace, option_of(ReadOptions, "deinterlace", panel=OUTPUT)] = ReadOptions.deinterlace,
    strict: Annotated[bool, option_of(ReadOptions, "strict", "--strict", panel=OUTPUT)] = ReadOptions.strict,
    engine: Annotated[str, option_of(UpscaleOptions, "engine", panel=ENGINE)] = UpscaleOptions.engine,
    device: Annotated[str, option_of(UpscaleOptions, "device", panel=ENGINE)] = UpscaleOptions.device,
    precision: Annotated[Precision, option_of(UpscaleOptions, "precision", panel=ENGINE)] = UpscaleOptions.precision,
    hwaccel: Annotated[Hwaccel, option_of(ReadOptions, "hwaccel", panel=ENGINE)] = ReadOptions.hwaccel,
    tile: Annotated[str | None, option_of(UpscaleOptions, "tile", metavar="PIXELS", panel=ENGINE)] = None,
    compute: Annotated[str, option_of(UpscaleOptions, "compute", metavar="SHARE", panel=ENGINE)] = "full",
    realtime: Annotated[
        bool | None, option_of(RealtimeOptions, "realtime", "--realtime/--no-realtime", panel=ENGINE)
    ] = RealtimeOptions.realtime,
    latency: Annotated[
        float | None, option_of(RealtimeOptions, "latency", min=1, metavar="MS", panel=ENGINE)
    ] = RealtimeOptions.latency,
    source_qp: Annotated[
        float | None, option_of(ReadOptions, "source_qp", min=0, max=51, panel=ENGINE)
    ] = ReadOptions.source_qp,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the output with the input afterwards.", rich_help_panel=SAY)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.", rich_help_panel=SAY)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON, on stderr.", rich_help_panel=SAY)
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Upscale videos and images. Everything else is copied; what the output cannot hold is converted or reported."""
    from vidsr.context import Context, Notice
    from vidsr.pipeline import run_job
    from vidsr.pipeline.stages import JobOptions
    from vidsr.zoo import RESIZES

    if sum(given is not None for given in (scale, height, size)) > 1:
        raise typer.BadParameter("give one of --scale, --height and --size")
    if tile is not None and model in RESIZES:
        raise typer.BadParameter(f"{model} resizes whole frames; leave it out", param_hint="--tile")
    width, height = size_of(size) if size else (None, height)
    read = ReadOptions(
        start=seconds_of(start, "--start"), duration=seconds_of(duration, "--duration"), fps=rate_of(fps),
        deinterlace=deinterlace, source_qp=source_qp, hwaccel=hwaccel, strict=strict, probe=bytes_of(probe),
    )  # fmt: skip
    upscaling = UpscaleOptions(
        model, scale, width, height, engine, device, precision, tile_of(tile), compute=compute_of(compute)
    )
    more = pairs_of(encoder_option or []) or None
    encode = EncodeOptions(container, codec, crf, preset, more, overwrite, pix_fmt=pix_fmt)

    if output == "-" and sys.stdout.isatty():
        raise OutputError("stdout is a terminal, which cannot show video; pipe it into a player, or name a file")
    if "-" in inputs and sys.stdin.isatty():
        raise InputError("stdin is a terminal, where no video comes from; pipe one in, or name a file")
    for name in (*inputs, output) if verify else ():
        readable_again(name, "--verify")
    pairs = jobs(inputs, output, container, one=fps is not None)
    if pairs[0][1] != output:
        encode = replace(encode, format=None)  # each name has its extension
    options = JobOptions(read, upscaling, encode, realtime=RealtimeOptions(realtime, latency))
    if resume and not overwrite and len(pairs) > 1:
        pairs = not_yet_done(pairs)

    def run(source: str, target: str) -> None:
        which = f"{target}: " if len(pairs) > 1 else ""
        with _hint_to_resume(resume), report(quiet=quiet or as_json) as display:

            def warn(notice: Notice) -> None:
                display.warn(f"{which}{notice}")

            context = Context(warn, display.progress)
            summary = run_job(source, target, options, resume=resume, context=context)
        found = _verified(source, target, summary, read) if verify else None
        if as_json:
            more = {"verification": as_dict(found)} if found else {}
            print(json.dumps(asdict(summary) | more), file=sys.stderr, flush=True)
        elif not quiet:
            say(which + _last_line(summary))
        if found:
            if not as_json:
                print_table(found, sys.stderr, quiet=quiet)
            check(found)

    run_each(pairs, run)


def _verified(source: str, target: str, summary: "Summary", read: ReadOptions) -> "Verification":
    from vidsr.verify import verify_video

    return verify_video(
        source,
        target,
        notices=summary.notices,
        start=read.start,
        duration=read.duration,
        fps=read.fps,
        probe=read.probe,
    )


@contextmanager
def _hint_to_resume(resumes: bool) -> Iterator[None]:
    """Print the command that continues a run when a signal stops it."""
    try:
        yield
    except BaseException as exc:
        if resumes and not isinstance(exc, Exception):
            say(f"stopped; resume with: vidsr {shlex.join(sys.argv[1:])}")
        raise


def _last_line(summary: "Summary") -> str:
    pictures = f"{summary.frames} frame{'s' * (summary.frames != 1)}"
    sizes = " to ".join(f"{width}x{height}" for width, height in (summary.input_size, summary.output_size))
    if summary.frames_reused:
        pictures += f" ({summary.frames_reused} repeated)"
    shares, why = summary.shares, f" ({summary.choice})" if summary.choice else ""
    tiles = (
        f"; {shares.computed:.0%} computed, {shares.reused:.0%} reused, {shares.plain:.0%} resized" if shares else ""
    )
    if summary.realtime is not None:
        tiles += f"; {summary.realtime}"
    return f"{pictures} in {summary.seconds:.1f} s, {summary.fps:.1f} fps, {sizes} by {summary.model}{why}{tiles}"
