"""From a good picture to the small one that travels: film's own faults, shrinking, and a real codec."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidsr.frames import SMPTE170M, ColorSpec, Frame
from vidsr.resize import Kernel, resize
from vidsr.video.picture import Resizer
from vidsr.video.quantiser import from_av1_crf, from_x265_qp
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
    soft: float = 0.4
    """Share softened before shrinking, truth and all: film is often soft, and must stay so."""
    blur: tuple[float, float] = (0.3, 1.5)
    """Half of the soft: the sigma of a blur, in pixels of the truth."""
    enlarged: tuple[float, float] = (1.2, 2.4)
    """The other half: how much larger than its camera saw it the truth is, as from webcams and old films."""
    sharpened: float = 0.5
    """Share of the soft that the camera sharpened again."""
    noisy: float = 0.2
    """Share given sensor noise, truth and all."""
    noise: tuple[float, float] = (1, 6)
    """Sigma in levels at middle grey; it grows with the square root of the light."""
    dark: float = 0.15
    """Share darkened, truth and all."""
    worn: float = 0.25
    """Share whose truth was compressed before, as most films one finds were."""
    wear: tuple[float, float] = (12, 26)
    """The CRF of that."""


KERNELS = {"bicubic": 0.5, "lanczos": 0.2, "area": 0.1, "swscale bicubic": 0.1, "swscale lanczos": 0.1}
COLOR = ColorSpec(SMPTE170M, full_range=False)


def film_look(run: Sequence[Luma], settings: Degradation, rng: np.random.Generator) -> list[Luma]:
    """Make sharp photos soft, noisy, dark and worn as film is: (height, width) uint8 luma in, the same out.

    One draw serves the whole run; sides must be even.
    """
    looks: list[Callable[[NDArray[np.float32]], NDArray[np.float32]]] = []
    if rng.random() < settings.soft:
        looks.append(_blurring(settings, rng) if rng.random() < 0.5 else _enlarging(settings, rng))
        looks += [_sharpening(rng)] if rng.random() < settings.sharpened else []
    if rng.random() < settings.dark:
        light = np.float32(rng.uniform(0.15, 0.8))
        looks.append(lambda luma: luma * light)
    if rng.random() < settings.noisy:
        noise = np.float32(rng.uniform(*settings.noise))
        looks.append(
            lambda luma: luma + rng.standard_normal(luma.shape, np.float32) * noise * np.sqrt(luma.clip(8, None) / 110)
        )
    frames = [_through(looks, frame) for frame in run] if looks else list(run)
    return _send(frames, "libx264", float(rng.uniform(*settings.wear)))[0] if rng.random() < settings.worn else frames


def _through(looks: Sequence[Callable[[NDArray[np.float32]], NDArray[np.float32]]], frame: Luma) -> Luma:
    luma = frame.astype(np.float32) - 16
    for look in looks:
        luma = look(luma)
    return np.asarray(np.rint(luma + 16).clip(0, 255).astype(np.uint8))


def _blurring(settings: Degradation, rng: np.random.Generator) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    sigma = float(rng.uniform(*settings.blur))
    return lambda luma: _blur(luma, sigma)


def _enlarging(settings: Degradation, rng: np.random.Generator) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    factor = float(rng.uniform(*settings.enlarged))
    kernel: Kernel = "lanczos" if rng.random() < 0.5 else "bicubic"

    def look(luma: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = resize(luma, round(luma.shape[0] / factor), round(luma.shape[1] / factor))
        return resize(seen, *luma.shape, kernel=kernel)

    return look


def _sharpening(rng: np.random.Generator) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    amount, sigma = np.float32(rng.uniform(0.3, 1.5)), float(rng.uniform(0.7, 2))
    return lambda luma: luma + amount * (luma - _blur(luma, sigma))


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
    quality = float(rng.uniform(*settings.crf))
    which = rng.random()
    if which < settings.x265:
        # One QP for every kind of frame, since x265's pictures do not tell theirs.
        params = f"log-level=none:qp={quality:.0f}:ipratio=1:pbratio=1:pools=none:frame-threads=1"
        sent, _ = _send(run, "libx265", None, {"preset": "veryfast", "x265-params": params})
        return sent, [from_x265_qp(round(quality))] * len(sent)
    if which < settings.x265 + settings.av1:
        sent, _ = _send(run, "libsvtav1", round(1.5 * quality), {"preset": "9"})
        return sent, [from_av1_crf(round(1.5 * quality))] * len(sent)
    return _send(run, "libx264", quality, {"preset": str(rng.choice(["veryfast", "medium", "slow"]))})


def _send(
    run: Sequence[Luma], codec: str, crf: float | None, options: Mapping[str, str] | None = None
) -> tuple[list[Luma], list[float]]:
    """Send a run through one codec, without colour; quantisers are 0 where the codec tells none."""
    grey = np.full((run[0].shape[0] // 2, run[0].shape[1] // 2), 128, np.uint8)
    frames = [Frame((frame, grey, grey), COLOR) for frame in run]
    sent, _ = recode(frames, codec=codec, crf=crf, options={"threads": "1", **(options or {})})
    return [frame.planes[0].astype(np.uint8, copy=False) for frame in sent], [f.quantiser or 0.0 for f in sent]


def _blur(luma: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    radius = int(3 * sigma + 1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(luma, [(radius, radius) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis)
        luma = views @ weights
    return luma
