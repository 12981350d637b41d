"""Decide, frame by frame, how much may be computed in the time there is. Pure: times come in, decisions go out."""

from collections.abc import Sequence
from dataclasses import dataclass

LOAD = 0.7  # of a frame's duration that a stage may take, so that a harder frame is not late at once
GUARD = 0.9  # of the latency that is used
RISE_S = 1.0  # in which the share may rise from nothing to everything
FALLS_S = 0.3  # a rung that does not hold for so long is left for the one below
HOLD_S, LONGEST_HOLD_S = 0.5, 16.0  # before a higher rung is tried; twice as long each time it fails
RELAPSES = 4.0  # times as fast as it grew, the calm before a trial is lost by frames that are late
PROVEN_S = 3.0  # a higher rung that holds for so long has not failed
LEAST = 0.05  # of a frame, below which a network is not worth its overhead
LEAST_ABOVE = 0.25  # the same where a lighter network is next: it computes more of the frame
DROPS_S, GIVES_UP_S = 1.0, 2.0  # late by the stream's clock, or only since the arrival, before frames are dropped
AHEAD_S = 1.0  # of the clock, from which a late frame is of a burst, or of a file through a pipe
ATTACK, RELEASE = 0.5, 0.05  # of a new measurement, where it is more or less than was known
SHORTEST_S, LONGEST_S = 1 / 240, 0.5  # durations of a frame that are believed
LEARNED_FROM = 0.02  # share of a frame, below which its time says nothing of the network


@dataclass(frozen=True, slots=True)
class Load:
    """What is known when a frame's turn comes; times in seconds."""

    now: float
    age: float
    """Since the frame arrived."""
    behind: float
    """Since the frame was due by the stream's clock; negative if it came ahead of it."""
    waiting: int
    """Frames that arrived after it."""
    duration: float
    """Of the frame."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a frame."""

    rung: int
    """Which network; one more than there are is the resize alone."""
    share: float
    """Of what the network costs for the whole frame, at most; 0: the frame is resized."""
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the ladder, from the best to the lightest."""

    seconds: float
    """For a whole frame, as measured at the start."""
    shares: bool
    """Whether it can compute a part of a frame."""


class Controller:
    """Turns measured times into decisions. Its rungs are the networks, and below them the resize alone.

    The time for a frame is what its duration, the latency and the encoder leave. A network that cannot compute enough
    in it for a while is left for the next rung; a higher rung is tried again when there was time enough for a while,
    which becomes longer with each trial that fails.
    """

    def __init__(self, networks: Sequence[Network], latency: float, *, encoding: float = 0.0) -> None:
        """latency: seconds from arrival to departure. encoding: seconds for a frame, if known."""
        self.latency = latency
        self._networks = networks
        self._costs = [network.seconds for network in networks]
        self._encoding = encoding
        self.rung = 0
        self._share = 1.0
        self._now: float | None = None
        self._duration: float | None = None
        self._too_little_s = self._calm_s = self._late_s = self._behind_s = 0.0
        self._hold, self._tried_at = HOLD_S, -LONGEST_HOLD_S
        self._dropping = False

    @property
    def resizes(self) -> int:
        """The rung of the resize alone."""
        return len(self._networks)

    def decide(self, load: Load) -> Decision:
        """Decide for the next frame."""
        passed = 0.0 if self._now is None else min(max(load.now - self._now, 0.0), LONGEST_S)
        self._now = load.now
        self._take_duration(load.duration)
        late = load.age > self.latency
        room = self._room(load)
        if self.rung < self.resizes:
            self._descend(load, passed)
        if self._ascends(load, passed, calm=not late and load.waiting <= 1):
            self._try_above(load)
        share = self._share_in(room, passed)
        drop = self._drops(load, passed, late=late)
        return Decision(self.rung, share, drop)

    def upscaled(self, seconds: float, *, computed: float) -> None:
        """Learn what a frame took on the present rung. computed: share of the frame that the network computed."""
        if self.rung < self.resizes and computed >= LEARNED_FROM:
            self._costs[self.rung] = _followed(self._costs[self.rung], seconds / computed)

    def encoded(self, seconds: float) -> None:
        """Learn what encoding a frame took; may be called from another thread."""
        self._encoding = _followed(self._encoding, seconds)

    def _take_duration(self, duration: float) -> None:
        if duration > 0:
            near = min(max(duration, SHORTEST_S), LONGEST_S)
            self._duration = near if self._duration is None else self._duration + 0.1 * (near - self._duration)

    def _steady(self) -> float:
        """Seconds that upscaling may take in every frame."""
        most = LOAD * (self._duration or LONGEST_S)
        return most * min(1.0, most / max(self._encoding, 1e-9)) ** 2  # what computes slows the encoder down

    def _room(self, load: Load) -> float:
        """Seconds that upscaling may take in this frame. Behind it another one may be encoded already."""
        left = GUARD * self.latency - load.age - 2 * self._encoding
        caught_up = max(0.0, 1 - load.waiting * (self._duration or 0.0))  # frames that wait are to go within a second
        return min(self._steady() * (caught_up if load.waiting > 1 else 1.0), left)

    def _least(self, rung: int) -> float:
        if not self._networks[rung].shares:
            return 1.0
        return LEAST_ABOVE if rung + 1 < self.resizes else LEAST

    def _descend(self, load: Load, passed: float) -> None:
        """Leave a rung that has not been able to compute enough for a while."""
        holds = self._steady() / self._costs[self.rung] >= self._least(self.rung)
        self._too_little_s = 0.0 if holds and load.age <= self.latency else self._too_little_s + passed
        if self._too_little_s < FALLS_S:
            return
        self._too_little_s, self._calm_s = 0.0, 0.0
        # A queue that built up for another reason says nothing against the network.
        failed = load.now - self._tried_at < PROVEN_S and not holds
        self._hold = min(2 * self._hold, LONGEST_HOLD_S) if failed else max(self._hold / 2, HOLD_S)
        self.rung += 1
        while self.rung < self.resizes and self._steady() / self._costs[self.rung] < self._least(self.rung):
            self.rung += 1
        self._share = 0.0

    def _ascends(self, load: Load, passed: float, *, calm: bool) -> bool:
        """Return whether it is time to try the rung above."""
        full = self.rung == self.resizes or self._share >= 0.95
        if self.rung == 0:
            self._calm_s = 0.0
        else:
            self._calm_s = max(0.0, self._calm_s + (passed if calm and full else -RELAPSES * passed))
        return self._calm_s >= self._hold

    def _try_above(self, load: Load) -> None:
        """Go up to the rung above: with a small share, or if it would hold as fast as it was at the start."""
        self._calm_s = 0.0
        above, least = self.rung - 1, self._least(self.rung - 1)
        if self._networks[above].shares and self.rung == self.resizes:
            # What it took at the start, or when it was left, may no longer be so; a small share costs little to try.
            cost = min(self._costs[above], self._steady() / least)
        else:
            cost = self._networks[above].seconds
            if self._steady() / cost < least:
                return
        self.rung, self._tried_at = above, load.now
        self._share, self._costs[above] = 0.0, cost

    def _share_in(self, room: float, passed: float) -> float:
        """Return the share that fits into `room`: less at once, more little by little."""
        if self.rung == self.resizes:
            return 0.0
        least = self._least(self.rung)
        fits = min(1.0, room / self._costs[self.rung])
        if fits < least:
            self._share = 0.0
        elif least == 1.0:
            self._share = 1.0
        else:
            self._share = min(fits, max(self._share, LEAST) + passed / RISE_S)
        return self._share

    def _drops(self, load: Load, passed: float, *, late: bool) -> bool:
        """Return whether a frame is dropped: resizing alone has not kept up for a while, and the frame is late."""
        if self.rung < self.resizes:
            self._behind_s, self._late_s, self._dropping = 0.0, 0.0, False
            return False
        behind = min(load.age, load.behind) > self.latency
        self._behind_s = self._behind_s + passed if behind else max(0.0, self._behind_s - passed)
        # What came ahead of its time, as after a pause or from a file through a pipe, is not dropped.
        self._late_s = self._late_s + passed if late and load.behind > -AHEAD_S else 0.0
        if self._dropping:
            self._dropping = self._behind_s > 0 or late
        else:
            self._dropping = self._behind_s >= DROPS_S or self._late_s >= GIVES_UP_S
        return self._dropping and late and load.behind > -AHEAD_S


def _followed(known: float, measured: float) -> float:
    return known + (ATTACK if measured > known else RELEASE) * (measured - known)
