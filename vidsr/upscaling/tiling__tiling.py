"""How large the pieces are that a picture is computed in."""

from vidsr.card import ModelCard
from vidsr.errors import ModelError
from vidsr.upscaling.tiling import equal_tile

LARGEST = 4_000_000  # input pixels that are computed at once where nothing is said
QUICKEST = 600_000
"""The same on a CPU, whose caches hold more of the layers' pictures then: 1920x1080 to 4K takes a fifth less time."""
WASTE = 16  # reaches that a band is high at least: an eighth of it is computed twice


def tile_size(
    height: int, width: int, tile: int | None, *, reach: int, card: ModelCard, on_cpu: bool, step: int = 2
) -> tuple[int, int]:
    """Height and width of the tiles of a picture of so many input pixels.

    tile: the side asked for; None: bands as wide as the picture. reach: of the network with its
    edges, a multiple of `step`, which places of tiles are multiples of.
    Raises ModelError where a tile of that side has nothing to keep.
    """
    least = 2 * (reach + step)
    if tile is None:
        # Bands: no seams across lines, and their planes need no copy.
        tall = LARGEST // width
        if on_cpu:
            tall = min(tall, max(QUICKEST // width, WASTE * reach))
        return equal_tile(height, max(tall, least), reach, step), width
    if tile < least:
        raise ModelError(
            f"{card.name} looks {card.reach} pixels far, so a tile of {tile} is too small; give {least} or more"
        )
    return equal_tile(height, tile, reach, step), equal_tile(width, tile, reach, step)
