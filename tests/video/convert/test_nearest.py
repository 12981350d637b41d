"""swscale's threads and the kernel "nearest"."""

import numpy as np

from vidsr.color import ColorSpec
from vidsr.frames import Frame
from vidsr.video.convert.resizer import Resizer


def test_nearest_repeats_every_pixel_every_time() -> None:
    rng = np.random.default_rng(0)
    planes = tuple(rng.integers(0, 1024, (96, 171), np.uint16) for _ in range(3))
    frame = Frame(planes, ColorSpec(1, full_range=True, subsampling=(0, 0)), 10)
    for _ in range(50):  # with threads, it failed about once in two hundred
        larger = Resizer("nearest").resize(frame, 342, 192)
        for plane, once in zip(larger.planes, planes, strict=True):
            assert (plane == once.repeat(2, 0).repeat(2, 1)).all()
