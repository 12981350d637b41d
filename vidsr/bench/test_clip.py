"""The film that is measured on: drawn here, or the first frames of one of the user's."""

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
TRAVEL = 3  # pixels a frame


def write_video(path: Path, width: int, height: int, frames: int, video: Path | None = None) -> int:
    """Write an H.264 film of 8-bit 4:2:0 without sound, and say how many frames it has.

    film: what is shown, shrunk or enlarged; None draws it. Raises DataError where it has fewer than four frames.
    """
    color = ColorSpec(guessed_matrix(height), full_range=False)
    seconds = Fraction(frames, RATE)
    info = VideoInfo(width, height, 8, color, Fraction(1, RATE), Fraction(RATE), frames, seconds)
    pictures = drawn(width, height, frames, color) if video is None else shown(video, width, height, frames, color)
    count = 0
    with open_sink(path, info, context=Context(ignore)) as sink:
        for count, frame in enumerate(pictures, 1):
            sink.write(replace(frame, pts=count - 1, duration_ticks=1, time_base=Fraction(1, RATE)))
    if count < 4:
        raise DataError(f"{video or 'the film'} has {count} frames, too few to be measured on; give four or more")
    return count


def drawn(width: int, height: int, frames: int, color: ColorSpec) -> Iterator[Frame]:
    """A camera that travels over a land made by chance: shades, fine texture, hard edges. Always the same."""
    rng = np.random.default_rng(0)
    wide, tall = width + TRAVEL * 2 * frames, height + TRAVEL * frames
    shades, edges = _waves(rng, tall, wide, 1.2), np.sign(_waves(rng, tall, wide, 1.8))
    luma = _codes(128 + 26 * shades + 34 * edges)
    colours = [_codes(128 + 20 * _waves(rng, tall // 2, wide // 2, 1.8)) for _ in range(2)]
    for index in range(frames):
        x, y = TRAVEL * index, TRAVEL * index // 2  # in chroma's pixels
        planes = [plane[y : y + height // 2, x : x + width // 2] for plane in colours]
        yield Frame((luma[2 * y : 2 * y + height, 2 * x : 2 * x + width], *planes), color)


def shown(video: Path, width: int, height: int, frames: int, color: ColorSpec) -> Iterator[Frame]:
    """The first frames of a film, at another size and as 8-bit 4:2:0."""
    resizer = Resizer("bicubic")
    with open_source(video) as source:
        for frame in islice((item for item in source if isinstance(item, Frame)), frames):
            yield resizer.fit(replace(frame, alpha=None), width, height, "yuv420p", color)


def _waves(rng: np.random.Generator, height: int, width: int, slope: float) -> NDArray[Any]:
    """(height, width) of unit spread, whose amplitudes fall with the frequency to the power of `slope`."""
    noise = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    waves = np.fft.irfft2(noise / frequency**slope, (height, width))
    return np.asarray(waves / waves.std())


def _codes(levels: NDArray[Any]) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.rint(levels).clip(16, 235).astype(np.uint8)
    return codes
