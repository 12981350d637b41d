"""Tiles that are measured: the quickest here for one network and size of picture, found once and kept."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import numpy as np

from vidsr.context import Context
from vidsr.engines.tuning import machine_key, quickest
from vidsr.errors import OutOfMemory
from vidsr.frames import Frame
from vidsr.io.cache import read_cache, write_cache
from vidsr.upscaling.output_size import halvings
from vidsr.upscaling.session import Network, Session, SessionOptions, setup_for
from vidsr.upscaling.tiling import LARGEST, equal_tile

log = logging.getLogger(__name__)

ROOM = "tiles"  # of what is kept: one file for each kind of picture
BANDS = (150_000, 300_000, 600_000, 1_200_000, 2_400_000, LARGEST)  # input pixels of those that are tried
SIDE = 512  # of the square tile that is tried
RUNS = 3  # of each, after the first

Size = tuple[int, int]


def open_session(network: Network, frame: Frame, options: SessionOptions) -> Session:
    """Open a lane; where its tiles are to be measured, with the quickest, which is told to `options.notice`.

    Raises as Lane does, and OutOfMemory where no tile fits.
    """
    if options.upscale.tile != "auto":
        return Session(network, frame, options)
    usual = replace(options, upscale=replace(options.upscale, tile=None))
    key = _key(network, frame, usual)
    size = _size_of(read_cache(ROOM, key))
    if size is None or size not in _candidates(network, frame, usual):
        size, seconds = _quickest(
            network, frame, replace(usual, context=Context(lambda notice: log.info("%s", notice)))
        )
        what = f"{network.card.name} at {frame.width}x{frame.height}: {1000 * seconds:.0f} ms a frame"
        options.context.warn(f"tiles of {size[1]}x{size[0]} are the quickest here for {what}")
        try:
            write_cache(ROOM, key, size)
        except OSError as exc:
            options.context.warn(f"that cannot be kept, and is measured again each time: {exc}")
    return Session(network, frame, usual, size=size)


def _candidates(network: Network, frame: Frame, options: SessionOptions) -> list[Size]:
    """Sizes that may be worth trying, the usual one first; none takes more memory than that of LARGEST."""
    height, width, receptive_field, step = frame.height, frame.width, network.receptive_field, network.step
    on_cpu = setup_for(network, frame.bits, options).device == "cpu"
    least = 2 * (receptive_field + step)
    bands = [(equal_tile(height, max(pixels // width, least), receptive_field, step), width) for pixels in BANDS]
    square = (
        equal_tile(height, max(SIDE, least), receptive_field, step),
        equal_tile(width, max(SIDE, least), receptive_field, step),
    )
    usual = network.tile_size(height, width, on_cpu=on_cpu)
    return list(dict.fromkeys([usual, *bands, square]))


def _quickest(network: Network, frame: Frame, options: SessionOptions) -> tuple[Size, float]:
    times: dict[Size, float] = {}
    for size in _candidates(network, frame, options):
        try:
            times[size] = min(_seconds(network, frame, options, size))
        except OutOfMemory:
            log.info("a tile of %dx%d does not fit into memory", size[1], size[0])
    if not times:
        raise OutOfMemory("no tile that is worth trying fits into memory; give a small --tile")
    best = quickest(times)
    return best, times[best]


def _seconds(network: Network, frame: Frame, options: SessionOptions, size: Size) -> Iterator[float]:
    """Of single frames, the first of which warms up and does not count."""
    scale = network.card.scale
    across, down = halvings(frame)
    large = (frame.height * scale, frame.width * scale)
    half = tuple((side + halving) >> halving for side, halving in zip(large, (down, across), strict=True))
    canvas = replace(frame, planes=tuple(np.empty(half if i else large, p.dtype) for i, p in enumerate(frame.planes)))
    session = Session(network, frame, options, size=size)
    try:
        for turn in range(RUNS + 1):
            start = time.perf_counter()
            session.submit(frame).write(canvas)
            if turn:
                yield time.perf_counter() - start
    finally:
        session.close()


def _key(network: Network, frame: Frame, options: SessionOptions) -> str:
    """What a choice holds for: this machine, network, setup and kind of picture."""
    setup = asdict(setup_for(network, frame.bits, options))
    about = [machine_key(), setup, options.upscale.threads, frame.height, frame.width, frame.bits, len(frame.planes)]
    return sha256(network.model.SerializeToString() + json.dumps(about).encode()).hexdigest()[:16]


def _size_of(told: Any) -> Size | None:
    try:
        height, width = map(int, told)
    except (ValueError, TypeError, ArithmeticError):
        return None
    return height, width
