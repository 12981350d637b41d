"""A network in f16 that is watched: where its numbers grow too large, and pictures would turn black, f32 takes over."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

from vidsr.context import Context
from vidsr.engines import Engine, Pending, Setup, open_engine, settle
from vidsr.engines.graph_format import FINITE
from vidsr.errors import CannotHalve

log = logging.getLogger(__name__)


def open_watched(
    graph_of: Callable[[bool], bytes],
    setup: Setup,
    *,
    title: str,
    in_flight: int,
    threads: int,
    streams: int = 1,
    stateless: bool,
    context: Context,
) -> Engine:
    """Open an engine; one that computes in f16 looks at every result, and gives what f32 makes where it is no picture.

    graph_of: makes the graph, with FINITE among its outputs where it is given True. title: of the network. in_flight,
    threads, streams: see `open_engine`. steady: whether every run shall stand alone; otherwise f32 computes all that
    follows. notice: called with a sentence when f32 is needed first; None logs it. Raises as `open_engine` does.
    """

    def opened(setup: Setup) -> Engine:
        graph = graph_of(setup.precision == "f16")
        where: dict[str, Any] = {"engine": setup.engine, "device": setup.device, "precision": setup.precision}
        return open_engine(graph, **where, in_flight=in_flight, threads=threads, streams=streams)

    def exact(why: str) -> Engine:
        context.warn(why)
        # TensorRT's engines are built ahead, and hardly one for f32 as well.
        ahead = setup.engine == "tensorrt"
        return opened(settle(device=setup.device, precision="f32") if ahead else replace(setup, precision="f32"))

    try:
        engine = opened(setup)
    except CannotHalve as exc:
        return exact(f"f32 computes: {exc}")
    if setup.precision != "f16":
        return engine
    why = f"{title} makes numbers too large for f16, so f32 computes; --precision f32 says so from the start"
    return WatchedEngine(engine, partial(exact, why), stateless=stateless)


class WatchedEngine:
    """Two engines, of which the second is opened when it is needed."""

    def __init__(self, engine: Engine, exact: Callable[[], Engine], *, stateless: bool) -> None:
        self.in_flight = engine.in_flight
        self._engine, self._open_exact, self._stateless = engine, exact, stateless
        self._exact: Engine | None = None

    def submit(self, inputs: Any, **options: Any) -> "WatchedRun":
        """Start one run; see Engine. options: of the engine's own `submit`."""
        return WatchedRun(self._engine.submit(inputs, **options), partial(self._again, inputs, **options))

    def _again(self, inputs: Any, **options: Any) -> Any:
        """The same run in f32."""
        if self._exact is None:
            self._exact = self._open_exact()
        if not self._stateless and self._engine is not self._exact:
            self._engine.close()
            self._engine = self._exact
        # There is room: this run takes no place there, however many that came after it do.
        return self._exact.submit(inputs, **options).result()

    def close(self) -> None:
        """Let go of the device; see Engine."""
        self._engine.close()
        if self._exact is not None:
            self._exact.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WatchedRun:
    """One run under way."""

    def __init__(self, run: Pending, again: Callable[[], Any]) -> None:
        self._run, self._again = run, again

    def result(self) -> Any:
        """Wait for the run; see Pending."""
        found = dict(self._run.result())
        if FINITE not in found or math.isfinite(float(found.pop(FINITE))):
            return found
        return self._again()
