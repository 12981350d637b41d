"""The networks of a live run, from the chosen one to the resize alone, all opened before the first frame."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from vidsr import zoo
from vidsr.context import Context
from vidsr.frames import Frame
from vidsr.options import UpscaleOptions
from vidsr.pipeline.realtime.controller import Decision, Network
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.output_size import subsampling_of
from vidsr.upscaling.upscaler import Upscaler, open_upscaler
from vidsr.video.convert.nv12 import planar
from vidsr.video.convert.resizer import Resizer

RESIZE = "resize"
TRIALS = 2  # frames that a network is measured with


class Rungs:
    """Upscales each frame as far down as the controller decided. Use as a context manager."""

    def __init__(self, best: FrameUpscaler, options: UpscaleOptions, first: Frame, context: Context) -> None:
        """best: opened with `budgeted`; the caller closes it. first: of the video, to open and measure with."""
        self._stack = ExitStack()
        self._best = best
        self._resize = RESIZE if isinstance(best, Upscaler) else str(options.model)
        self._resizer = Resizer("lanczos")
        self.resized = first
        """The first frame, resized."""
        self._upscalers: list[Upscaler] = []
        self.networks: list[Network] = []
        plan = best.plan(first.width, first.height, subsampling_of(first))
        if not isinstance(best, Upscaler) or plan.card is None:
            self.resized = best.submit(first).result()
            return  # every frame is resized
        self.resized = self._resizer.resize(planar(first), plan.width, plan.height)
        try:
            self._add(best, first)
            for file in zoo.lighter(plan.card):
                lighter = open_upscaler(replace(options, model=file), context)
                assert isinstance(lighter, Upscaler)
                lighter.wanted = best.wanted
                self._stack.enter_context(lighter)
                self._add(lighter, first)
        except BaseException:
            self._stack.close()
            raise

    @property
    def names(self) -> list[str]:
        """Of the networks, and of the resize."""
        cards = (upscaler.card for upscaler in self._upscalers)
        return [*(card.name for card in cards if card is not None), self._resize]

    def upscale(self, frame: Frame, decision: Decision) -> tuple[Frame, float, float]:
        """Return a frame upscaled, and the shares of it that a network computed, and that show a network's result."""
        if decision.share == 0:
            if not isinstance(self._best, Upscaler):
                return self._best.submit(frame).result(), 0.0, 0.0
            frame = planar(frame)
            plan = self._best.plan(frame.width, frame.height, subsampling_of(frame))
            return self._resizer.resize(frame, plan.width, plan.height), 0.0, 0.0
        upscaler = self._upscalers[decision.rung]
        upscaler.budget = decision.share
        before = upscaler.tiles
        larger = upscaler.submit(frame).result()
        plain, computed, reused = (upscaler.tiles - before).tolist()
        tiles = plain + computed + reused
        return (larger, computed / tiles, (computed + reused) / tiles) if tiles else (larger, 1.0, 1.0)

    def __enter__(self) -> "Rungs":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _add(self, upscaler: Upscaler, first: Frame) -> None:
        """Compile a network, and measure it."""
        upscaler.budget = 1.0
        upscaler.submit(first).result()
        shares = bool(upscaler.tiles.any())
        seconds = min(_seconds(upscaler, frame) for frame in _unlike(first))
        upscaler.forget_tiles()
        self._upscalers.append(upscaler)
        self.networks.append(Network(seconds, shares))


def _seconds(upscaler: Upscaler, frame: Frame) -> float:
    began = time.perf_counter()
    upscaler.submit(frame).result()
    return time.perf_counter() - began


def _unlike(frame: Frame) -> Iterator[Frame]:
    """Yield frames of which every tile differs from the one before, and at last the frame itself."""
    planes = planar(frame).planes
    flipped = replace(planar(frame), planes=(planes[0][::-1].copy(), *planes[1:]), av_frame=None)
    for number in range(TRIALS):
        yield flipped if number % 2 == 0 else frame
