"""What happens to the small picture alone, and a network is to mend: Real-ESRGAN's faults, milder.

Source: arXiv 2107.10833, section 3.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degradation import Degradation
from vidsr.data.photos import Picture
from vidsr.resize import Kernel, resize

Fault = Callable[[Picture], Picture]
Covariance = NDArray[np.float64]
"""(2, 2), of a Gaussian, in pixels squared: down, across."""

ON_THE_WAY: tuple[Kernel, ...] = ("area", "bilinear", "bicubic", "lanczos")
MIDDLE = 110  # levels above black of middle grey, where a sigma of grain is meant


@dataclass(frozen=True, slots=True)
class Faults:
    """One draw for a whole run."""

    before: list[Fault]
    """For the pictures that are about to be shrunk."""
    after: list[Fault]
    """For the small ones, in order."""
    names: list[str]


def draw_faults(settings: Degradation, scale: int, rng: np.random.Generator) -> Faults:
    """Draw what goes wrong: blurred, resized, grainy, jpeg, and a lighter second round of the same ("again")."""
    makers: dict[str, Callable[[float], Fault]] = {
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
    return Faults(before, after, names)


def apply(faults: Sequence[Fault], run: Sequence[Picture]) -> list[Picture]:
    """Put every picture of a run, (height, width) or (height, width, 3), through the faults in turn."""
    spoilt = list(run)
    for fault in faults:
        spoilt = [fault(picture) for picture in spoilt]
    return spoilt


def _blurring(settings: Degradation, strength: float, scale: int, rng: np.random.Generator) -> Fault:
    """A Gaussian blur; scale: by how much the pictures are smaller already."""
    sigmas = rng.uniform(*settings.blurred_sigma, 2) * strength / scale
    if not rng.random() < settings.stretched:
        sigmas[1] = sigmas[0]
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return lambda picture: gaussian(picture, turn @ np.diag(sigmas**2) @ turn.T)


def gaussian(picture: Picture, covariance: Covariance) -> Picture:
    """Blur a picture by a Gaussian of any direction; lines at the edges go on outside. Done among its frequencies."""
    if picture.ndim == 3:  # a colour at a time: planes are read in order, twice as fast
        return np.stack([gaussian(picture[..., i], covariance) for i in range(picture.shape[2])], axis=2)
    margin = int(4 * np.sqrt(np.linalg.eigvalsh(covariance)[-1]) + 1)
    padded = np.pad(picture, margin, mode="edge").astype(np.float32)
    height, width = padded.shape
    down = 2 * np.pi * np.fft.fftfreq(height)[:, None]  # (height, 1)
    across = 2 * np.pi * np.fft.rfftfreq(width)[None]  # (1, width / 2 + 1)
    exponent = covariance[0, 0] * down**2 + 2 * covariance[0, 1] * down * across + covariance[1, 1] * across**2
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * np.exp(-0.5 * exponent).astype(np.float32), (height, width))
    return _levels(blurred[margin : height - margin, margin : width - margin])


def _resizing(settings: Degradation, strength: float, rng: np.random.Generator) -> Fault:
    least, most = settings.resized_factor
    factor = rng.uniform(1, most) if rng.random() < settings.resized_up else rng.uniform(least, 1)
    factor = 1 + (factor - 1) * strength
    there, back = (ON_THE_WAY[i] for i in rng.integers(len(ON_THE_WAY), size=2))

    def fault(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        other = resize(picture, max(round(height * factor), 1), max(round(width * factor), 1), kernel=there)
        return resize(other, height, width, kernel=back)

    return fault


def _graining(settings: Degradation, strength: float, rng: np.random.Generator) -> Fault:
    sigma = float(rng.uniform(*settings.grain)) * strength
    counted, grey = rng.random() < settings.poisson, rng.random() < settings.grain_grey

    def fault(picture: Picture) -> Picture:
        shape = picture.shape[:2] if grey else picture.shape
        grain = rng.standard_normal(shape, np.float32) * np.float32(sigma)
        if counted and sigma > 0:
            black = 16 if picture.ndim == 2 else 0
            light = (picture.mean(2) if grey and picture.ndim == 3 else picture - float(black)).clip(0, None)
            counts = MIDDLE / sigma**2  # a level: so that sigma is what it is at middle grey
            grain = (rng.poisson(light * counts) / counts - light).astype(np.float32)
        return _levels(picture + (grain[..., None] if grain.ndim < picture.ndim else grain))

    return fault


def _compressing(settings: Degradation, strength: float, rng: np.random.Generator) -> Fault:
    from PIL import Image

    quality = round(100 - (100 - float(rng.uniform(*settings.jpeg_quality))) * strength)

    def fault(picture: Picture) -> Picture:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        return np.array(Image.open(file))

    return fault


def _levels(values: NDArray[np.floating]) -> Picture:
    return np.asarray(np.rint(values).clip(0, 255).astype(np.uint8))
