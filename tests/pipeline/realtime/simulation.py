"""A pipeline of two stages, upscaling and encoding, that takes simulated time: what a controller makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vidsr.pipeline.realtime.controller import Controller, Decision, Load, Network

Slower = Callable[[float], float]
"""By how much everything takes longer at a time."""


@dataclass
class Machine:
    """Seconds for a frame on an idle machine."""

    networks: Sequence[float] = (0.020,)
    shares: bool = True
    resize: float = 0.003
    encode: float = 0.008
    slower: Slower = lambda _: 1.0
    encoder_slower: Slower = lambda _: 1.0

    started_slower: float = 1.0
    """By how much it was slower when the networks were measured."""

    def controller(self, latency: float) -> Controller:
        """A controller that measured this machine at the start."""
        networks = [Network(self.started_slower * (seconds + self.resize), self.shares) for seconds in self.networks]
        return Controller(networks, latency, encoding=self.encode)


@dataclass
class Run:
    """What became of the frames."""

    arrivals: list[float] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    """0 for a frame that was dropped."""

    @property
    def dropped(self) -> int:
        """Number of frames."""
        return sum(each.drop for each in self.decisions)

    @property
    def changes(self) -> int:
        """How often another rung was taken."""
        return sum(one.rung != other.rung for one, other in zip(self.decisions, self.decisions[1:], strict=False))

    def longest(self, since: float, until: float = 1e9) -> float:
        """Longest latency of the frames that arrived in a time."""
        return max(
            (late for came, late in zip(self.arrivals, self.latencies, strict=True) if since <= came < until), default=0
        )

    def share(self, since: float, until: float = 1e9) -> float:
        """Mean share of the frames that arrived in a time, of the best network."""
        both = zip(self.arrivals, self.decisions, strict=True)
        shares = [each.share if each.rung == 0 else 0.0 for came, each in both if since <= came < until]
        return sum(shares) / len(shares)


def simulate(machine: Machine, arrivals: Sequence[float], *, latency: float = 0.1, duration: float = 1 / 30) -> Run:
    """Send frames through; arrivals: seconds, rising."""
    controller, run = machine.controller(latency), Run()
    upscaler_free = encoder_free = 0.0
    for number, came in enumerate(arrivals):
        now = max(upscaler_free, came)
        waiting = sum(1 for each in arrivals[number + 1 : number + 200] if each <= now)
        decision = controller.decide(Load(now, now - came, now - number * duration - arrivals[0], waiting, duration))
        run.arrivals.append(came)
        run.decisions.append(decision)
        if decision.drop:
            run.latencies.append(0.0)
            continue
        network = machine.networks[decision.rung] * decision.share if decision.rung < len(machine.networks) else 0.0
        took = (machine.resize + network) * machine.slower(now)
        controller.upscaled(took, computed=decision.share)
        begins = max(now + took, encoder_free)
        upscaler_free = begins  # it waits until the encoder takes the frame
        encoding = machine.encode * machine.slower(begins) * machine.encoder_slower(begins)
        controller.encoded(encoding)
        encoder_free = begins + encoding
        run.latencies.append(encoder_free - came)
    return run


def steady(seconds: float, *, rate: float = 30.0) -> list[float]:
    """Arrivals of a stream without jitter."""
    return [number / rate for number in range(round(seconds * rate))]
