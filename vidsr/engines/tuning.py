"""How OpenVINO runs networks fastest on this machine: measured by `vidsr bench --tune`, and kept in the cache.

It changes how long results take, not the results.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from vidsr.engines import runtime_version
from vidsr.io.cache import read_cache, write_cache
from vidsr.system import MAX_ISA, cores, processor_kind

FOLDER = "tuning"  # in the cache, one file for each kind of machine


@dataclass(frozen=True, slots=True)
class Tuning:
    """How frames share the threads."""

    streams: int = 1
    """Frames computed in parallel, each on its share of the threads. Each takes the memory of a network."""
    in_flight: int = 2
    """Frames submitted at once; if more than streams, the next is ready when one ends."""
    most_pixels: int = 0
    """The frame size it was measured on. Larger frames are computed one at a time."""

    def streams_for(self, pixels: int) -> int:
        """Return the streams to use for frames of this many pixels."""
        return self.streams if pixels <= self.most_pixels else 1


MIN_SPEEDUP = 1.03
"""Below this, a measured speedup may be noise."""

T = TypeVar("T")

_trials: list[Tuning] = []


def tuning() -> Tuning:
    """Return what was measured on this machine, or the default if nothing was or the file is not valid."""
    if _trials:
        return _trials[-1]
    try:
        values = read_cache(FOLDER, machine_key())["tuning"]
        found = Tuning(**{name: int(values[name]) for name in Tuning.__slots__})
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return Tuning()
    valid = 1 <= found.streams <= cores() and 1 <= found.in_flight <= 2 * cores() + 1
    return found if valid else Tuning()


def keep_tuning(found: Tuning) -> Path:
    """Write a tuning to the cache, and return the file. Raises OSError."""
    return write_cache(FOLDER, machine_key(), {"tuning": asdict(found), "machine": _machine()})


def quickest(seconds: Mapping[T, float]) -> T:
    """Return the fastest candidate if it is MIN_SPEEDUP times faster than the first, the default; else the first."""
    default, best = next(iter(seconds)), min(seconds, key=seconds.__getitem__)
    return best if seconds[default] >= MIN_SPEEDUP * seconds[best] else default


def machine_key() -> str:
    """Return a digest of what measured times depend on: the kind of CPU, its cores, and OpenVINO's version."""
    return sha256(_machine().encode()).hexdigest()[:16]


@contextmanager
def trial(candidate: Tuning) -> Iterator[None]:
    """Use a tuning without keeping it."""
    _trials.append(candidate)
    try:
        yield
    finally:
        _trials.remove(candidate)


def _machine() -> str:
    capped = f", at most {isa}" if (isa := os.environ.get(MAX_ISA)) else ""
    return f"{processor_kind()}, {cores()} cores, OpenVINO {runtime_version('openvino')}{capped}"
