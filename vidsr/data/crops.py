"""Where pairs are cut: pieces of a run, busy rather than flat, and patches of those pieces."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degrade import degrade
from vidsr.data.photos import Picture
from vidsr.data.store import INDEX, Settings, shapes

CLIP = 8  # pictures that go through a codec together, so that its P and B frames are seen
CANVAS = 192  # side of the small picture that a codec sees; patches are cut from it
PER_CANVAS = 16  # patches
FLAT = 0.6  # levels between neighbours, on average, below which a patch has nothing to learn from
TRIES = 4  # draws for each patch before a canvas is taken to be flat


@dataclass(frozen=True, slots=True)
class Canvas:
    """A piece of a source, still as good as it was, and what is drawn for it."""

    pictures: Sequence[Picture]
    """`CLIP` or `frames` consecutive ones, sides divisible by 2 * scale."""
    coded: bool
    patches: int
    rng: np.random.Generator


def cut_canvas(run: Sequence[Picture], settings: Settings, patches: int, rng: np.random.Generator) -> Canvas:
    """Cut a square out of a run, the busiest of three, or of more while they are flat; a photo's camera moves."""
    step, (height, width) = 2 * settings.scale, run[0].shape[:2]
    side = min(max(CANVAS, settings.side + 1) * settings.scale, height, width) // step * step
    room = np.array([height - side, width - side])
    found: list[tuple[float, NDArray[np.int64]]] = []
    while len(found) < 3 or (len(found) < 12 and max(found, key=_first)[0] < FLAT):
        corner = rng.integers(room + 1)
        found.append((detail(_square(run[0], corner, side)[::2]), corner))
    corner = max(found, key=_first)[1]
    coded = bool(rng.random() < settings.degradation.coded)
    length = max(CLIP, settings.frames) if coded else settings.frames
    if len(run) > 1:
        places = [corner] * length
    else:
        speed = rng.integers(-4 * settings.scale, 4 * settings.scale + 1, 2) * (rng.random() < 0.7)
        places = [(corner + i * speed).clip(0, room) for i in range(length)]
    # Copies, so that a large photo is let go before the next one is read.
    pictures = [_square(run[min(i, len(run) - 1)], place, side).copy() for i, place in enumerate(places)]
    return Canvas(pictures, coded, patches, rng)


def cut_pairs(canvas: Canvas, settings: Settings, source: int) -> dict[str, NDArray[Any]]:
    """Send a canvas on its way and cut pairs from what arrives; fewer than asked for where it is flat.

    Returns arrays as `Pairs` has them.
    """
    sent = degrade(canvas.pictures, settings.degradation, settings.scale, canvas.rng, coded=canvas.coded)
    cut: dict[str, list[Any]] = {"low": [], "high": [], "quantiser": []}
    for start, y, x in _places(canvas, settings):
        run = slice(start, start + settings.frames)
        for name, pictures, scale in (("low", sent.low, 1), ("high", sent.truth, settings.scale)):
            top, left, side = y * scale, x * scale, settings.side * scale
            cut[name].append([picture[top : top + side, left : left + side] for picture in pictures[run]])
        cut["quantiser"].append(sent.qps[run])
    kept = len(cut["low"])
    crf = math.nan if sent.crf is None else sent.crf
    index = np.full(kept, np.array((source, sent.kind, crf, "+".join(sent.looks)), INDEX))
    forms = shapes(settings, kept)
    return {"index": index} | {name: np.array(cut[name], forms[name][1]).reshape(forms[name][0]) for name in cut}


def detail(picture: Picture) -> float:
    """Mean difference between neighbours in a line, in levels."""
    return float(np.abs(np.diff(picture.astype(np.int16), axis=1)).mean())


def _places(canvas: Canvas, settings: Settings) -> Iterator[tuple[int, int, int]]:
    """Draw first frame, line and column of each patch, small; flat ones are drawn again, in the end left out."""
    rng, scale, side = canvas.rng, settings.scale, settings.side
    last, room = len(canvas.pictures) - settings.frames, canvas.pictures[0].shape[0] // scale - side
    left = canvas.patches
    for _ in range(TRIES * canvas.patches):
        start, y, x = int(rng.integers(last + 1)), int(rng.integers(room + 1)), int(rng.integers(room + 1))
        if detail(_square(canvas.pictures[start], np.array([y, x]) * scale, side * scale)) >= FLAT:
            yield start, y, x
            left -= 1
        if not left:
            return


def _square(picture: Picture, corner: NDArray[np.int64], side: int) -> Picture:
    y, x = corner
    return picture[y : y + side, x : x + side]


def _first(pair: tuple[float, NDArray[np.int64]]) -> float:
    return pair[0]
