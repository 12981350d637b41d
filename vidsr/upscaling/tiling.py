"""Cutting a picture into tiles whose results, put together, equal the whole picture's."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Span:
    """One tile on one side of a picture, in input pixels."""

    start: int
    """Where the tile begins."""
    keep_from: int
    keep_to: int
    """The pixels it answers for, counted from the picture's edge; `keep_to` is the first that it does not."""


def seams(length: int, tile: int, reach: int, step: int = 2) -> list[Span]:
    """Cut one side of a picture into equal tiles and say which pixels each tile answers for.

    length, tile, reach: input pixels; tile > 2 * reach. The last tile moves back instead of being padded, so that all
    tiles share one shape; a side no longer than a tile is one span. Together the spans' [keep_from, keep_to) cover
    [0, length) once, and no cut falls closer than `reach` to the edge of its tile: tiled and untiled output are equal.
    Starts and cuts are multiples of `step` where reach and length - tile are: halved chroma wants them even.
    """
    if length <= tile:
        return [Span(0, 0, length)]
    assert tile > 2 * reach, f"a tile of {tile} has nothing to keep at reach {reach}"
    stride = tile - 2 * reach
    stride -= stride % step if stride >= step else 0
    starts = [*range(0, length - tile, stride), length - tile]
    # A tile takes over as early as it may: there is no better place for a cut.
    cuts = [0, *(start + reach for start in starts[1:]), length]
    return [Span(start, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]


def equal_tile(length: int, most: int, reach: int, step: int = 2) -> int:
    """The smallest tile that cuts a side into no more spans than tiles of `most` pixels do.

    length - tile is a multiple of `step`, as reach is; most >= 2 * (reach + step).
    """
    if length <= most:
        return length
    most -= (most - length) % step
    count = len(seams(length, most, reach, step))
    tile = -(-(length + 2 * reach * (count - 1)) // count)
    tile += (length - tile) % step
    while tile < most and len(seams(length, tile, reach, step)) > count:
        tile += step  # the stride is rounded down to it
    return tile
