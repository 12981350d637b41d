"""`--tile auto`: measure which tiles are fastest here for one network and frame size, once, and cache that."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import numpy as np

from vidsr.context import Context
from vidsr.engines.tuning import machine_key, quickest
from vidsr.errors import OutOfMemory
from vidsr.frames import Frame
from vidsr.io.cache import read_cache, write_cache
from vidsr.upscaling.model_file import Model
from vidsr.upscaling.output_size import subsampling_of
from vidsr.upscaling.session import Session, SessionOptions, setup_for
from vidsr.upscaling.tiling import MOST_PIXELS, equal_tile

log = logging.getLogger(__name__)

CACHE = "tiles"  # one file for each kind of frame
BANDS = (150_000, 300_000, 600_000, 1_200_000, 2_400_000, MOST_PIXELS)  # input pixels of the bands that are tried
SIDE = 512  # of the square tile that is tried
RUNS = 3  # of each, after the first

Size = tuple[int, int]


def open_session(model: Model, frame: Frame, options: SessionOptions) -> Session:
    """Open a session; with tile `auto`, measure the tiles first and report the fastest.

    Raises as Session does, and OutOfMemory if no tile fits.
    """
    if options.upscale.tile != "auto":
        return Session(model, frame, options)
    usual = replace(options, upscale=replace(options.upscale, tile=None))
    if model.fixed:
        return Session(model, frame, usual)
    key = _key(model, frame, usual)
    size = _size_of(read_cache(CACHE, key))
    if size is None or size not in _candidates(model, frame, usual):
        quiet = replace(usual, context=Context(lambda notice: log.info("%s", notice)))
        size, seconds = _fastest(model, frame, quiet)
        what = f"{model.card.name} at {frame.width}x{frame.height}: {1000 * seconds:.0f} ms a frame"
        options.context.warn(f"tiles of {size[1]}x{size[0]} are the fastest here for {what}")
        try:
            write_cache(CACHE, key, size)
        except OSError as exc:
            options.context.warn(f"the fastest tiles cannot be cached, and are measured again each time: {exc}")
    return Session(model, frame, usual, size=size)


def _candidates(model: Model, frame: Frame, options: SessionOptions) -> list[Size]:
    """Return sizes worth trying, the default first; none takes more memory than that of MOST_PIXELS."""
    height, width, overlap, step = frame.height, frame.width, model.receptive_field, model.step
    on_cpu = setup_for(model, frame.bits, options).device == "cpu"
    least = 2 * (overlap + step)
    bands = [(equal_tile(height, max(pixels // width, least), overlap, step), width) for pixels in BANDS]
    rows, columns = (equal_tile(length, max(SIDE, least), overlap, step) for length in (height, width))
    return list(dict.fromkeys([model.tile_size(height, width, on_cpu=on_cpu), *bands, (rows, columns)]))


def _fastest(model: Model, frame: Frame, options: SessionOptions) -> tuple[Size, float]:
    times: dict[Size, float] = {}
    for size in _candidates(model, frame, options):
        try:
            times[size] = min(frame_times(model, frame, options, size))
        except OutOfMemory:
            log.info("a tile of %dx%d does not fit into memory", size[1], size[0])
    if not times:
        raise OutOfMemory("none of the tiles worth trying fits into memory; give a small --tile")
    best = quickest(times)
    return best, times[best]


def frame_times(model: Model, frame: Frame, options: SessionOptions, size: Size | None = None) -> Iterator[float]:
    """Yield the seconds that single frames take, after one that warms up. size: of the tiles; see Session."""
    scale = model.card.scale
    across, down = subsampling_of(frame)
    large = (frame.height * scale, frame.width * scale)
    half = tuple((side + halving) >> halving for side, halving in zip(large, (down, across), strict=True))
    canvas = replace(frame, planes=tuple(np.empty(half if i else large, p.dtype) for i, p in enumerate(frame.planes)))
    with closing(Session(model, frame, options, size=size)) as session:
        for run in range(RUNS + 1):
            start = time.perf_counter()
            session.submit(frame).write(canvas)
            if run:
                yield time.perf_counter() - start


def _key(model: Model, frame: Frame, options: SessionOptions) -> str:
    """Return a digest of what a measurement holds for: machine, network, setup and kind of frame."""
    setup = asdict(setup_for(model, frame.bits, options))
    about = [machine_key(), setup, options.upscale.threads, frame.height, frame.width, frame.bits, len(frame.planes)]
    return sha256(model.graph.SerializeToString() + json.dumps(about).encode()).hexdigest()[:16]


def _size_of(cached: Any) -> Size | None:
    try:
        height, width = map(int, cached)
    except (ValueError, TypeError, ArithmeticError):
        return None
    return height, width
