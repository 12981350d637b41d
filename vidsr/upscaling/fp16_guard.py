"""Guard a network in f16: where its numbers overflow, and frames would turn black, f32 takes over."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

from vidsr.context import Context
from vidsr.engines import Engine, Pending, Setup, open_engine, settle
from vidsr.engines.graph_format import FINITE
from vidsr.errors import CannotHalve
from vidsr.options import UpscaleOptions


def open_guarded(
    graph_of: Callable[[bool], bytes],
    setup: Setup,
    options: UpscaleOptions,
    context: Context,
    *,
    title: str,
    in_flight: int,
    streams: int = 1,
) -> Engine:
    """Open an engine; in f16, one that checks every result and computes in f32 what overflowed.

    graph_of: returns the graph, with the output FINITE if called with True. title: of the network. options: threads,
    and whether every run stands alone; if not, f32 computes everything after the first overflow. in_flight, streams:
    see `open_engine`. context: is warned when f32 is needed first. Raises as `open_engine` does.
    """

    def opened(setup: Setup) -> Engine:
        graph = graph_of(setup.precision == "f16")
        where: dict[str, Any] = {"engine": setup.engine, "device": setup.device, "precision": setup.precision}
        return open_engine(graph, **where, in_flight=in_flight, threads=options.threads, streams=streams)

    def exact(why: str) -> Engine:
        context.warn(why)
        # TensorRT's engines are built ahead, and hardly ever for f32 as well.
        ahead = setup.engine == "tensorrt"
        return opened(settle(device=setup.device, precision="f32") if ahead else replace(setup, precision="f32"))

    try:
        engine = opened(setup)
    except CannotHalve as exc:
        return exact(f"f32 computes: {exc}")
    if setup.precision != "f16":
        return engine
    why = f"{title} makes numbers too large for f16, so f32 computes; --precision f32 says so from the start"
    return GuardedEngine(engine, partial(exact, why), stateless=options.stateless)


class GuardedEngine:
    """Two engines, of which the second is opened when it is needed."""

    def __init__(self, engine: Engine, exact: Callable[[], Engine], *, stateless: bool) -> None:
        self.in_flight = engine.in_flight
        self._engine, self._open_exact, self._stateless = engine, exact, stateless
        self._exact: Engine | None = None

    def submit(self, inputs: Any, **options: Any) -> "GuardedRun":
        """Start one run; see Engine. options: of the engine's `submit`."""
        return GuardedRun(self._engine.submit(inputs, **options), partial(self._again, inputs, **options))

    def _again(self, inputs: Any, **options: Any) -> Any:
        """Compute the same run in f32."""
        if self._exact is None:
            self._exact = self._open_exact()
        if not self._stateless and self._engine is not self._exact:
            self._engine.close()
            self._engine = self._exact
        # The second engine is never full: runs that came later are still in the first.
        return self._exact.submit(inputs, **options).result()

    def close(self) -> None:
        """Close both engines."""
        self._engine.close()
        if self._exact is not None:
            self._exact.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class GuardedRun:
    """One run under way."""

    def __init__(self, run: Pending, again: Callable[[], Any]) -> None:
        self._run, self._again = run, again

    def result(self) -> Any:
        """Wait for the run; see Pending."""
        found = dict(self._run.result())
        if FINITE not in found or math.isfinite(float(found.pop(FINITE))):
            return found
        return self._again()
