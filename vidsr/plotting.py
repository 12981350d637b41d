"""matplotlib figures, drawn without a display: the only module that imports matplotlib."""

from typing import Any

from vidsr.errors import ExtraMissing


def require_matplotlib() -> Any:
    """Return matplotlib with its submodules `figure` and `ticker` imported.

    Raises ExtraMissing if matplotlib is not installed.
    """
    try:
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError as exc:
        raise ExtraMissing("charts need matplotlib; install it with: pip install 'vidsr[evaluate]'") from exc
    return matplotlib


def subplots(rows: int, columns: int, *, width: float, height: float) -> tuple[Any, list[Any]]:
    """Return a new figure of `width` x `height` inches and its axes, row by row. Raises ExtraMissing."""
    figure = require_matplotlib().figure.Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def use_log_scale(axes: Any) -> None:
    """Make the x axis logarithmic, with ticks at 1, 2 and 5 of each decade written as plain numbers."""
    ticker = require_matplotlib().ticker
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.minorticks_off()
