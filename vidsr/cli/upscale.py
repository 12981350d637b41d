"""`vidsr upscale`: a film, a picture, or a folder of them, made larger."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from vidsr.cli.batch import jobs, not_yet_done, run_each
from vidsr.cli.console import Verbose, report, say
from vidsr.cli.params import LARGEST, pairs_of, rate_of, seconds_of, size_of, tile_of
from vidsr.cli.verify import as_dict, check, print_table, readable_again
from vidsr.errors import InputError, OutputError

if TYPE_CHECKING:
    from vidsr.pipeline import Summary
    from vidsr.verify import Verification

OUTPUT, ENGINE, SAY = "Output", "Engine", "Reports"  # panels of --help


class Precision(StrEnum):
    """Of the arithmetic."""

    auto = "auto"
    f32 = "f32"
    bf16 = "bf16"
    f16 = "f16"


class Hwaccel(StrEnum):
    """Whether a GPU decodes."""

    auto = "auto"
    cuda = "cuda"
    none = "none"


class Deinterlace(StrEnum):
    """What becomes of interlaced pictures."""

    frames = "frames"
    fields = "fields"
    off = "off"


class Upscale(TyperCommand):
    """Names the argument that is missing: one alone is taken for the last."""

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
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Films, pictures or a folder; - is stdin.")],
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="File, or folder for several inputs; - is stdout.")],
    scale: Annotated[int | None, typer.Option(min=2, max=4, help="How much larger.", show_default="2")] = None,
    height: Annotated[
        int | None, typer.Option(min=1, max=LARGEST, help="Lines of the output; the width follows.")
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Exact size of the output.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Name, path, bicubic, lanczos or nearest.", show_default="to fit the size"),
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="Begin here: seconds or [H:]M:S.")] = None,
    duration: Annotated[str | None, typer.Option(metavar="TIME", help="Stop after this long.")] = None,
    fps: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of pictures and raw streams: 24 or 30000/1001.")
    ] = None,
    container: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Container of the output.", show_default="by extension, nut for -"),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(help="Video encoder.", show_default="libx264", rich_help_panel=OUTPUT)
    ] = None,
    crf: Annotated[
        float | None, typer.Option(help="Lower is better.", show_default="20", rich_help_panel=OUTPUT)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="The encoder's; auto keeps up with the film.", show_default="veryfast", rich_help_panel=OUTPUT
        ),
    ] = None,
    encoder_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat for several.", rich_help_panel=OUTPUT)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output.", rich_help_panel=OUTPUT)
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run was stopped.", rich_help_panel=OUTPUT)
    ] = False,
    engine: Annotated[str | None, typer.Option(help="Runtime.", show_default="auto", rich_help_panel=ENGINE)] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N.", show_default="auto", rich_help_panel=ENGINE)
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Of the arithmetic.", show_default="auto", rich_help_panel=ENGINE)
    ] = None,
    hwaccel: Annotated[
        Hwaccel | None, typer.Option(help="Whether a GPU decodes.", show_default="auto", rich_help_panel=ENGINE)
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            metavar="PIXELS", help="Side of a tile, or auto: measured.", show_default="bands", rich_help_panel=ENGINE
        ),
    ] = None,
    source_quality: Annotated[
        float | None,
        typer.Option(min=0, max=51, help="QP of the input.", show_default="as decoded", rich_help_panel=ENGINE),
    ] = None,
    deinterlace: Annotated[
        Deinterlace | None,
        typer.Option(
            help="Interlaced film: a frame a picture, or a field.", show_default="frames", rich_help_panel=OUTPUT
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where the input is damaged.", rich_help_panel=OUTPUT)
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Then hold the output against the input.", rich_help_panel=SAY)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Warnings and errors only.", rich_help_panel=SAY)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The summary as JSON, on stderr.", rich_help_panel=SAY)
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Make films and pictures larger; nothing but the picture changes."""
    from vidsr.pipeline import upscale_video
    from vidsr.zoo import RESIZES

    if sum(given is not None for given in (scale, height, size)) > 1:
        raise typer.BadParameter("give one of --scale, --height and --size")
    if tile is not None and model in RESIZES:
        raise typer.BadParameter(f"{model} resizes a picture at once; leave it out", param_hint="--tile")
    width, height = size_of(size) if size else (None, height)
    options = {
        "scale": scale, "width": width, "height": height, "model": model,
        "start": seconds_of(start, "--start"), "duration": seconds_of(duration, "--duration"),
        "format": container, "codec": codec, "crf": crf, "preset": preset,
        "encoder_options": pairs_of(encoder_option or []) or None,
        "fps": rate_of(fps), "engine": engine, "device": device, "precision": precision, "tile": tile_of(tile),
        "source_quality": source_quality, "deinterlace": deinterlace, "hwaccel": hwaccel,
    }  # fmt: skip
    piece = {name: options[name] for name in ("start", "duration", "fps")}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}

    def run(source: str, target: str) -> None:
        which = f"{target}: " if len(pairs) > 1 else ""
        with _going_on(resume), report(quiet=quiet or as_json) as says:
            summary = upscale_video(
                source, target, overwrite=overwrite, strict=strict, resume=resume,
                progress=says.progress, notice=lambda sentence: says.notice(which + sentence), **given,
            )  # fmt: skip
        found = _verified(source, target, summary, piece) if verify else None
        if as_json:
            more = {"verification": as_dict(found)} if found else {}
            print(json.dumps(asdict(summary) | more), file=sys.stderr, flush=True)
        elif not quiet:
            say(which + _last_line(summary))
        if found:
            if not as_json:
                print_table(found, sys.stderr, quiet=quiet)
            check(found)

    if output == "-" and sys.stdout.isatty():
        raise OutputError("stdout is a terminal, which shows no film; pipe it into a player, or name a file")
    if "-" in inputs and sys.stdin.isatty():
        raise InputError("stdin is a terminal, where no film comes from; pipe one in, or name a file")
    for name in (*inputs, output) if verify else ():
        readable_again(name, "--verify")
    pairs = jobs(inputs, output, container, one=fps is not None)
    if pairs[0][1] != output:
        given.pop("format", None)  # the names say it
    if resume and not overwrite and len(pairs) > 1:
        pairs = not_yet_done(pairs)
    run_each(pairs, run)


def _verified(source: str, target: str, summary: "Summary", piece: dict[str, Any]) -> "Verification":
    from vidsr.verify import verify_video

    return verify_video(source, target, notices=summary.notices, **piece)


@contextmanager
def _going_on(resumes: bool) -> Iterator[None]:
    """Say how to go on with what a signal stops."""
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
    return f"{pictures} in {summary.seconds:.1f} s, {summary.fps:.1f} fps, {sizes} by {summary.model}"
