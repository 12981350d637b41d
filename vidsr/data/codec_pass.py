"""How pictures travel: shrunk by what senders use, then through a real codec."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsr.data.color_convert import COLOR, frame_of, rgb_of
from vidsr.data.degradation import Degradation
from vidsr.data.photos import Picture
from vidsr.frames import Frame
from vidsr.resize import resize
from vidsr.video.convert.qp import from_av1_crf, from_x265_qp
from vidsr.video.convert.resizer import Resizer
from vidsr.video.recode import recode

KERNELS = {"bicubic": 0.5, "lanczos": 0.2, "area": 0.1, "swscale bicubic": 0.1, "swscale lanczos": 0.1}
"""What pictures are shrunk by, and how often."""

SMALLEST = 64  # pixels a side that every codec takes: x265 refuses less than 16, and SVT-AV1 is meant for 64 and more


@dataclass(frozen=True, slots=True)
class Arrived:
    """A run as a codec gives it back."""

    pictures: list[Picture]
    qps: list[float]
    """QP of each picture on H.264's scale, 0 to 51."""
    codec: str
    crf: float
    """As the codec was given it; x265's is a QP."""


def shrink(run: Sequence[Picture], scale: int, rng: np.random.Generator) -> list[Picture]:
    """Make a run `scale` times smaller by a kernel drawn from KERNELS.

    run: (height, width) or (height, width, 3) uint8, sides divisible by `scale`.
    """
    name = rng.choice(list(KERNELS), p=list(KERNELS.values()))
    height, width = run[0].shape[0] // scale, run[0].shape[1] // scale
    if name.startswith("swscale"):
        resizer = Resizer("bicubic" if name.endswith("bicubic") else "lanczos", threads=1)
        return [_by_swscale(frame, height, width, resizer) for frame in run]
    return [resize(frame, height, width, kernel=name) for frame in run]


def _by_swscale(picture: Picture, height: int, width: int, resizer: Resizer) -> Picture:
    planes = [picture] if picture.ndim == 2 else list(picture.transpose(2, 0, 1))
    small = [resizer.resize(Frame((plane,), COLOR), width, height).planes[0] for plane in planes]
    return np.array(small[0] if picture.ndim == 2 else np.stack(small, axis=2), np.uint8)


def travel(run: Sequence[Picture], settings: Degradation, rng: np.random.Generator) -> Arrived:
    """Send a run, as one clip, through a codec drawn from the settings.

    run: (height, width) luma of limited range or (height, width, 3) RGB, uint8, sides even. RGB travels as 4:2:0 of
    BT.601 and comes back as players show it.
    """
    quality = float(rng.uniform(*settings.crf))
    which = rng.random()
    if which < settings.x265:
        # One QP for every kind of frame, since x265's pictures do not tell theirs.
        params = f"log-level=none:qp={quality:.0f}:ipratio=1:pbratio=1:pools=none:frame-threads=1"
        sent, _ = through("libx265", run, None, {"preset": "veryfast", "x265-params": params})
        return Arrived(sent, [from_x265_qp(round(quality))] * len(sent), "libx265", round(quality))
    if which < settings.x265 + settings.av1:
        sent, _ = through("libsvtav1", run, round(1.5 * quality), {"preset": "9"})
        return Arrived(sent, [from_av1_crf(round(1.5 * quality))] * len(sent), "libsvtav1", round(1.5 * quality))
    preset = str(rng.choice(["veryfast", "medium", "slow"]))
    return Arrived(*through("libx264", run, quality, {"preset": preset}), "libx264", quality)


def through(
    codec: str, run: Sequence[Picture], crf: float | None, options: Mapping[str, str] | None = None
) -> tuple[list[Picture], list[float]]:
    """Send a run through one codec, on one thread; quantisers are 0 where the codec tells none.

    What is smaller than SMALLEST travels with its last lines and columns repeated.
    """
    height, width = run[0].shape[:2]
    resizer = Resizer("bicubic", threads=1)
    frames = [frame_of(_filled(picture), resizer) for picture in run]
    sent, _ = recode(frames, codec=codec, crf=crf, options={"threads": "1", **(options or {})})
    luma_only = run[0].ndim == 2
    pictures = [f.planes[0].astype(np.uint8, copy=False) if luma_only else rgb_of(f, resizer) for f in sent]
    return [picture[:height, :width] for picture in pictures], [frame.qp or 0.0 for frame in sent]


def _filled(picture: Picture) -> Picture:
    height, width, *channels = picture.shape
    if min(height, width) >= SMALLEST:
        return picture
    missing = [(0, max(SMALLEST - height, 0)), (0, max(SMALLEST - width, 0)), *[(0, 0) for _ in channels]]
    return np.pad(picture, missing, mode="edge")
