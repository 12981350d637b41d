"""Statistics of the pairs of a store, measured on a sample, so that a large store takes no longer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.color_convert import BLACK, WHITE
from vidsr.data.store import Pairs, Store
from vidsr.metrics import luma_of_rgb
from vidsr.resize import resize

SAMPLED = 1500  # pairs of a split, spread evenly over it
BATCH = 128
BEST_PSNR = 60.0  # stands for infinity

Real = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PairStatistics:
    """One number for each sampled pair of a split."""

    brightness: Real
    """Mean luma of the ground truth, from 0 (black) to 100 (white)."""
    detail: Real
    """Mean absolute Laplacian of the ground truth, in levels of 255."""
    psnr: Real
    """dB of the low-resolution image upscaled by bicubic: the lower, the more there is to restore."""


def measure(store: Store, pairs: Pairs) -> PairStatistics:
    """Measure the middle frames of up to `SAMPLED` pairs.

    The arrays have one element for each pair that was measured, in order.
    """
    indexes = np.unique(np.linspace(0, len(pairs) - 1, min(SAMPLED, len(pairs))).astype(np.intp))
    middle = store.settings.frames // 2
    batches = [
        _measure(_luma(pairs.low[some, middle]), _luma(pairs.high[some, middle]))
        for some in np.array_split(indexes, range(BATCH, len(indexes), BATCH))
    ]
    return PairStatistics(*np.concatenate(batches, axis=1))


def _measure(low: Real, high: Real) -> Real:
    """Return the rows of PairStatistics, (3, n), of luma (h, w, n) and (h * scale, w * scale, n)."""
    upscaled = resize(low, *high.shape[:2])
    error = np.square(upscaled - high).mean(axis=(0, 1))
    psnr = np.minimum(10 * np.log10(255**2 / np.maximum(error, 1e-9)), BEST_PSNR)
    around = high[:-2, 1:-1] + high[2:, 1:-1] + high[1:-1, :-2] + high[1:-1, 2:]
    detail = np.abs(around - 4 * high[1:-1, 1:-1]).mean(axis=(0, 1))
    brightness = (high.mean(axis=(0, 1)) - BLACK) / (WHITE - BLACK) * 100
    return np.stack([brightness, detail, psnr])


def _luma(images: NDArray[np.uint8]) -> Real:
    """Convert (n, h, w, 1 or 3) uint8 to limited-range luma (h, w, n)."""
    luma: NDArray[Any] = luma_of_rgb(images) if images.shape[-1] == 3 else images[..., 0]
    return np.moveaxis(luma, 0, -1).astype(np.float32)
