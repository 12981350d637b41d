"""What a live run reports: how long frames stayed inside, what was computed of them, and on which rung."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP_S, STEPS = 0.0002, 25_000  # of the histogram; what took longer is counted in the last one


@dataclass(frozen=True, slots=True)
class RealtimeReport:
    """How a live run kept up."""

    latency: float
    """Milliseconds that were asked for, from the arrival of a frame to its departure."""
    p50: float
    """Milliseconds within which half of the frames left; then 95 and 99 of 100, and all."""
    p95: float
    p99: float
    longest: float
    late: int
    """Frames that stayed longer than `latency`."""
    dropped: int
    """Frames that were left out, since even resizing did not keep up."""
    share: float
    """Of all pixels, that show what the network computed, for this frame or for one before."""
    rungs: dict[str, float]
    """Seconds spent on each network, and on the resize alone."""

    def __str__(self) -> str:
        """Describe it: `p50 12, p95 20, p99 31 of 100 ms, 93% by network (live-x2 9.2 s, resize 0.8 s)`."""
        rungs = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.rungs.items())
        dropped = f", {self.dropped} dropped" if self.dropped else ""
        delays = f"p50 {self.p50:.0f}, p95 {self.p95:.0f}, p99 {self.p99:.0f} of {self.latency:.0f} ms"
        return f"{delays}, {self.share:.0%} by network ({rungs}){dropped}"


class LatencyMeter:
    """Counts the frames of one run. `took` is called by one thread, `left` by another."""

    def __init__(self, latency: float) -> None:
        """latency: seconds."""
        self._latency = latency
        self._counts: NDArray[np.int64] = np.zeros(STEPS, np.int64)
        self._longest, self._late = 0.0, 0
        self._shown, self._frames = 0.0, 0
        self._rungs: dict[str, float] = {}
        self._last: float | None = None
        self.dropped = 0

    def took(self, rung: str, share: float, now: float) -> None:
        """Count a frame that was upscaled on a rung; share: of its pixels, that show a network's result."""
        self._shown += share
        self._frames += 1
        self._rungs[rung] = self._rungs.get(rung, 0.0) + (0.0 if self._last is None else now - self._last)
        self._last = now

    def left(self, seconds: float) -> None:
        """Count a frame that left after so many seconds inside."""
        self._counts[min(int(max(seconds, 0.0) / STEP_S), STEPS - 1)] += 1
        self._longest = max(self._longest, seconds)
        self._late += seconds > self._latency

    def report(self) -> RealtimeReport:
        """Return what was counted so far."""
        reached: Any = np.cumsum(self._counts)

        def within(part: float) -> float:
            if not reached[-1]:
                return 0.0
            ms = 1000 * STEP_S * (1 + int(np.searchsorted(reached, part * reached[-1])))
            return round(min(ms, 1000 * self._longest), 1)

        return RealtimeReport(
            round(1000 * self._latency, 1), within(0.5), within(0.95), within(0.99), round(1000 * self._longest, 1),
            self._late, self.dropped, round(self._shown / max(self._frames, 1), 4),
            {name: round(seconds, 2) for name, seconds in list(self._rungs.items())},
        )  # fmt: skip
