"""Cutting a picture into tiles whose results, put together, equal the whole picture's."""

from dataclasses import dataclass
from itertools import pairwise

from vidsr.card import ModelCard
from vidsr.errors import ModelError

LARGEST = 4_000_000  # input pixels that are computed at once where nothing is said
QUICKEST = 600_000
"""The same on a CPU, whose caches hold more of the layers' pictures then: 1920x1080 to 4K takes a fifth less time."""
WASTE = 16  # reaches that a band is high at least: an eighth of it is computed twice


@dataclass(frozen=True, slots=True)
class Span:
    """One tile on one side of a picture, in input pixels."""

    start: int
    """Where the tile begins."""
    keep_from: int
    keep_to: int
    """The pixels it answers for, counted from the picture's edge; `keep_to` is the first that it does not."""


def tile_spans(length: int, tile: int, receptive_field: int, step: int = 2) -> list[Span]:
    """Cut one side of a picture into equal tiles and say which pixels each tile answers for.

    length, tile, reach: input pixels; tile > 2 * reach. The last tile moves back instead of being padded, so that all
    tiles share one shape; a side no longer than a tile is one span. Together the spans' [keep_from, keep_to) cover
    [0, length) once, and no cut falls closer than `reach` to the edge of its tile: tiled and untiled output are equal.
    Starts and cuts are multiples of `step` where reach and length - tile are: halved chroma wants them even.
    """
    if length <= tile:
        return [Span(0, 0, length)]
    assert tile > 2 * receptive_field, f"a tile of {tile} has nothing to keep at reach {receptive_field}"
    stride = tile - 2 * receptive_field
    stride -= stride % step if stride >= step else 0
    starts = [*range(0, length - tile, stride), length - tile]
    # A tile takes over as early as it may: there is no better place for a cut.
    cuts = [0, *(start + receptive_field for start in starts[1:]), length]
    return [Span(start, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]


def equal_tile(length: int, most: int, receptive_field: int, step: int = 2) -> int:
    """The smallest tile that cuts a side into no more spans than tiles of `most` pixels do.

    length - tile is a multiple of `step`, as reach is; most >= 2 * (reach + step).
    """
    if length <= most:
        return length
    most -= (most - length) % step
    count = len(tile_spans(length, most, receptive_field, step))
    tile = -(-(length + 2 * receptive_field * (count - 1)) // count)
    tile += (length - tile) % step
    while tile < most and len(tile_spans(length, tile, receptive_field, step)) > count:
        tile += step  # the stride is rounded down to it
    return tile


def tile_size(
    height: int, width: int, tile: int | None, *, receptive_field: int, card: ModelCard, on_cpu: bool, step: int = 2
) -> tuple[int, int]:
    """Height and width of the tiles of a picture of so many input pixels.

    tile: the side asked for; None: bands as wide as the picture. reach: of the network with its
    edges, a multiple of `step`, which places of tiles are multiples of.
    Raises ModelError where a tile of that side has nothing to keep.
    """
    least = 2 * (receptive_field + step)
    if tile is None:
        # Bands: no seams across lines, and their planes need no copy.
        tall = LARGEST // width
        if on_cpu:
            tall = min(tall, max(QUICKEST // width, WASTE * receptive_field))
        return equal_tile(height, max(tall, least), receptive_field, step), width
    if tile < least:
        raise ModelError(f"{card.name} needs tiles of at least {least} pixels (its receptive field); got {tile}")
    return equal_tile(height, tile, receptive_field, step), equal_tile(width, tile, receptive_field, step)
