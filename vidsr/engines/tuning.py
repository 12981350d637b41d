"""How this CPU runs networks fastest beside decoder and encoder: measured by `vidsr bench --tune`, and kept.

Results do not depend on it, only their time does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from vidsr.engines import runtime_version
from vidsr.io.cache import read_cache, write_cache
from vidsr.system import cores, processor_kind

ROOM = "tuning"  # of what is kept: one file for each kind of machine


@dataclass(frozen=True, slots=True)
class Tuning:
    """How frames share the threads."""

    streams: int = 1
    """Frames computed side by side, each by its share of the threads; each takes the memory of a network."""
    in_flight: int = 2
    """Frames under way at once: with more than streams, the next is there when one is done."""
    most_pixels: int = 0
    """Of the pictures that this was measured on; larger ones are computed one at a time."""

    def streams_for(self, pixels: int) -> int:
        """Of pictures of so many pixels."""
        return self.streams if pixels <= self.most_pixels else 1


WORTH = 1.03
"""Times as quick as the usual way, for less may be chance."""

T = TypeVar("T")

_trial: list[Tuning] = []


def tuning() -> Tuning:
    """What was measured on this machine; where nothing was, or it cannot be read, the usual way."""
    if _trial:
        return _trial[-1]
    try:
        told = read_cache(ROOM, machine_key())["tuning"]
        found = Tuning(**{name: int(told[name]) for name in Tuning.__slots__})
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return Tuning()
    fits = 1 <= found.streams <= cores() and 1 <= found.in_flight <= 2 * cores() + 1
    return found if fits else Tuning()


def keep_tuning(found: Tuning) -> Path:
    """Keep what was measured; gives the file. Raises OSError."""
    return write_cache(ROOM, machine_key(), {"tuning": asdict(found), "machine": _machine()})


def quickest(seconds: Mapping[T, float]) -> T:
    """The way that takes least where that is worth it, else the first, which is the usual one."""
    usual, best = next(iter(seconds)), min(seconds, key=seconds.__getitem__)
    return best if seconds[usual] >= WORTH * seconds[best] else usual


def machine_key() -> str:
    """Short for this kind of CPU, its cores and the version of OpenVINO: what measured times hold for."""
    return sha256(_machine().encode()).hexdigest()[:16]


@contextmanager
def trial(candidate: Tuning) -> Iterator[None]:
    """Run with a tuning that is not kept."""
    _trial.append(candidate)
    try:
        yield
    finally:
        _trial.remove(candidate)


def _machine() -> str:
    return f"{processor_kind()}, {cores()} cores, OpenVINO {runtime_version('openvino')}"
