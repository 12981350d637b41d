"""Crops: busy squares of a source that are degraded together, and the pairs cut from them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degrade import degrade
from vidsr.data.photos import Image
from vidsr.data.store import INDEX, StoreSettings, shapes

CLIP = 8  # images that are compressed together, so that there are P and B frames
CANVAS = 192  # side of the low-resolution square that a codec sees; pairs are cut from it
PER_CANVAS = 16  # pairs
FLAT = 0.6  # levels between neighbouring pixels, on average, below which there is nothing to learn
TRIES = 4  # draws for each pair before a canvas is taken to be flat


@dataclass(frozen=True, slots=True)
class Canvas:
    """A square of a source before it is degraded, and what was drawn for it."""

    images: Sequence[Image]
    """`CLIP` or `frames` consecutive ones, sides divisible by 2 * scale."""
    coded: bool
    pairs: int
    rng: np.random.Generator


def cut_canvas(run: Sequence[Image], settings: StoreSettings, pairs: int, rng: np.random.Generator) -> Canvas:
    """Cut the busiest of three random squares from consecutive images; draw more while they are flat.

    A photo gets a moving camera.
    """
    step, (height, width) = 2 * settings.scale, run[0].shape[:2]
    side = min(max(CANVAS, settings.side + 1) * settings.scale, height, width) // step * step
    room = np.array([height - side, width - side])
    best, corner = -1.0, room
    drawn = 0
    while drawn < 3 or (drawn < 12 and best < FLAT):
        candidate = rng.integers(room + 1)
        if (busy := detail(_square(run[0], candidate, side)[::2])) > best:
            best, corner = busy, candidate
        drawn += 1
    coded = bool(rng.random() < settings.degradation.coded)
    length = max(CLIP, settings.frames) if coded else settings.frames
    if len(run) > 1:
        corners = [corner] * length
    else:
        speed = rng.integers(-4 * settings.scale, 4 * settings.scale + 1, 2) * (rng.random() < 0.7)
        corners = [(corner + i * speed).clip(0, room) for i in range(length)]
    # Copies, so that a large photo is freed before the next one is read.
    images = [_square(run[min(i, len(run) - 1)], where, side).copy() for i, where in enumerate(corners)]
    return Canvas(images, coded, pairs, rng)


def cut_pairs(canvas: Canvas, settings: StoreSettings, source: int) -> dict[str, NDArray[Any]]:
    """Degrade a canvas and cut pairs from it; fewer than wanted if it is flat.

    source: its index in the manifest. Returns arrays with the names and shapes of `Pairs`.
    """
    degraded = degrade(canvas.images, settings.degradation, settings.scale, canvas.rng, coded=canvas.coded)
    cut: dict[str, list[Any]] = {"low": [], "high": [], "qp": []}
    for start, y, x in _positions(canvas, settings):
        frames = slice(start, start + settings.frames)
        for name, images, scale in (("low", degraded.low, 1), ("high", degraded.high, settings.scale)):
            top, left, side = y * scale, x * scale, settings.side * scale
            cut[name].append([image[top : top + side, left : left + side] for image in images[frames]])
        cut["qp"].append(degraded.qps[frames])
    count = len(cut["low"])
    crf = math.nan if degraded.crf is None else degraded.crf
    index = np.full(count, np.array((source, degraded.kind, crf, "+".join(degraded.looks)), INDEX))
    wanted = shapes(settings, count)
    return {"index": index} | {name: np.array(cut[name], wanted[name][1]).reshape(wanted[name][0]) for name in cut}


def detail(image: Image) -> float:
    """Return the mean difference between horizontal neighbours, in levels."""
    return float(np.abs(np.diff(image.astype(np.int16), axis=1)).mean())


def _positions(canvas: Canvas, settings: StoreSettings) -> Iterator[tuple[int, int, int]]:
    """Draw the first frame and the low-resolution corner of each pair; leave out flat ones after some tries."""
    rng, scale, side = canvas.rng, settings.scale, settings.side
    last, room = len(canvas.images) - settings.frames, canvas.images[0].shape[0] // scale - side
    left = canvas.pairs
    for _ in range(TRIES * canvas.pairs):
        start, y, x = int(rng.integers(last + 1)), int(rng.integers(room + 1)), int(rng.integers(room + 1))
        if detail(_square(canvas.images[start], np.array([y, x]) * scale, side * scale)) >= FLAT:
            yield start, y, x
            left -= 1
        if not left:
            return


def _square(image: Image, corner: NDArray[np.int64], side: int) -> Image:
    y, x = corner
    return image[y : y + side, x : x + side]
