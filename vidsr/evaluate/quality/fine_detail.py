"""Detail and coherence: how much fine texture a result has, and how much of it matches the original's.

Both are measured above the Nyquist frequency of the small image, where upscaling can only guess: in half-overlapped
windows under a Hann window, at radial frequencies from 0.5 / scale to 0.5 cycles a pixel, with sums over all windows.

- detail: energy of the result over that of the original. 1 is right; bicubic is near 0.
- coherence: real part of the cross-spectrum over the root of both energies. 1 is the original, 0 is unrelated texture.

Detail is also measured by content, in smaller windows divided by the original's mean gradient into the `STRATA` of
`vidsr.metrics`: noise that a network adds shows as a large detail of flat windows.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vidsr.evaluate.quality.views import View
from vidsr.metrics import STRATA

Floats = NDArray[np.float64]

WINDOW = 64  # pixels a side
STRATUM_WINDOW = 32  # pixels a side: smaller windows hold one kind of content more often


@dataclass(frozen=True, slots=True)
class BandEnergy:
    """Energies of windows above the small image's Nyquist frequency, in squared levels, one value for each window."""

    result: Floats
    original: Floats
    cross: Floats
    """Real part of the cross-spectrum."""
    gradient: Floats
    """Mean length of the original's forward differences, in levels a pixel."""

    @property
    def detail(self) -> float:
        """Energy of the result over the original's; NaN if the original has none."""
        return _ratio(self.result.sum(), self.original.sum())

    @property
    def coherence(self) -> float:
        """Cross-spectrum over the root of both energies; NaN if one of them is 0."""
        return _ratio(self.cross.sum(), float(np.sqrt(self.result.sum() * self.original.sum())))

    def stratum(self, name: str) -> "BandEnergy":
        """Return the windows whose gradient lies between the percentiles of a key of `STRATA`."""
        if not self.gradient.size:
            return self
        low, high = np.percentile(self.gradient, STRATA[name])
        chosen = (self.gradient >= low) & (self.gradient <= high)
        return BandEnergy(self.result[chosen], self.original[chosen], self.cross[chosen], self.gradient[chosen])


def band_energy(result: NDArray[Any], original: NDArray[Any], *, scale: int, window: int = WINDOW) -> BandEnergy:
    """Measure two images, window by window, above the Nyquist frequency of an image `scale` times smaller.

    result, original: (height, width) in levels. Images smaller than `window` have no windows. Raises ValueError if the
    shapes differ.
    """
    if result.shape != original.shape:
        raise ValueError(f"expected images of one shape; got {result.shape} and {original.shape}")
    if min(original.shape) < window:
        return BandEnergy(*(np.empty(0) for _ in range(4)))
    hann = np.hanning(window + 1)[:-1]  # periodic, so that overlapped windows weigh every pixel alike
    vertical, horizontal = np.fft.fftfreq(window)[:, None], np.fft.rfftfreq(window)[None]
    radius = np.hypot(vertical, horizontal)
    band = (radius > 0.5 / scale) & (radius <= 0.5)
    # Only half of a real image's spectrum is stored: the columns between the first and the last count twice.
    weight = band * np.where((horizontal == 0) | (horizontal == 0.5), 1.0, 2.0) / window**2
    of_result, of_original = (_windows(np.asarray(image, np.float64), window) for image in (result, original))
    right, below = np.diff(of_original, axis=2)[:, :-1], np.diff(of_original, axis=1)[:, :, :-1]
    first, second = (
        np.fft.rfft2((each - each.mean((1, 2), keepdims=True)) * np.outer(hann, hann))
        for each in (of_result, of_original)
    )
    return BandEnergy(
        result=(np.abs(first) ** 2 * weight).sum((1, 2)),
        original=(np.abs(second) ** 2 * weight).sum((1, 2)),
        cross=((first * second.conj()).real * weight).sum((1, 2)),
        gradient=np.hypot(right, below).mean((1, 2)),
    )


class DetailMeter:
    """Measures detail and coherence over all images of a set, or all frames of a video."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._found: dict[str, list[tuple[BandEnergy, BandEnergy]]] = defaultdict(list)

    def add(self, truth: View, results: Mapping[str, View]) -> None:
        """Measure one image or frame."""
        for method, view in results.items():
            self._found[method].append(
                (
                    band_energy(view.luma, truth.luma, scale=self._scale),
                    band_energy(view.luma, truth.luma, scale=self._scale, window=STRATUM_WINDOW),
                )
            )

    def result(self) -> dict[str, dict[str, list[float]]]:
        """Return one value for the whole set or video."""
        values: dict[str, dict[str, list[float]]] = defaultdict(dict)
        for method, found in self._found.items():
            whole, small = (_joined(list(parts)) for parts in zip(*found, strict=True))
            values["detail"][method], values["coherence"][method] = [whole.detail], [whole.coherence]
            for name in STRATA:
                values[f"detail_{name}"][method] = [small.stratum(name).detail]
        return values


def _joined(parts: list[BandEnergy]) -> BandEnergy:
    names = ("result", "original", "cross", "gradient")
    return BandEnergy(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _windows(image: Floats, window: int) -> Floats:
    """(height, width) -> (windows, window, window), half overlapped."""
    step = window // 2
    return sliding_window_view(image, (window, window))[::step, ::step].reshape(-1, window, window)


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else float("nan")
