"""A grid of equal tiles over a frame, each with the pixels around it that its result depends on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import Plane

HANDLING = 1.3  # of small layers, and of cutting and writing tiles, measured
SIDE = 32  # of a tile at least, in input pixels: smaller ones cost more for what lies around them than they save
MOST = 12  # tiles on a side of a large frame: larger ones cost less for what lies around them
MARGINS = 3  # a tile is so many times as long as what lies around it is wide


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size from the upper left corner; the last ones reach beyond the frame, where planes are 0."""

    height: int
    """Of the frame, in pixels."""
    width: int
    rows: int
    """Height of a tile."""
    columns: int
    """Width of a tile."""
    above: int
    """Pixels above a tile, and below it, that its result depends on."""
    beside: int
    """The same at the left and at the right."""

    @property
    def shape(self) -> tuple[int, int]:
        """How many tiles there are, (down, across)."""
        return -(-self.height // self.rows), -(-self.width // self.columns)

    @property
    def overhead(self) -> float:
        """About what a pixel costs in a tile, if it costs 1 in the whole frame: by the area of the layers."""
        return HANDLING * (self.rows + self.above) * (self.columns + self.beside) / (self.rows * self.columns)

    @cached_property
    def inside(self) -> NDArray[np.uint8]:
        """The padded frame: 1 for its own pixels, 0 beyond."""
        ones: NDArray[np.uint8] = self.padded(np.ones((self.height, self.width), np.uint8))
        return ones

    def padded(self, plane: Plane) -> Any:
        """Return a plane with zeros around it, of which `window` cuts the tiles."""
        down, across = self.shape
        whole = np.zeros((down * self.rows + 2 * self.above, across * self.columns + 2 * self.beside), plane.dtype)
        whole[self.above : self.above + self.height, self.beside : self.beside + self.width] = plane
        return whole

    def window(self, row: int, column: int) -> tuple[slice, slice]:
        """Return where a tile and what lies around it are in a padded plane."""
        top, left = row * self.rows, column * self.columns
        return slice(top, top + self.rows + 2 * self.above), slice(left, left + self.columns + 2 * self.beside)

    def place(self, row: int, column: int, scale: int) -> tuple[slice, slice]:
        """Return where a tile is in the upscaled frame; slices end at its edges."""
        down, across = self.rows * scale, self.columns * scale
        top, left = row * down, column * across
        end, right = min(top + down, self.height * scale), min(left + across, self.width * scale)
        return slice(top, end), slice(left, right)

    def touched(self, changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each tile whether any pixel that it depends on changed. changed: padded."""
        down, across = self.shape
        lines = _any_in_windows(changed, down, self.rows, self.above)
        return _any_in_windows(lines.T, across, self.columns, self.beside).T

    def means(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return the mean of each tile's own pixels. values: (height, width)."""
        rows, columns = (
            np.arange(0, side, step) for side, step in ((self.height, self.rows), (self.width, self.columns))
        )
        sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0, dtype=np.int32), columns, axis=1)
        heights = np.minimum(self.rows, self.height - rows)
        widths = np.minimum(self.columns, self.width - columns)
        means: NDArray[np.float32] = (sums / np.outer(heights, widths)).astype(np.float32)
        return means


def grid_of(height: int, width: int, above: int, beside: int) -> TileGrid:
    """Return the grid for frames of a size. above, beside: what a result depends on around it, in pixels."""
    return TileGrid(height, width, _side(height, above), _side(width, beside), above, beside)


def _side(length: int, margin: int) -> int:
    """Return an even length of tiles near the one wanted that cuts a side into tiles with little left over."""
    wanted = max(SIDE, MARGINS * margin, length // MOST)
    tiles = max(1, round(length / wanted))
    side = -(-length // tiles)
    return side + side % 2


def _any_in_windows(changed: NDArray[np.bool_], count: int, side: int, margin: int) -> NDArray[np.bool_]:
    """Return whether a line of each window, windows of the first axis overlapping by margins, has a change."""
    found = np.empty((count, changed.shape[1]), bool)
    for index in range(count):
        np.any(changed[index * side : (index + 1) * side + 2 * margin], axis=0, out=found[index])
    return found
