"""Compare time stamps exactly: as integers in a time base that both are multiples of."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from vidsr.verify.inventory import UNTIMED


@dataclass(frozen=True, slots=True)
class Gap:
    """Differences between two series of time stamps, in seconds."""

    worst: Fraction
    """The largest difference after subtracting the shift, with its sign."""
    at: Fraction
    """Where, on the clock of the input."""
    missing: int
    """Times of the input without a counterpart in the output."""
    added: int
    """Times of the output without a counterpart in the input."""


def slack(tick: Fraction, other: Fraction, *, shifted: bool = False) -> Fraction:
    """Return how far rounding may move a time between two time bases; twice that if the shift was rounded, too."""
    return max(tick, other) / (1 if shifted else 2)


def shift_of(before: "array[int]", tick: Fraction, after: "array[int]", other: Fraction) -> Fraction:
    """Return by how much a whole video is later: 0, unless that leaves more frames without a counterpart."""
    if not before or not after:
        return Fraction(0)
    first = after[0] * other - before[0] * tick
    if abs(first) <= slack(tick, other):
        return Fraction(0)

    def lost(shift: Fraction) -> int:
        gap = gap_between(before, tick, after, other, shift)
        return gap.missing + gap.added

    return min((Fraction(0), first), key=lost)


def gap_between(before: "array[int]", tick: Fraction, after: "array[int]", other: Fraction, shift: Fraction) -> Gap:
    """Compare rising times; those within `slack` of each other count as the same."""
    clock, a, b, moved = _common(tick, other, shift)
    near = slack(tick, other, shifted=bool(shift)) * clock
    i = j = missing = added = 0
    worst = at = 0
    while i < len(before) and j < len(after):
        apart = after[j] * b - before[i] * a - moved
        if abs(apart) > abs(worst) and (abs(apart) <= near or len(before) == len(after)):
            worst, at = apart, before[i] * a
        if abs(apart) <= near or len(before) == len(after):
            missing += abs(apart) > near
            added += abs(apart) > near
            i, j = i + 1, j + 1
        elif apart > 0:
            missing, i = missing + 1, i + 1
        else:
            added, j = added + 1, j + 1
    missing, added = missing + len(before) - i, added + len(after) - j
    return Gap(Fraction(worst, clock), Fraction(at, clock), missing, added)


def drift_between(
    before: "array[int]", tick: Fraction, after: "array[int]", other: Fraction, shift: Fraction
) -> tuple[Fraction, Fraction]:
    """The largest difference between times that belong together, and where it is; seconds.

    Where the numbers differ, the first and the last are compared.
    """
    clock, a, b, moved = _common(tick, other, shift)
    pairs = list(zip(before, after, strict=False)) if len(before) == len(after) else _ends(before, after)
    gaps = ((y * b - x * a - moved, x * a) for x, y in pairs if UNTIMED not in (x, y))
    worst, at = max(gaps, key=lambda pair: abs(pair[0]), default=(0, 0))
    return Fraction(worst, clock), Fraction(at, clock)


def _ends(before: "array[int]", after: "array[int]") -> list[tuple[int, int]]:
    return [(before[end], after[end]) for end in (0, -1)] if before and after else []


def _common(tick: Fraction, other: Fraction, shift: Fraction) -> tuple[int, int, int, int]:
    # Ticks of the common clock: in a second, in each tick, and in the shift.
    clock = lcm(tick.denominator, other.denominator, shift.denominator)
    return clock, int(tick * clock), int(other * clock), int(shift * clock)
