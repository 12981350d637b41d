"""One network compiled for pictures as GPUs hold them, which it takes and gives whole."""

from dataclasses import replace
from typing import Any

import numpy as np

from vidsr.engines import Pending
from vidsr.frames import Frame
from vidsr.upscaling.graph.edges import attach_surface
from vidsr.upscaling.graph.nv12_edges import SURFACE_IN, SURFACE_OUT
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.session import Network, SessionOptions, engine_for, known_of, setup_for
from vidsr.upscaling.tiling import LARGEST


class GpuSession:
    """A network with the edges for semi-planar pictures of one size, depth and colour."""

    def __init__(self, network: Network, frame: Frame, options: SessionOptions, *, on_device: bool) -> None:
        """on_device: whether the engine is one of TAKES_DLPACK, which leaves its results where it computes."""
        self._network = network

        def graph_of(watched: bool) -> bytes:
            return attach_surface(
                network.model,
                channels=network.card.channels,
                scale=network.card.scale,
                height=frame.height,
                width=frame.width,
                bits=frame.bits,
                color=frame.color,
                watched=watched,
                model_name=network.name,
                step=network.card.step,
            )

        self._staying: dict[str, Any] = {"on_device": True} if on_device else {}
        setup = setup_for(network, frame.bits, options)
        self._engine: Any = engine_for(network, graph_of, setup, options, in_flight=options.in_flight)

    def submit(self, frame: Frame) -> "PendingSurface":
        """Start on a semi-planar frame. Raises EngineBusy."""
        planes = dict(zip(SURFACE_IN, frame.planes, strict=True))
        run = self._engine.submit({**planes, **known_of(self._network, frame)}, **self._staying)
        return PendingSurface(run, frame, self._network.card.scale)

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()


class PendingSurface:
    """A semi-planar frame under way."""

    def __init__(self, run: Pending, frame: Frame, scale: int) -> None:
        self._run, self._frame, self._scale = run, frame, scale

    def result(self) -> Frame:
        """Wait for the larger frame, semi-planar too and where the engine made it. Asked for once."""
        made: Any = self._run.result()[SURFACE_OUT]
        own = made.copy() if isinstance(made, np.ndarray) else made  # an array is the engine's, until its next run
        height, width = self._frame.height * self._scale, self._frame.width * self._scale
        chroma = own[height:, :width].reshape(height // 2, width // 2, 2)
        return replace(self._frame, planes=(own[:height, :width], chroma), av_frame=None)


def is_whole(frame: Frame, plan: Plan, options: SessionOptions) -> bool:
    """Whether a semi-planar frame is enlarged at once, to the size its network gives: nothing is cut or resized."""
    if plan.card is None or options.upscale.tile is not None or frame.width * frame.height > LARGEST:
        return False
    return (plan.width, plan.height) == (frame.width * plan.card.scale, frame.height * plan.card.scale)
