"""The video that is measured on: generated, or the first frames of the user's."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.color import ColorSpec, guessed_matrix
from vidsr.context import Context, ignore
from vidsr.errors import DataError
from vidsr.frames import Frame, VideoInfo
from vidsr.video.convert.resizer import Resizer
from vidsr.video.read.source import open_source
from vidsr.video.write.sink import open_sink

RATE = 24
LEAST_FRAMES = 4
MOTION = 3  # pixels per frame


def write_video(path: Path, width: int, height: int, frames: int, video: Path | None = None) -> int:
    """Write an H.264 video in 8-bit 4:2:0, and return its number of frames.

    video: the frames to write, resized; None generates them. Raises DataError if it has fewer than LEAST_FRAMES.
    """
    color = ColorSpec(guessed_matrix(height), full_range=False)
    seconds = Fraction(frames, RATE)
    info = VideoInfo(width, height, 8, color, Fraction(1, RATE), Fraction(RATE), frames, seconds)
    stream = generated(width, height, frames, color) if video is None else resized(video, width, height, frames, color)
    count = 0
    with open_sink(path, info, context=Context(ignore)) as sink:
        for count, frame in enumerate(stream, 1):
            sink.write(replace(frame, pts=count - 1, duration_ticks=1, time_base=Fraction(1, RATE)))
    if count < LEAST_FRAMES:
        raise DataError(f"{video} has {count} frames, too few to measure on; give a video of {LEAST_FRAMES} or more")
    return count


def generated(width: int, height: int, frames: int, color: ColorSpec) -> Iterator[Frame]:
    """Generate frames of a camera that pans over noise with gradients, fine texture and hard edges. Always the same."""
    rng = np.random.default_rng(0)
    wide, tall = width + MOTION * 2 * frames, height + MOTION * frames
    shades, edges = _noise(rng, tall, wide, 1.2), np.sign(_noise(rng, tall, wide, 1.8))
    luma = _codes(128 + 26 * shades + 34 * edges)
    chroma = [_codes(128 + 20 * _noise(rng, tall // 2, wide // 2, 1.8)) for _ in range(2)]
    for index in range(frames):
        x, y = MOTION * index, MOTION * index // 2  # in chroma's pixels
        planes = [plane[y : y + height // 2, x : x + width // 2] for plane in chroma]
        yield Frame((luma[2 * y : 2 * y + height, 2 * x : 2 * x + width], *planes), color)


def resized(video: Path, width: int, height: int, frames: int, color: ColorSpec) -> Iterator[Frame]:
    """Read the first frames of a video, resized and in 8-bit 4:2:0."""
    resizer = Resizer("bicubic")
    with open_source(video) as source:
        for frame in islice((item for item in source if isinstance(item, Frame)), frames):
            yield resizer.fit(replace(frame, alpha=None), width, height, "yuv420p", color)


def _noise(rng: np.random.Generator, height: int, width: int, slope: float) -> NDArray[Any]:
    """Return (height, width) of unit variance, whose amplitudes fall with the frequency to the power of `slope`."""
    noise = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    waves = np.fft.irfft2(noise / frequency**slope, (height, width))
    return np.asarray(waves / waves.std())


def _codes(levels: NDArray[Any]) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.rint(levels).clip(16, 235).astype(np.uint8)
    return codes
