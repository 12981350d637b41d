"""`--engine auto` on a GPU: an engine that was built ahead for such pictures, where one is ready, and a word of it."""

import logging
from collections.abc import Callable
from dataclasses import replace

from vidsr.engines import Setup, built_ahead
from vidsr.errors import VidsrError

log = logging.getLogger(__name__)


def best_of(
    graph_of: Callable[[bool], bytes],
    setup: Setup,
    *,
    asked: str,
    steady: bool,
    notice: Callable[[str], None] | None = None,
) -> Setup:
    """Give TensorRT in place of `setup` where an engine fits, and say what computes.

    graph_of, steady: see `open_watched`. asked: the engine that was asked for. notice: called with a sentence; None
    logs it. Nothing changes, and nothing is said, on the CPU and where an engine was asked for. Where every run shall
    stand alone no engine is looked for: one that is built meanwhile would make the next run another.
    """
    if asked != "auto" or setup.device == "cpu":
        return setup
    say, why = notice or log.info, ""
    if not steady:
        try:
            file = built_ahead(graph_of(setup.precision == "f16"), setup)
        except VidsrError as exc:
            file, why = None, f"; {exc}"
        if file is not None:
            say(f"TensorRT computes in {setup.precision}, by {file.name}")
            return replace(setup, engine="tensorrt")
    say(f"{setup.engine} computes on the GPU in {setup.precision}{why}")
    return setup
