"""One network compiled for NV12 or P010 frames, as GPUs hold them, which it takes and returns whole."""

from dataclasses import replace
from typing import Any

import numpy as np

from vidsr.engines import Pending
from vidsr.frames import Frame
from vidsr.upscaling.graph.frame_format import format_of
from vidsr.upscaling.graph.nv12_edges import SURFACE_IN, SURFACE_OUT
from vidsr.upscaling.model_file import Model
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.session import SessionOptions, engine_for, setup_for
from vidsr.upscaling.tiling import MOST_PIXELS


class GpuSession:
    """A network with the edges for semi-planar frames of one size, depth and colour."""

    def __init__(self, model: Model, frame: Frame, options: SessionOptions, *, on_device: bool) -> None:
        """on_device: whether the engine is one of TAKES_DLPACK, which leaves its results where it computes."""
        self._model = model
        self._options: dict[str, Any] = {"on_device": True} if on_device else {}
        setup, wanted = setup_for(model, frame.bits, options), format_of(frame)
        self._engine: Any = engine_for(model, wanted, setup, options, in_flight=options.in_flight)

    def submit(self, frame: Frame) -> "PendingSurface":
        """Start on a semi-planar frame. Raises EngineBusy."""
        planes = dict(zip(SURFACE_IN, frame.planes, strict=True))
        run = self._engine.submit({**planes, **self._model.qp_input(frame)}, **self._options)
        return PendingSurface(run, frame, self._model.card.scale)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


class PendingSurface:
    """A semi-planar frame being upscaled."""

    def __init__(self, run: Pending, frame: Frame, scale: int) -> None:
        self._run, self._frame, self._scale = run, frame, scale

    def result(self) -> Frame:
        """Wait for the upscaled frame, semi-planar too, in the memory of the engine. Call it once."""
        made: Any = self._run.result()[SURFACE_OUT]
        own = made.copy() if isinstance(made, np.ndarray) else made  # the engine writes over an array in its next run
        height, width = self._frame.height * self._scale, self._frame.width * self._scale
        chroma = own[height:, :width].reshape(height // 2, width // 2, 2)
        return replace(self._frame, planes=(own[:height, :width], chroma), av_frame=None)


def is_whole(frame: Frame, plan: Plan, options: SessionOptions) -> bool:
    """Return whether a frame is computed in one tile, to the size its network makes: no cutting, no resize."""
    if plan.card is None or options.upscale.tile is not None or frame.width * frame.height > MOST_PIXELS:
        return False
    return (plan.width, plan.height) == (frame.width * plan.card.scale, frame.height * plan.card.scale)
