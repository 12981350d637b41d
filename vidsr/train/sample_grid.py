"""Sample grids: crops of a few validation images beside the network's output, drawn during training."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.color_convert import displayable
from vidsr.io.atomic import write_atomically
from vidsr.metrics import luma_of_rgb, psnr

CROP = 120  # maximum side of a crop of the ground truth, in pixels
TILE = 240  # side of a tile of the grid, in pixels
GAP, LINE = 8, 20  # pixels between tiles; height of a line of text
PAPER, INK = (250, 250, 250), (25, 25, 25)

Image = NDArray[np.uint8]
"""(h, w) or (h, w, 1) luma of limited range, or (h, w, 3) RGB."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An image in low resolution, upscaled by bicubic interpolation and by the network, and its ground truth."""

    low: Image
    bicubic: Image
    output: Image
    truth: Image


def draw_samples(samples: Sequence[Sample], path: Path) -> None:
    """Write a PNG with a row for each sample: low resolution (nearest neighbour), bicubic, output, truth.

    Each row shows the most detailed square of the truth and its PSNR-Y; luma is stretched to full range. Equal samples
    give equal bytes. Raises DiskFull.
    """
    from PIL import Image as PilImage
    from PIL import ImageDraw, ImageFont

    assert samples, "a grid needs at least one row"
    side = _common_side(samples)
    tile = side * max(1, TILE // side)
    grid = PilImage.new("RGB", (4 * (tile + GAP) + GAP, len(samples) * (tile + LINE + GAP) + GAP), PAPER)
    pen, font = ImageDraw.Draw(grid), ImageFont.load_default(14)
    for row, sample in enumerate(samples):
        top = GAP + row * (tile + LINE + GAP)
        for column, (caption, crop) in enumerate(_crops(sample, side)):
            left, zoom = GAP + column * (tile + GAP), tile // len(crop)
            shown = displayable(crop).repeat(zoom, axis=0).repeat(zoom, axis=1)
            grid.paste(PilImage.fromarray(shown), (left, top))
            pen.text((left, top + tile + 2), caption, fill=INK, font=font)
    file = BytesIO()
    grid.save(file, "png", optimize=True)
    write_atomically(path, file.getvalue())


def _common_side(samples: Sequence[Sample]) -> int:
    """Return the side of a crop that fits into every truth, a multiple of the scale."""
    scale = _scale(samples[0])
    assert all(_scale(sample) == scale for sample in samples), "samples must have one scale"
    side = min(CROP, *(min(sample.truth.shape[:2]) for sample in samples))
    return int(side // scale * scale)


def _scale(sample: Sample) -> int:
    scale, rest = divmod(len(sample.truth), len(sample.low))
    assert not rest and sample.truth.shape == sample.output.shape == sample.bicubic.shape, "sizes do not match"
    return scale


def _crops(sample: Sample, side: int) -> list[tuple[str, Image]]:
    """Return the crops of a row with their captions."""
    scale = _scale(sample)
    top, left = _busiest(_luma(sample.truth), side, scale)
    square = slice(top, top + side), slice(left, left + side)
    low_square = slice(top // scale, (top + side) // scale), slice(left // scale, (left + side) // scale)
    truth = sample.truth[square]
    crops = [("low", sample.low[low_square])]
    for name, image in (("bicubic", sample.bicubic), ("ours", sample.output)):
        crops.append((f"{name} {psnr(_luma(image[square]), _luma(truth)):.2f} dB", image[square]))
    return [*crops, ("truth", truth)]


def _busiest(luma: NDArray[Any], side: int, step: int) -> tuple[int, int]:
    """Return row and column, multiples of `step`, of the first square with the largest sum of gradients."""
    down = np.abs(np.diff(luma, axis=0, append=luma[-1:]))
    across = np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    sums = np.pad((down + across).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    squares = squares[::step, ::step]
    top, left = np.unravel_index(int(squares.argmax()), squares.shape)
    return int(top) * step, int(left) * step


def _luma(image: Image) -> NDArray[np.float64]:
    rgb = image.ndim == 3 and image.shape[2] == 3
    return luma_of_rgb(image) if rgb else image.reshape(image.shape[:2]).astype(np.float64)
