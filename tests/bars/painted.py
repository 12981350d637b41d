"""Two faults of networks trained with a GAN: a colour shift, and a grid pattern. On images downscaled by bicubic.

Bars: mean difference of every channel below 1/255, one level, on every image; a grid of at most 3 dB.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np
from common import parser, table
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

import vidsr
from vidsr.resize import resize

SCALE = 4
BLOCK = 32  # pixels on a side of the Fourier transform


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("models", nargs="+", help="names or files, of scale 4")
    given = options.parse_args()
    if given.data is None:
        sys.exit("give --data (or VIDSR_DATA)")
    truths = [truth_of(path) for path in sorted((Path(given.data) / "val/Set14").glob("*.png"))]
    rows = [["truth", "", "", f"{grid(truths):+.1f}"]]
    for model in ["bicubic", *given.models]:
        ours = [upscaled(truth, model) for truth in truths]
        shifts = [np.abs((one.astype(float) - truth).mean((0, 1))) for one, truth in zip(ours, truths, strict=True)]
        rows.append([model, f"{np.mean(shifts):.3f}", f"{np.max(shifts):.3f}", f"{grid(ours):+.1f}"])
    table(["Set14 x4", "colour shift, levels", "worst", "grid, dB"], rows)


def truth_of(path: Path) -> NDArray[np.uint8]:
    """Return an RGB image whose sides are multiples of the scale."""
    rgb = np.asarray(Image.open(path).convert("RGB"))
    return rgb[: rgb.shape[0] // SCALE * SCALE, : rgb.shape[1] // SCALE * SCALE]


def upscaled(truth: NDArray[np.uint8], model: str) -> NDArray[np.uint8]:
    """Return an image downscaled by bicubic and upscaled by a model; `bicubic` is the protocol's."""
    height, width = truth.shape[:2]
    small = resize(truth, height // SCALE, width // SCALE)
    return resize(small, height, width) if model == "bicubic" else vidsr.upscale_image(small, model=model)


def grid(images: list[NDArray[np.uint8]]) -> float:
    """Return how far the upsampling grid stands out of the spectrum, in dB, at the frequency where it is strongest.

    ×4 networks upscale by 2 twice, so their grids have periods of 4 and 2 pixels. The power at these frequencies, the
    geometric mean over Hann-windowed blocks of luma, is compared with that of adjacent frequencies. Up to 1 dB is
    noise.
    """
    power, places = _spectrum(images), (0, BLOCK // 4, BLOCK // 2)
    beside = [step for step in range(-4, 5) if abs(step) > 1]
    peaks = []
    for row, column in product(places, places):
        around = [power[row, (column + step) % BLOCK] for step in beside if column]
        around += [power[(row + step) % BLOCK, column] for step in beside if row]
        if around:
            peaks.append(power[row, column] - np.mean(around))
    return float(max(peaks))


def _spectrum(images: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Mean power in dB of half-overlapping blocks: (BLOCK, BLOCK), frequencies as `fft2` gives them."""
    hann = np.hanning(BLOCK + 1)[:-1]
    spectra = []
    for image in images:
        luma = image.astype(float) @ [0.299, 0.587, 0.114]
        blocks = sliding_window_view(luma, (BLOCK, BLOCK))[:: BLOCK // 2, :: BLOCK // 2].reshape(-1, BLOCK, BLOCK)
        flat = (blocks - blocks.mean((1, 2), keepdims=True)) * np.outer(hann, hann)
        spectra.append(10 * np.log10(np.abs(np.fft.fft2(flat)) ** 2 + 0.1))
    return np.concatenate(spectra).mean(0)


if __name__ == "__main__":
    main()
