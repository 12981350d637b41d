"""Sample grids: what the network makes of a few pictures, to look at while it trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.io.atomic import write_atomically
from vidsr.metrics import luma_of_rgb, psnr

SIDE = 120  # pixels of the truth at most
TILE = 240  # pixels of the grid: four go into a line of a page
GAP, LINE = 8, 20  # pixels between tiles; height of a line of text
PAPER, INK = (250, 250, 250), (25, 25, 25)
BLACK, WHITE = 16, 235  # BT.601 luma of limited range

Picture = NDArray[np.uint8]
"""(h, w) or (h, w, 1) luma of limited range, or (h, w, 3) RGB."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture as the network is given it, enlarged in two ways, and as it should be."""

    low: Picture
    """Smaller than the others by the scale."""
    bicubic: Picture
    ours: Picture
    truth: Picture


def draw_samples(pictures: Sequence[Sample], path: Path) -> None:
    """Draw one PNG with a row a sample: low enlarged by repeating pixels, bicubic, ours, truth; written whole.

    Of each picture the square of the truth with most detail is shown, all equally large, with the PSNR-Y of that
    square. Luma is shown from black to white. The same pictures give the same bytes. Raises DiskFull.
    """
    from PIL import Image, ImageDraw

    assert pictures, "a grid has at least one row"
    side = _common_side(pictures)
    zoom = max(1, TILE // side)
    tile = side * zoom
    grid = Image.new("RGB", (4 * (tile + GAP) + GAP, len(pictures) * (tile + LINE + GAP) + GAP), PAPER)
    pen = ImageDraw.Draw(grid)
    for row, sample in enumerate(pictures):
        top = GAP + row * (tile + LINE + GAP)
        for column, (caption, crop) in enumerate(_crops(sample, side)):
            left = GAP + column * (tile + GAP)
            grid.paste(Image.fromarray(_repeated(_visible(crop), tile // len(crop))), (left, top))
            _write(pen, (left, top + tile + 2), caption)
    file = BytesIO()
    grid.save(file, "png", optimize=True)
    write_atomically(path, file.getvalue())


def _common_side(pictures: Sequence[Sample]) -> int:
    """The side of a square that fits into every truth, and holds whole pixels of every low picture."""
    scale = _scale(pictures[0])
    assert all(_scale(sample) == scale for sample in pictures), "one network, one scale"
    side = min(SIDE, *(min(sample.truth.shape[:2]) for sample in pictures))
    return int(side // scale * scale)


def _scale(sample: Sample) -> int:
    scale, rest = divmod(len(sample.truth), len(sample.low))
    assert not rest and sample.truth.shape == sample.ours.shape == sample.bicubic.shape, "one picture, one size"
    return scale


def _crops(sample: Sample, side: int) -> list[tuple[str, Picture]]:
    scale = _scale(sample)
    top, left = _busiest(_luma(sample.truth), side, scale)
    square = slice(top, top + side), slice(left, left + side)
    small = slice(top // scale, (top + side) // scale), slice(left // scale, (left + side) // scale)
    truth = sample.truth[square]
    crops = [("low", sample.low[small])]
    for name, picture in (("bicubic", sample.bicubic), ("ours", sample.ours)):
        crops.append((f"{name} {psnr(_luma(picture[square]), _luma(truth)):.2f} dB", picture[square]))
    return [*crops, ("truth", truth)]


def _busiest(luma: NDArray[Any], side: int, step: int) -> tuple[int, int]:
    """First line and column of the square with the steepest gradients, in multiples of `step`; of equals the first."""
    down = np.abs(np.diff(luma, axis=0, append=luma[-1:]))
    across = np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    sums = np.pad((down + across).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    squares = squares[::step, ::step]
    top, left = np.unravel_index(int(squares.argmax()), squares.shape)
    return int(top) * step, int(left) * step


def _luma(picture: Picture) -> NDArray[np.float64]:
    return luma_of_rgb(picture) if _is_rgb(picture) else picture.reshape(picture.shape[:2]).astype(np.float64)


def _visible(picture: Picture) -> Picture:
    """(h, w, 3): RGB as it is, limited luma as grey from black to white."""
    if _is_rgb(picture):
        return picture
    grey = (_luma(picture) - BLACK) * (255 / (WHITE - BLACK))
    levels: Picture = np.rint(grey).clip(0, 255).astype(np.uint8)
    return levels[..., None].repeat(3, axis=2)


def _is_rgb(picture: Picture) -> bool:
    return picture.ndim == 3 and picture.shape[2] == 3


def _repeated(picture: Picture, times: int) -> Picture:
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _write(pen: Any, place: tuple[int, int], text: str) -> None:
    from PIL import ImageFont

    pen.text(place, text, fill=INK, font=ImageFont.load_default(14))
