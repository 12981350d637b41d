"""Degradations of the low-resolution image alone, which the network is to remove: Real-ESRGAN's, but weaker.

Source: arXiv 2107.10833, section 3.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degradation import Degradation
from vidsr.data.photos import Image
from vidsr.resize import Kernel, resize

Change = Callable[[Image], Image]
Covariance = NDArray[np.float64]
"""(2, 2), of a Gaussian, in pixels squared: vertical, horizontal."""

RESIZE_KERNELS: tuple[Kernel, ...] = ("area", "bilinear", "bicubic", "lanczos")
MIDDLE = 110  # levels above black of the middle gray that sigmas of noise refer to


@dataclass(frozen=True, slots=True)
class LrDegradations:
    """Degradations drawn for consecutive images."""

    before: list[Change]
    """For images before downscaling."""
    after: list[Change]
    """For the downscaled images, in order."""
    names: list[str]


def draw_lr_degradations(settings: Degradation, scale: int, rng: np.random.Generator) -> LrDegradations:
    """Draw blurred, resized, grainy and jpeg, and perhaps a weaker second round of the same, named `again`."""
    makers: dict[str, Callable[[float], Change]] = {
        "blurred": lambda strength: _blurring(settings, strength, 1, rng),
        "resized": lambda strength: _resizing(settings, strength, rng),
        "grainy": lambda strength: _graining(settings, strength, rng),
        "jpeg": lambda strength: _compressing(settings, strength, rng),
    }
    names = [name for name in makers if rng.random() < getattr(settings, name)]
    first = {name: makers[name](1) for name in names}
    before = [first.pop("blurred")] if "blurred" in first else []
    after = list(first.values())
    if names and rng.random() < settings.second:
        makers["blurred"] = lambda strength: _blurring(settings, strength, scale, rng)
        after += [makers[name](settings.second_strength) for name in names]
        names.append("again")
    return LrDegradations(before, after, names)


def apply(changes: Sequence[Change], run: Sequence[Image]) -> list[Image]:
    """Apply degradations in order, each to all images of (height, width) or (height, width, 3)."""
    images = list(run)
    for change in changes:
        images = [change(image) for image in images]
    return images


def _blurring(settings: Degradation, strength: float, scale: int, rng: np.random.Generator) -> Change:
    """Draw a Gaussian blur for images that are already downscaled by a factor of `scale`."""
    sigmas = rng.uniform(*settings.blurred_sigma, 2) * strength / scale
    if not rng.random() < settings.stretched:
        sigmas[1] = sigmas[0]
    angle = rng.uniform(0, np.pi)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return lambda image: _gaussian(image, rotation @ np.diag(sigmas**2) @ rotation.T)


def _gaussian(image: Image, covariance: Covariance) -> Image:
    """Blur an image with any Gaussian, by its Fourier transform; edges are repeated outside."""
    if image.ndim == 3:  # one channel at a time: contiguous planes are twice as fast
        return np.stack([_gaussian(image[..., i], covariance) for i in range(image.shape[2])], axis=2)
    margin = int(4 * np.sqrt(np.linalg.eigvalsh(covariance)[-1]) + 1)
    padded = np.pad(image, margin, mode="edge").astype(np.float32)
    height, width = padded.shape
    vertical = 2 * np.pi * np.fft.fftfreq(height)[:, None]  # (height, 1)
    horizontal = 2 * np.pi * np.fft.rfftfreq(width)[None]  # (1, width / 2 + 1)
    exponent = (
        covariance[0, 0] * vertical**2 + 2 * covariance[0, 1] * vertical * horizontal + covariance[1, 1] * horizontal**2
    )
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * np.exp(-0.5 * exponent).astype(np.float32), (height, width))
    return _rounded(blurred[margin : height - margin, margin : width - margin])


def _resizing(settings: Degradation, strength: float, rng: np.random.Generator) -> Change:
    least, most = settings.resized_factor
    factor = rng.uniform(1, most) if rng.random() < settings.resized_up else rng.uniform(least, 1)
    factor = 1 + (factor - 1) * strength
    there, back = (RESIZE_KERNELS[i] for i in rng.integers(len(RESIZE_KERNELS), size=2))

    def change(image: Image) -> Image:
        height, width = image.shape[:2]
        other = resize(image, max(round(height * factor), 1), max(round(width * factor), 1), kernel=there)
        return resize(other, height, width, kernel=back)

    return change


def _graining(settings: Degradation, strength: float, rng: np.random.Generator) -> Change:
    sigma = float(rng.uniform(*settings.grain)) * strength
    poisson, gray = rng.random() < settings.poisson, rng.random() < settings.grain_grey

    def change(image: Image) -> Image:
        shape = image.shape[:2] if gray else image.shape
        grain = rng.standard_normal(shape, np.float32) * np.float32(sigma)
        if poisson and sigma > 0:
            black = 16 if image.ndim == 2 else 0
            light = (image.mean(2) if gray and image.ndim == 3 else image - float(black)).clip(0, None)
            counts = MIDDLE / sigma**2  # photons a level, for which the noise at middle gray has this sigma
            grain = (rng.poisson(light * counts) / counts - light).astype(np.float32)
        return _rounded(image + (grain[..., None] if grain.ndim < image.ndim else grain))

    return change


def _compressing(settings: Degradation, strength: float, rng: np.random.Generator) -> Change:
    import PIL.Image

    quality = round(100 - (100 - float(rng.uniform(*settings.jpeg_quality))) * strength)

    def change(image: Image) -> Image:
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        return np.array(PIL.Image.open(file))

    return change


def _rounded(values: NDArray[np.floating]) -> Image:
    return np.asarray(np.rint(values).clip(0, 255).astype(np.uint8))
