"""Compare time stamps exactly: as integers in a time base that both are multiples of."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm

from vidsr.verify.inventory import UNTIMED, Timed


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


def slack(before: Timed, after: Timed, *, shifted: bool = False) -> Fraction:
    """Return how far rounding may move a time between two time bases; twice that if the shift was rounded, too."""
    if before.tick % after.tick == 0:
        return Fraction(0)
    return after.tick / (1 if shifted else 2)


def shift_of(before: Timed, after: Timed) -> Fraction:
    """Return by how much a whole video is later: 0, unless that leaves more frames without a counterpart."""
    if not before.times or not after.times:
        return Fraction(0)
    first = after.times[0] * after.tick - before.times[0] * before.tick
    if abs(first) <= slack(before, after):
        return Fraction(0)

    def lost(shift: Fraction) -> int:
        gap = gap_between(before, after, shift)
        return gap.missing + gap.added

    return min((Fraction(0), first), key=lost)


def gap_between(before: Timed, after: Timed, shift: Fraction) -> Gap:
    """Compare rising times; those within `slack` of each other count as the same."""
    clock, a, b, moved = _common(before, after, shift)
    near = slack(before, after, shifted=bool(shift)) * clock
    old, new = before.times, after.times
    same_number = len(old) == len(new)
    i = j = missing = added = 0
    worst = at = 0
    while i < len(old) and j < len(new):
        apart = new[j] * b - old[i] * a - moved
        if abs(apart) > abs(worst) and (abs(apart) <= near or same_number):
            worst, at = apart, old[i] * a
        if abs(apart) <= near or same_number:
            missing += abs(apart) > near
            added += abs(apart) > near
            i, j = i + 1, j + 1
        elif apart > 0:
            missing, i = missing + 1, i + 1
        else:
            added, j = added + 1, j + 1
    missing, added = missing + len(old) - i, added + len(new) - j
    return Gap(Fraction(worst, clock), Fraction(at, clock), missing, added)


def frame_pairs(before: Timed, after: Timed, shift: Fraction) -> list[tuple[int, int]]:
    """Return which entry of the output belongs to which of the input: by number if there are as many, else by time."""
    if len(before.times) == len(after.times):
        return list(zip(range(len(before.times)), range(len(after.times)), strict=True))
    clock, a, b, moved = _common(before, after, shift)
    near, pairs, j = slack(before, after, shifted=bool(shift)) * clock, [], 0
    for i, time in enumerate(before.times):
        wanted = time * a + moved
        while j < len(after.times) and after.times[j] * b < wanted - near:
            j += 1
        if j < len(after.times) and after.times[j] * b <= wanted + near:
            pairs.append((i, j))
    return pairs


def drift_between(before: Timed, after: Timed, shift: Fraction) -> tuple[Fraction, Fraction]:
    """Return the largest difference between corresponding times, and when it is; in seconds.

    If the numbers of times differ, compares the first and the last.
    """
    clock, a, b, moved = _common(before, after, shift)
    old, new = before.times, after.times
    if len(old) == len(new):
        pairs = list(zip(old, new, strict=True))
    else:
        pairs = [(old[end], new[end]) for end in (0, -1)] if old and new else []
    gaps, repeated, last = [], 0, UNTIMED
    for x, y in pairs:
        if UNTIMED in (x, y):
            continue
        repeated, last = (repeated + 1 if x == last else 0), x
        apart = y * b - x * a - moved
        # Packets of one time may have to be a tick apart.
        gaps.append((min(apart, apart - repeated * b, key=abs), x * a))
    worst, at = max(gaps, key=lambda pair: abs(pair[0]), default=(0, 0))
    return Fraction(worst, clock), Fraction(at, clock)


def keeps_offset(video: tuple[Timed, Timed], sound: tuple[Timed, Timed]) -> bool:
    """Return whether a muxer that begins its clock elsewhere moved sound and picture by one time, exactly.

    video, sound: of the input and of the output. The muxer rounds each time to a tick of its stream, and the time by
    which it moves all streams up to such a tick.
    """
    (before, after), (other_before, other_after) = video, sound
    moved = after.times[0] - round(before.times[0] * before.tick / after.tick)
    ratio = other_before.tick / other_after.tick
    # Moved by more than (n - 1) ticks, and at most by n ticks, of both streams.
    least = floor((moved - 1) * after.tick / other_after.tick) + 1
    most = ceil(moved * after.tick / other_after.tick)
    repeated, last = 0, UNTIMED
    for old, new in zip(other_before.times, other_after.times, strict=True):
        repeated, last = (repeated + 1 if old == last else 0), old
        # Packets of one time have to be a tick apart.
        if UNTIMED not in (old, new) and not least <= new - round(old * ratio) <= most + repeated:
            return False
    return True


def _common(before: Timed, after: Timed, shift: Fraction) -> tuple[int, int, int, int]:
    # Ticks of the common clock: in a second, in each tick, and in the shift.
    clock = lcm(before.tick.denominator, after.tick.denominator, shift.denominator)
    return clock, int(before.tick * clock), int(after.tick * clock), int(shift * clock)
