"""Fade from the network's result to a resize at the edges of tiles beside resized ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import Plane

ONE = 128  # weights are fixed-point numbers, and 255 of it fit into 16 bits


class Fade:
    """Weights of tiles of one size, by which of their eight neighbours are resized."""

    def __init__(self, height: int, width: int, band: int) -> None:
        """height, width: of an upscaled tile. band: pixels over which it fades."""
        self._height, self._width, self._band = height, width, band
        self._weights: dict[tuple[bool, ...], NDArray[np.int16]] = {}

    def put(self, plain: NDArray[np.bool_], tile: tuple[int, int], result: Plane, target: Plane) -> None:
        """Write a tile's result over the resize in `target`, less and less towards neighbours that are resized.

        plain: which tiles are resized. result, target: of one shape; the tile may be cut by the edge of the frame.
        """
        beside = neighbours(plain, *tile)
        if not any(beside):
            np.copyto(target, result)
            return
        weights = self._of(beside)[: target.shape[0], : target.shape[1]]
        wide = np.int16 if target.dtype == np.uint8 else np.int32
        mixed: NDArray[Any] = result.astype(wide)
        mixed -= target
        mixed *= weights
        mixed += ONE // 2
        mixed >>= ONE.bit_length() - 1
        mixed += target
        np.copyto(target, mixed, casting="unsafe")  # between the two, so within their range

    def _of(self, beside: tuple[bool, ...]) -> NDArray[np.int16]:
        """Return the weights of the result, (height, width), of ONE.

        Two tiles side by side agree along their edge: what one fades to at a side, the other fades to at the corner.
        """
        if beside not in self._weights:
            above, below = (self._ramp(self._height)[::step, None] for step in (1, -1))
            left, right = (self._ramp(self._width)[None, ::step] for step in (1, -1))
            ramps = {(-1, 0): above, (1, 0): below, (0, -1): left, (0, 1): right}
            weights = np.full((self._height, self._width), ONE, np.int16)
            for (row, column), is_plain in zip(AROUND, beside, strict=True):
                if is_plain:
                    sides = [ramps[side] for side in ((row, 0), (0, column)) if side != (0, 0)]
                    weights = np.minimum(weights, np.maximum(sides[0], sides[-1]))
            self._weights[beside] = weights
        return self._weights[beside]

    def _ramp(self, length: int) -> NDArray[np.int16]:
        """Return the weights of pixels from the edge on."""
        steps = (np.arange(length) + 0.5) / self._band
        weights: NDArray[np.int16] = np.rint(np.minimum(steps, 1) * ONE).astype(np.int16)
        return weights


AROUND = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column]


def neighbours(plain: NDArray[np.bool_], row: int, column: int) -> tuple[bool, ...]:
    """Return which of the eight neighbours are resized; there are none beyond the frame."""
    down, across = plain.shape
    return tuple(
        0 <= row + i < down and 0 <= column + j < across and bool(plain[row + i, column + j]) for i, j in AROUND
    )
