"""The command line: parse, call one function, print one result. The only place that prints or exits."""

import os
import signal
import sys
import time
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from vidsr.cli import bench, doctor, evaluate, export, fetch, models, prepare, report, train, upscale, verify
from vidsr.cli.console import complain
from vidsr.cli.params import WithLists
from vidsr.errors import VidsrError

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
REPEAT_S = 1.0  # a signal that comes twice within this time is one: `timeout` sends it to the command and its group
READER_GONE = 141  # what a shell reports of a command that died of SIGPIPE


class Interrupted(BaseException):
    """A signal asked us to stop. No KeyboardInterrupt: typer would take every one of them for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Commands(TyperGroup):
    """The commands, with the one place where errors become a line and an exit code."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without rich, whose import takes longer than everything else here."""
        super(TyperGroup, self).format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a failure ends in `vidsr: …` on stderr, and in a traceback only with --verbose."""
        try:
            return super().invoke(ctx)
        except VidsrError as exc:
            complain(exc)
            raise typer.Exit(exc.exit_code) from exc
        except BrokenPipeError as exc:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit complains
            raise typer.Exit(READER_GONE) from exc


def show_version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        from importlib.metadata import version

        print(f"vidsr {version('vidsr')}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    help="Send less, see more: video super-resolution for files, pipes and live streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=upscale.Upscale, short_help="Upscale videos and images.")(upscale.upscale)
app.command(short_help="Compare an output with its input.")(verify.verify)
app.command(short_help="List the models.")(models.models)
app.command(short_help="Show what works on this machine.")(doctor.doctor)
app.command(cls=WithLists, short_help="Measure quality, or the bits a model saves.")(evaluate.evaluate)
app.command(short_help="Download photos or videos to train on.")(fetch.fetch)
app.command(short_help="Make training pairs of photos and videos.")(prepare.prepare)
app.command(short_help="Describe a store or a run as an HTML page.")(report.report)
app.command(short_help="Train a network by a recipe.")(train.train)
app.command(short_help="Write a network as ONNX, int8 or TensorRT.")(export.export)
app.command(short_help="Measure speed on this machine.")(bench.bench)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Run the command line; a signal ends it within a second, with the exit code a shell gives it."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us; the next file opened would be taken for it
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _interrupt)
    try:
        app()
    except Interrupted as exc:
        _exit(exc.number)
    except Exception as exc:
        complain(exc, f"{type(exc).__name__}: {exc}; this is a bug in vidsr; --verbose shows where")
        sys.exit(1)


def _interrupt(number: int, _: object) -> None:
    """Stop; a second signal, after a moment in which it may be the same one, does not wait for what is completed."""
    first = time.monotonic()

    def at_once(number: int, _: object) -> None:
        if time.monotonic() - first > REPEAT_S:
            _exit(number)

    for other in SIGNALS:
        signal.signal(other, at_once)
    raise Interrupted(number)


def _exit(number: int) -> NoReturn:
    """Remove temporary files and exit as a signal makes a command exit."""
    # At once, for a thread may be in a call that nothing can wake.
    if atomic := sys.modules.get("vidsr.io.atomic"):
        atomic.remove_temporary()
    sys.stderr.flush()
    os._exit(128 + number)
