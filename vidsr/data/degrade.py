"""From a good picture to the small one that travels: film's own faults, shrinking, and a real codec."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import SMPTE170M, ColorSpec, Frame
from vidsr.resize import resize
from vidsr.video.picture import Resizer
from vidsr.video.quantiser import from_av1_crf
from vidsr.video.recode import recode

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """How pictures are spoilt: shares are probabilities, pairs the ends of a uniform range."""

    coded: float = 0.5
    """Share sent through a codec."""
    crf: tuple[float, float] = (14, 40)
    """Quality of x264, and the QP of x265; SVT-AV1's scale is stretched to match."""
    x265: float = 0.15
    """Share of the coded ones that x265 codes."""
    av1: float = 0.1
    """Share of the coded ones that SVT-AV1 codes."""
    soft: float = 0.3
    """Share blurred before shrinking, truth and all: film is often soft, and must stay so."""
    blur: tuple[float, float] = (0.3, 1.5)
    """Sigma, in pixels of the truth."""
    noisy: float = 0.2
    """Share given sensor noise, truth and all."""
    noise: tuple[float, float] = (1, 6)
    """Sigma in levels at middle grey; it grows with the square root of the light."""
    dark: float = 0.15
    """Share darkened, truth and all."""


KERNELS = {"bicubic": 0.5, "lanczos": 0.2, "area": 0.1, "swscale bicubic": 0.1, "swscale lanczos": 0.1}
COLOR = ColorSpec(SMPTE170M, full_range=False)


def film_look(run: Sequence[Luma], settings: Degradation, rng: np.random.Generator) -> list[Luma]:
    """Make sharp photos soft, noisy and dark as film is: (height, width) uint8 luma in, the same out."""
    blur = rng.uniform(*settings.blur) if rng.random() < settings.soft else 0.0
    noise = rng.uniform(*settings.noise) if rng.random() < settings.noisy else 0.0
    light = rng.uniform(0.15, 0.8) if rng.random() < settings.dark else 1.0
    if blur == noise == 0 and light == 1:
        return list(run)
    looks = []
    for frame in run:
        luma = (frame.astype(np.float32) - 16) * np.float32(light)
        if blur:
            luma = _blur(luma, blur)
        if noise:
            luma += rng.standard_normal(luma.shape, np.float32) * noise * np.sqrt(luma.clip(8, None) / 110)
        looks.append(np.rint(luma + 16).clip(0, 255).astype(np.uint8))
    return looks


def shrink(run: Sequence[Luma], scale: int, rng: np.random.Generator) -> list[Luma]:
    """Make a run `scale` times smaller by a kernel drawn from KERNELS; sides must divide by `scale`."""
    name = rng.choice(list(KERNELS), p=list(KERNELS.values()))
    height, width = run[0].shape[0] // scale, run[0].shape[1] // scale
    if name.startswith("swscale"):
        resizer = Resizer("bicubic" if name.endswith("bicubic") else "lanczos", threads=1)
        return [np.array(resizer.resize(Frame((frame,), COLOR), width, height).planes[0]) for frame in run]
    return [resize(frame, height, width, kernel=name) for frame in run]


def send(run: Sequence[Luma], settings: Degradation, rng: np.random.Generator) -> tuple[list[Luma], list[float]]:
    """Send a run through a codec drawn from the settings: what arrives, and the quantiser of each frame.

    run: (height, width) uint8, sides even.
    """
    grey = np.full((run[0].shape[0] // 2, run[0].shape[1] // 2), 128, np.uint8)
    frames = [Frame((frame, grey, grey), COLOR) for frame in run]
    quality = float(rng.uniform(*settings.crf))
    which = rng.random()
    if which < settings.x265:
        # One QP for every kind of frame, since x265's pictures do not tell theirs.
        params = f"log-level=none:qp={quality:.0f}:ipratio=1:pbratio=1:pools=none:frame-threads=1"
        sent, _ = recode(frames, codec="libx265", crf=None, options={"preset": "veryfast", "x265-params": params})
        told = float(round(quality))
    elif which < settings.x265 + settings.av1:
        sent, _ = recode(frames, codec="libsvtav1", crf=round(1.5 * quality), options={"preset": "9"})
        told = from_av1_crf(round(1.5 * quality))
    else:
        preset = str(rng.choice(["veryfast", "medium", "slow"]))
        sent, _ = recode(frames, crf=quality, options={"preset": preset, "threads": "1"})
        told = quality
    return [frame.planes[0].astype(np.uint8, copy=False) for frame in sent], [
        told if f.quantiser is None else f.quantiser for f in sent
    ]


def _blur(luma: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    radius = int(3 * sigma + 1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(luma, [(radius, radius) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis)
        luma = views @ weights
    return luma
