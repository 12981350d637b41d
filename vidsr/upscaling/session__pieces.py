"""The tiles of a frame while they are computed, and how their results are put together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vidsr.engines import Arrays, Pending
from vidsr.engines.ports import UNSHUFFLED, UNSHUFFLED_CHROMA
from vidsr.errors import EngineBusy
from vidsr.frames import Frame
from vidsr.upscaling.graph.edges import planes_of, shuffle
from vidsr.upscaling.output_size import halvings
from vidsr.upscaling.tiling import Span


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of the picture."""

    down: Span
    across: Span


class Piece:
    """A tile that is computed, or waits for it."""

    def __init__(self, tile: Tile, inputs: Arrays) -> None:
        self.tile, self.inputs = tile, inputs
        self.run: Pending | None = None


class PendingPlanes:
    """The tiles of one frame."""

    taken = False

    def __init__(self, pieces: list[Piece], scale: int, start: Callable[[], None]) -> None:
        self._pieces, self._scale, self._start = pieces, scale, start

    def write(self, canvas: Frame) -> None:
        """Wait, and overwrite the planes of a frame of the enlarged size with what the network made of them.

        Raises EngineBusy where the tiles of a frame before it fill the engine, and nobody has taken them.
        """
        for piece in self._pieces:
            if piece.run is None:
                self._start()  # a frame before this one may have been dropped
            if piece.run is None:
                raise EngineBusy("a frame before this one is under way; take its result first")
            self._put(piece.tile, piece.run.result(), canvas)
            piece.run = None
            self._start()
        self.taken = True

    def _put(self, tile: Tile, results: Arrays, canvas: Frame) -> None:
        whole = [(name, *each) for name, codes in results.items() for each in planes_of(name, codes).items()]
        for name, index, codes in whole:
            across, down = halvings(canvas) if index else (0, 0)
            lines, columns = _kept(tile.down, self._scale, down), _kept(tile.across, self._scale, across)
            target = canvas.planes[index][lines, columns]
            if name in (UNSHUFFLED, UNSHUFFLED_CHROMA):
                shuffle(codes[:, _kept_of(tile.down, 1), _kept_of(tile.across, 1)], target)
            else:
                lines, columns = (
                    _kept_of(tile.down, self._scale, down),
                    _kept_of(tile.across, self._scale, across),
                )
                np.copyto(target, codes[0, 0, lines, columns])


def _kept(span: Span, scale: int, halving: int = 0, *, start: int = 0) -> slice:
    """The enlarged pixels that a tile answers for, counted from input pixel `start`."""
    first, end = (span.keep_from - start) * scale, (span.keep_to - start) * scale
    return slice(first >> halving, (end + halving) >> halving)


def _kept_of(span: Span, scale: int, halving: int = 0) -> slice:
    """The same, counted in the tile."""
    return _kept(span, scale, halving, start=span.start)
