"""Cut frames into tiles whose results, put together, equal the result of the whole frame."""

from dataclasses import dataclass
from itertools import pairwise

from vidsr.card import ModelCard
from vidsr.errors import ModelError

MOST_PIXELS = 4_000_000  # input pixels computed at once by default
MOST_PIXELS_CPU = 600_000
"""The same on a CPU, whose caches then hold more of the layers' output: 1920x1080 to 4K takes a fifth less time."""
BAND_RADII = 16  # receptive field radii that a band is high at least: an eighth of it is computed twice


@dataclass(frozen=True, slots=True)
class Span:
    """One tile on one side of a frame, in input pixels."""

    start: int
    """Where the tile begins."""
    keep_from: int
    keep_to: int
    """The pixels the tile supplies are [keep_from, keep_to), counted from the edge of the frame."""


def tile_spans(length: int, tile: int, overlap: int, step: int = 2) -> list[Span]:
    """Cut one side of a frame into equal tiles and say which pixels each tile supplies.

    length, tile, overlap: input pixels; tile > 2 * overlap, the receptive field. The last tile moves back instead of
    being padded, so that all tiles share one shape; a side no longer than a tile is one span. Together the spans'
    [keep_from, keep_to) cover [0, length) once, and no cut falls closer than `overlap` to the edge of its tile: tiled
    and untiled output are equal.
    Starts and cuts are multiples of `step` if overlap and length - tile are: subsampled chroma needs even ones.
    """
    if length <= tile:
        return [Span(0, 0, length)]
    assert tile > 2 * overlap, f"a tile of {tile} supplies nothing with an overlap of {overlap}"
    stride = tile - 2 * overlap
    stride -= stride % step if stride >= step else 0
    starts = [*range(0, length - tile, stride), length - tile]
    # A tile takes over as early as it may: no other place for a cut is better.
    cuts = [0, *(start + overlap for start in starts[1:]), length]
    return [Span(start, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]


def equal_tile(length: int, most: int, overlap: int, step: int = 2) -> int:
    """Return the smallest tile that cuts a side into no more spans than tiles of `most` pixels do.

    length - tile is a multiple of `step`, as overlap is; most >= 2 * (overlap + step).
    """
    if length <= most:
        return length
    most -= (most - length) % step
    count = len(tile_spans(length, most, overlap, step))
    tile = -(-(length + 2 * overlap * (count - 1)) // count)
    tile += (length - tile) % step
    while tile < most and len(tile_spans(length, tile, overlap, step)) > count:
        tile += step  # the stride is rounded down to it
    return tile


def tile_size(
    height: int, width: int, tile: int | None, *, receptive_field: int, card: ModelCard, on_cpu: bool, step: int = 2
) -> tuple[int, int]:
    """Return (height, width) of the tiles of a frame, in input pixels.

    tile: the side asked for; None: bands of the whole width. receptive_field: of the network with its edges, a multiple
    of `step`. Raises ModelError for a tile too small to supply anything.
    """
    least = 2 * (receptive_field + step)
    if tile is None:
        # Bands overlap on two sides only, and cutting their planes copies nothing.
        most = MOST_PIXELS // width
        if on_cpu:
            most = min(most, max(MOST_PIXELS_CPU // width, BAND_RADII * receptive_field))
        return equal_tile(height, max(most, least), receptive_field, step), width
    if tile < least:
        raise ModelError(f"{card.name} needs tiles of at least {least} pixels (its receptive field); got {tile}")
    return equal_tile(height, tile, receptive_field, step), equal_tile(width, tile, receptive_field, step)
