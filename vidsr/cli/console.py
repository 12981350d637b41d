"""Print on stderr while a run works: a live line on a terminal, else a plain line now and then."""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Protocol, Self

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import TaskID

    from vidsr.context import Progress

PLAIN_INTERVAL_S = 5.0
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of characters, which cannot be printed


class RunDisplay(Protocol):
    """Shows the progress and the warnings of a run."""

    def progress(self, now: "Progress") -> None:
        """Show how far the run is; called after every frame, from any thread."""

    def warn(self, message: str) -> None:
        """Print one warning."""


@contextmanager
def report(*, quiet: bool = False) -> Iterator[RunDisplay]:
    """Open the display that fits this stderr; `quiet` shows warnings only."""
    if quiet:
        yield Quiet()
    elif sys.stderr.isatty():
        with _terminal() as terminal:
            yield terminal
    else:
        yield Plain()


class Quiet:
    """Shows warnings only."""

    def progress(self, now: "Progress") -> None:
        """Show nothing."""

    def warn(self, message: str) -> None:
        """Print one line."""
        say(message)


class Plain(Quiet):
    """Prints a line every few seconds, for logs."""

    def __init__(self, interval: float = PLAIN_INTERVAL_S) -> None:
        self.interval = interval
        self._due = interval

    def progress(self, now: "Progress") -> None:
        """Print a line if the last one is `interval` seconds ago."""
        if now.seconds >= self._due:
            self._due = now.seconds + self.interval
            say(describe(now))


@contextmanager
def _terminal() -> Iterator[RunDisplay]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
    )
    task = bar.add_task("opening", total=None)

    class Terminal(Quiet):
        def progress(self, now: "Progress") -> None:
            bar.update(task, description=describe(now), completed=now.position, total=now.duration)

    with bar:
        yield Terminal()


def describe(now: "Progress") -> str:
    """`240/720 frames, 58.3 fps, 2.4x real time, 8 s left`."""
    frames = f"{now.frames}/{now.total} frames" if now.total else f"{now.frames} frames"
    parts = [frames, f"{now.fps:.1f} fps", f"{now.speed:.2f}x real time"]
    if now.eta is not None:
        parts.append(f"{clock(now.eta)} left")
    if now.delay is not None:
        parts.append(now.delay())
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as people read them: 8 s, 2:05, 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def say(sentence: str) -> None:
    """Print one line on stderr; stdout belongs to the video."""
    print(f"vidsr: {plain(sentence)}", file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Text without control characters, which a file's tags may hold and a terminal would obey."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def _turn_up_log(wanted: bool) -> None:
    if wanted:
        logging.basicConfig(format="%(name)s: %(message)s")
        logging.getLogger("vidsr").setLevel(logging.INFO)


Verbose = Annotated[
    bool, typer.Option("--verbose", callback=_turn_up_log, help="Show the log, and the traceback of an error.")
]


def complain(error: Exception, sentence: str = "") -> None:
    """Say what went wrong in a line; where from too, if the log is turned up."""
    if logging.getLogger("vidsr").isEnabledFor(logging.INFO):
        traceback.print_exception(error)
    say(sentence or str(error))


class Bars:
    """A bar for each thing that is being done, on a terminal; nothing elsewhere.

    resumes: the same command goes on with what a signal stops, which is said then.
    """

    def __init__(self, *, resumes: bool = False, console: "Console | None" = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        note = self.note

        class Drawn(Progress):
            def get_renderables(self) -> "Iterable[RenderableType]":
                yield from super().get_renderables()
                if text := note():
                    yield Text(text, style="dim")

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.console = console or Console(stderr=True)
        self._bars = Drawn(*columns, console=self.console, disable=not self.console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._resumes = resumes

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bars.stop()
        if self._resumes and kind is not None and not issubclass(kind, Exception):
            say("stopped; the same command goes on")

    def show(self, what: str, done: int, total: int, label: str = "") -> None:
        """Show how far a thing is; `label` instead of its name, where it has more to say."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, description=label or what)

    def note(self) -> str:
        """A line to stand beneath the bars, asked for whenever they are drawn."""
        return ""


def once() -> Callable[[str], None]:
    """Return a function that prints a message on stderr, unless it has printed the same one before."""
    printed: set[str] = set()

    def warn(message: str) -> None:
        if message not in printed:
            printed.add(message)
            say(message)

    return warn


def print_markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> None:
    """Print a Markdown table on stdout, never wrapped. text_columns: how many columns are left-aligned."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    table = Table(box=MARKDOWN)
    for index, title in enumerate(header):
        table.add_column(title, justify="left" if index < text_columns else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=1000, markup=False).print(table)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
