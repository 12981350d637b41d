"""Decide tile by tile what the network computes, what is taken over from the last frame, and where a resize is as good.

What a network is worth in a tile is known once it has been there: the square of what it changed, since a trained
network's changes are mostly right. Until then the tile's curvature says it, by a table that was learned from video. The
table also says how large the network's own error is: what is left out has to be small beside that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import Frame, Plane
from vidsr.upscaling.compute.tile_grid import TileGrid

Compute = Literal["full", "adaptive"] | float

PLAIN, NETWORK, REUSED = 0, 1, 2
UNKNOWN, USUAL = -1.0, 25.0  # QP

LOSS = 0.004
"""Of the network's squared error, which may be added by tiles that it is left out of: 0.02 dB, if predicted well."""
HOLD = 1.5  # a tile that the network computes stays so until another is worth so many times as much
NEW = 1.5  # a tile whose curvature changed by such a factor shows something else
WHOLE, TILES = 1.0, 0.85  # cost of tiles, of the whole frame's, where the whole is computed, and where tiles are again
FLAT = 0.5  # added to curvatures, in 8-bit levels


@dataclass(frozen=True, slots=True)
class Shares:
    """What became of the tiles of a run; the three add up to 1."""

    computed: float
    """By the network."""
    reused: float
    """Taken over from the frame before, since nothing had changed."""
    plain: float
    """Resized."""

    @classmethod
    def of(cls, tiles: NDArray[np.int64]) -> Self:
        """Return the shares of tiles that were PLAIN, NETWORK and REUSED: their numbers, not all 0."""
        plain, computed, reused = (round(float(count / tiles.sum()), 4) for count in tiles)
        return cls(computed, reused, plain)


def check_compute(compute: Compute) -> None:
    """Raise ValueError unless it is `full`, `adaptive`, or a share."""
    share = isinstance(compute, int | float) and 0 <= compute <= 1
    if compute not in ("full", "adaptive") and not share:
        raise ValueError(f"expected compute to be full, adaptive, or a share such as 0.3; got {compute!r}")


@dataclass(frozen=True, slots=True)
class FramePlan:
    """What becomes of the tiles of one frame."""

    padded: Plane
    kinds: NDArray[np.int8]
    """PLAIN, NETWORK or REUSED for each tile, (down, across)."""
    qps: NDArray[np.float64]
    """The QP of the frame that each tile's pixels came with; UNKNOWN if that had none."""
    whole: bool
    """Whether the frame is computed at once, which takes less time than the tiles alone would."""
    curvatures: NDArray[np.float32]
    """Means of the tiles, in 8-bit levels."""
    expected: NDArray[np.float32]
    """What the network changes, as the table says: mean squares in 8-bit levels."""


class Gains:
    """What a network changes, and what it gets wrong, by QP and curvature; rows of a card's table.

    Both are powers of the curvature: exp(log + power * ln(curvature + FLAT)), in squared 8-bit levels.
    """

    def __init__(self, rows: Sequence[Sequence[float]]) -> None:
        """rows: QP; log and power of the squared change; log and power of the squared error. By rising QP."""
        self._rows = np.asarray(rows or [(USUAL, math.log(0.05), 2.0, 0.0, 1.5)])

    def __call__(self, qps: NDArray[Any], curvatures: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the mean squares of (change, error)."""
        known = np.where(qps == UNKNOWN, USUAL, qps)
        change, more, error, steep = (np.interp(known, self._rows[:, 0], self._rows[:, i]) for i in range(1, 5))
        curved = np.log(curvatures + FLAT)
        return np.exp(change + more * curved).astype(np.float32), np.exp(error + steep * curved).astype(np.float32)


class ComputePlanner:
    """Plans frame after frame; what it decides depends on the frames before."""

    def __init__(self, grid: TileGrid, gains: Gains, compute: Compute) -> None:
        """compute: `adaptive`, or the largest share of tiles to compute."""
        self._grid, self._gains = grid, gains
        self._share = None if compute == "adaptive" else float(compute)
        self.forget()

    def forget(self) -> None:
        """Begin anew: nothing is known of a frame before."""
        shape = self._grid.shape
        self._before: Plane | None = None
        self._valid, self._wanted = np.zeros(shape, bool), np.zeros(shape, bool)
        self._qps, self._whole = np.full(shape, UNKNOWN), False
        self._ratios, self._measured = np.ones(shape, np.float32), np.full(shape, np.nan, np.float32)

    def plan(self, frame: Frame, budget: float | None = None) -> FramePlan:
        """Decide for a frame, and take it for the one before the next.

        budget: what the network may take of the time for a whole frame; from 1 up, it computes frames as a whole where
        that is faster. None: it takes what it needs.
        """
        luma, padded = frame.planes[0], self._grid.padded(frame.planes[0])
        first = self._before is None
        touched = np.ones(self._grid.shape, bool) if first else self._grid.touched(padded != self._before)
        qp = UNKNOWN if frame.qp is None else frame.qp
        qps = np.where(touched, qp, self._qps)
        curvatures = self._grid.means(curvature(luma)) / np.float32(1 << (frame.bits - 8))
        expected, errors = self._gains(qps, curvatures)
        with np.errstate(invalid="ignore"):
            other = np.abs(np.log((curvatures + FLAT) / (self._measured + FLAT))) > math.log(NEW)
        self._ratios[other & touched] = 1
        worth = expected * self._ratios
        self._valid &= ~touched
        most = 1.0 if self._share is None else self._share
        if budget is not None and budget < 1:
            most = min(most, budget / self._grid.overhead)
        if self._share is None:
            wanted = self._needed(worth, errors, touched)
            if np.mean(wanted & ~self._valid) > most:
                wanted &= self._chosen(worth, touched, most)
        else:
            wanted = self._chosen(worth, touched, most)
        kinds = np.where(wanted, np.where(self._valid, REUSED, NETWORK), PLAIN).astype(np.int8)
        if self._share is None or (budget is not None and self._share == 1):
            cost = float(np.mean(kinds == NETWORK)) * self._grid.overhead
            affordable = budget is None or budget >= 1
            self._whole = affordable and ((first and bool(wanted.all())) or cost >= (TILES if self._whole else WHOLE))
            if self._whole:
                kinds[:], qps[:] = NETWORK, qp
        self._before, self._wanted, self._qps = padded, wanted, qps
        self._valid = kinds != PLAIN
        return FramePlan(padded, kinds, qps, self._whole, curvatures, expected)

    def learn(self, plan: FramePlan, changes: NDArray[np.float32]) -> None:
        """Take what the network changed in the tiles of a plan: mean squares in 8-bit levels; NaN if not measured."""
        known = ~np.isnan(changes)
        self._ratios[known] = (changes / plan.expected)[known]
        self._measured[known] = plan.curvatures[known]

    def _chosen(self, worth: NDArray[np.float32], touched: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
        """Return the tiles that show the network's result: those that have one, and the best within the budget."""
        budget = int(share * worth.size)
        ranked = np.where(self._valid, -1, np.where(self._wanted & touched, worth * HOLD, worth))
        best = np.argsort(-ranked, axis=None, kind="stable")[:budget]
        wanted = self._valid.copy()
        wanted.ravel()[best] = True
        return wanted

    def _needed(
        self, worth: NDArray[np.float32], errors: NDArray[np.float32], touched: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return all tiles but those that the network is worth least in, which together lose little.

        A tile that did not change stays what it was, or a picture that stands still would flicker.
        """
        if self._before is None:
            return np.ones(worth.shape, bool)  # what a network is worth is learned from all tiles
        fixed_plain = ~touched & ~self._wanted
        ranked = np.where(self._wanted, worth * HOLD, worth)
        ranked = np.where(touched, ranked, np.where(fixed_plain, -1, np.inf))
        order = np.argsort(ranked, axis=None, kind="stable")
        lost = np.cumsum(worth.ravel()[order])
        left_out = order[(lost <= LOSS * float(errors.sum())) & np.isfinite(ranked.ravel()[order])]
        wanted = ~fixed_plain
        wanted.ravel()[left_out] = False
        return wanted


def curvature(luma: Plane) -> NDArray[Any]:
    """Return |4 x - its four neighbours| for every pixel, (height, width); edges are repeated."""
    wide = np.pad(luma, 1, mode="edge").astype(np.int16 if luma.dtype == np.uint8 else np.int32)
    found: NDArray[Any] = 4 * wide[1:-1, 1:-1]
    found -= wide[:-2, 1:-1]
    found -= wide[2:, 1:-1]
    found -= wide[1:-1, :-2]
    found -= wide[1:-1, 2:]
    np.abs(found, out=found)
    return found
