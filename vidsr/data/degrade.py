"""From a good picture to the small one that travels: film's own looks, shrinking and its faults, and a real codec."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidsr.data.codec_pass import Arrived, shrink, travel
from vidsr.data.degradation import Degradation
from vidsr.data.hr_degradations import look_like_video
from vidsr.data.lr_degradations import apply, draw_faults
from vidsr.data.photos import Picture

__all__ = ["Degradation", "Sent", "degrade"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A run of truths, and what arrives of it."""

    low: list[Picture]
    """As it arrives, each (height, width, channels) uint8."""
    truth: list[Picture]
    """What it is to become, `scale` times larger."""
    qps: list[float]
    """QP of each low picture on H.264's scale, 0 to 51; 0: never coded."""
    kind: str
    """The codec: libx264, libx265, libsvtav1; jpeg where there was nothing but that; else clean."""
    crf: float | None
    """Of that video codec, as it was given; None without one."""
    looks: tuple[str, ...]
    """What else was done, in order: soft, sharpened, dark, noisy, worn to both; blurred, resized, grainy, jpeg to the
    low alone; again, where the latter came twice."""


def degrade(
    run: Sequence[Picture],
    settings: Degradation,
    scale: int,
    rng: np.random.Generator,
    *,
    coded: bool | None = None,
) -> Sent:
    """Spoil a run of truths as film, its sender and its way would; the same `rng` gives the same bytes.

    run: consecutive pictures, each (height, width, channels) uint8, sides divisible by 2 * scale: 1 channel of
    limited-range luma, or 3 of RGB. One draw serves the whole run, which goes through a codec as one clip.
    coded: whether it does; None draws it.
    """
    height, width, channels = run[0].shape
    assert height % (2 * scale) == width % (2 * scale) == 0, f"{width}x{height} at scale {scale}"
    if coded is None:
        coded = bool(rng.random() < settings.coded)
    truth, looks = look_like_video([picture[..., 0] if channels == 1 else picture for picture in run], settings, rng)
    faults = draw_faults(settings, scale, rng.spawn(1)[0])  # their own dice: kernel and codec are drawn as without them
    low = apply(faults.after, shrink(apply(faults.before, truth), scale, rng))
    arrived = travel(low, settings, rng) if coded else _kept(low, faults.names)
    return Sent(
        low=[_shaped(picture) for picture in arrived.pictures],
        truth=[_shaped(picture) for picture in truth],
        qps=arrived.qps,
        kind=arrived.codec,
        crf=arrived.crf if coded else None,
        looks=(*looks, *faults.names),
    )


def _kept(low: list[Picture], faults: Sequence[str]) -> Arrived:
    return Arrived(low, [0.0] * len(low), "jpeg" if "jpeg" in faults else "clean", 0.0)


def _shaped(picture: Picture) -> Picture:
    return picture if picture.ndim == 3 else picture[..., None]  # (height, width, channels)
