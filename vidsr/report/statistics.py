"""What the pairs of a store are like, in figures: measured on a sample, so that a large store takes no longer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.store import Pairs, Store
from vidsr.metrics import luma_of_rgb
from vidsr.resize import resize

SAMPLED = 1500  # pairs of a split, spread evenly over it
BLACK, WHITE = 16, 235  # BT.601 luma of limited range
BATCH = 128
BEST_PSNR = 60.0  # of pairs that differ by nothing at all

Real = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Measures:
    """One figure for each sampled pair of a split."""

    brightness: Real
    """Mean luma of the truth, 0 (black) to 100 (white)."""
    detail: Real
    """Mean absolute Laplacian of the truth, in levels of 255."""
    psnr: Real
    """dB between the truth and the small picture enlarged by bicubic: the lower, the more there is to regain."""


def measure(store: Store, pairs: Pairs) -> Measures:
    """Measure the middle frames of up to `SAMPLED` pairs."""
    places = np.unique(np.linspace(0, len(pairs) - 1, min(SAMPLED, len(pairs))).astype(np.intp))
    middle = store.settings.frames // 2
    batches = [
        _measure(_luma(pairs.low[some, middle]), _luma(pairs.high[some, middle]))
        for some in np.array_split(places, range(BATCH, len(places), BATCH))
    ]
    return Measures(*np.concatenate(batches, axis=1))


def _measure(low: Real, high: Real) -> Real:
    """(h, w, n) and (h * scale, w * scale, n) luma -> (3, n), as Measures."""
    enlarged = resize(low, *high.shape[:2])
    error = np.square(enlarged - high).mean(axis=(0, 1))
    psnr = np.minimum(10 * np.log10(255**2 / np.maximum(error, 1e-9)), BEST_PSNR)
    around = high[:-2, 1:-1] + high[2:, 1:-1] + high[1:-1, :-2] + high[1:-1, 2:]
    detail = np.abs(around - 4 * high[1:-1, 1:-1]).mean(axis=(0, 1))
    brightness = (high.mean(axis=(0, 1)) - BLACK) / (WHITE - BLACK) * 100
    return np.stack([brightness, detail, psnr])  # (3, n)


def _luma(pictures: NDArray[np.uint8]) -> Real:
    """(n, h, w, 1 or 3) uint8 -> (h, w, n), limited range."""
    luma: NDArray[Any] = luma_of_rgb(pictures) if pictures.shape[-1] == 3 else pictures[..., 0]
    return np.moveaxis(luma, 0, -1).astype(np.float32)  # (h, w, n)
