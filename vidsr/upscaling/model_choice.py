"""Without a named model: the best network of the shelf that keeps real time here, measured once and cached."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.color import ColorSpec
from vidsr.context import Context
from vidsr.engines.tuning import machine_key
from vidsr.errors import VidsrError
from vidsr.frames import Frame
from vidsr.io.cache import read_cache, write_cache
from vidsr.system import cores
from vidsr.upscaling.model_file import Model
from vidsr.upscaling.session import SessionOptions, setup_for
from vidsr.upscaling.tile_tuning import frame_times

log = logging.getLogger(__name__)

CACHE = "speeds"  # one file for each network, setup and size
SWITCH = "VIDSR_MEASURE"
"""Environment variable; 0: nothing is measured, and the live model is taken, so that all machines take the same."""
QUALITY = "psnr_Set14"
"""The metric of cards by which models are ranked."""
MARGIN = 0.85
"""Of the time there is: other parts of the video may be harder, and decoder and encoder disturb the network."""
MOST_MACS = 2_500_000_000  # multiply-adds of a run that is timed: larger frames are measured on a part of this many
LEAST_SIDE = 32
# Of all but the network, for each pixel of the output: `--model bicubic` takes 26.8 ms for a frame of 1920x1080 on two
# cores with AVX2 (x264 veryfast), which the network shares with it.
REST_CORE_S = 26e-9


@dataclass(frozen=True, slots=True)
class Demand:
    """The video that has to be kept up with; sides in pixels."""

    width: int
    height: int
    output_pixels: int
    rate: float
    """Frames a second."""
    bits: int = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Which network was taken, and why."""

    model: str
    fps: float
    """Frames a second that the whole run makes with it, as estimated."""
    rate: float
    """Frames a second of the video."""
    better: str | None = None
    """The next better network, which does not keep up."""
    better_fps: float | None = None

    def __str__(self) -> str:
        """Return the reason as a phrase."""
        reason = f"about {_rounded(self.fps)} fps here, {self.rate:.4g} needed"
        if self.better_fps is None:
            return reason
        return f"{reason}; {self.better} would make {_rounded(self.better_fps)} fps"


def _rounded(fps: float) -> str:
    return f"{fps:.0f}" if fps >= 10 else f"{fps:.2g}"


def measures() -> bool:
    """Return whether models may be chosen by measuring."""
    return os.environ.get(SWITCH) != "0"


def candidates(scale: int) -> list[tuple[Path, ModelCard]]:
    """Return the shelf's luma networks of a factor, the best first; those for photos are not among them."""
    found = [(path, card) for path, card in zoo.shelf() if card.scale == scale and card.channels == 1]
    return sorted(found, key=lambda each: (-each[1].metrics.get(QUALITY, 0.0), each[1].macs, each[1].name))


def choose(
    scale: int, demand: Demand, load: Callable[[Path], Model], options: SessionOptions
) -> tuple[Path, Choice] | None:
    """Return the best network of a factor that keeps up with a video, else the one with the least work.

    load: opens a model in the precision that is asked for. None: there is nothing to choose from.
    """
    found = candidates(scale)
    if len(found) < 2:
        return None
    made: list[tuple[Path, str, float]] = []
    for path, card in found:
        fps = 1 / (network_seconds(load(path), demand, options) + rest_seconds(demand))
        made.append((path, card.name, fps))
        if fps * MARGIN >= demand.rate:
            break
    else:
        made.sort(key=lambda each: each[2])
    path, name, fps = made[-1]
    better = made[-2][1:] if len(made) > 1 else (None, None)
    return path, Choice(name, fps, demand.rate, *better)


def rest_seconds(demand: Demand) -> float:
    """Estimate the time of everything but the network for one frame, from its size."""
    return REST_CORE_S * demand.output_pixels / cores()


def network_seconds(model: Model, demand: Demand, options: SessionOptions, *, again: bool = False) -> float:
    """Return the time of a network for one frame: cached, or measured in a part of a second. again: measure anew.

    A network that cannot run takes for ever.
    """
    plain = replace(options.upscale, tile=None, compute="full")
    options = replace(options, upscale=plain, context=Context(lambda notice: log.info("%s", notice)))
    height, width = _part(model.card, demand)
    key = _key(model, (height, width), demand.bits, options)
    scaled = demand.width * demand.height / (width * height)
    known = read_cache(CACHE, key)
    if not again and isinstance(known, dict) and isinstance(known.get("seconds"), float) and known["seconds"] > 0:
        return float(known["seconds"] * scaled)
    try:
        seconds = min(frame_times(model, _drawn(height, width, demand.bits, model.card.channels), options))
    except VidsrError as exc:
        log.info("%s is left out: %s", model.name, exc)
        return float("inf")
    try:
        write_cache(CACHE, key, {"seconds": seconds, "model": model.name, "height": height, "width": width})
    except OSError as exc:
        log.info("the speed of %s is measured again each time: %s", model.name, exc)
    return seconds * scaled


def _part(card: ModelCard, demand: Demand) -> tuple[int, int]:
    """Return height and width of the part of a frame that is measured: all of it, if that takes no longer."""
    share = min(1.0, (MOST_MACS / max(card.macs, 1) / (demand.width * demand.height)) ** 0.5)
    step = max(card.step, 2)
    sides = ((side, max(round(side * share), LEAST_SIDE)) for side in (demand.height, demand.width))
    height, width = (whole if part >= whole else part // step * step for whole, part in sides)
    return height, width


def _drawn(height: int, width: int, bits: int, channels: int) -> Frame:
    """Draw noise; what a frame shows changes no time."""
    rng, kind = np.random.default_rng(0), np.uint8 if bits == 8 else np.uint16
    shapes = [(height, width), *[((height + 1) // 2, (width + 1) // 2)] * (channels - 1)]
    planes: Any = tuple(rng.integers(1 << bits, size=shape).astype(kind) for shape in shapes)
    return Frame(planes, ColorSpec(1, full_range=False), bits)


def _key(model: Model, size: tuple[int, int], bits: int, options: SessionOptions) -> str:
    """Return a digest of what a measurement holds for: machine, network, setup, size and version."""
    try:
        release = version("vidsr")
    except PackageNotFoundError:  # a checkout that is not installed
        release = ""
    about = [machine_key(), asdict(setup_for(model, bits, options)), options.upscale.threads, *size, bits, release]
    return sha256(model.graph.SerializeToString() + json.dumps(about).encode()).hexdigest()[:16]
