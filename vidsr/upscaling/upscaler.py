"""Frames to larger frames, by a network on an engine."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np

from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.engines import TAKES_DLPACK, Precision, Setup, check, choose, settle
from vidsr.engines.tuning import Tuning, tuning
from vidsr.frames import Frame
from vidsr.system import cores
from vidsr.upscaling.gpu_session import GpuSession, PendingSurface, is_whole
from vidsr.upscaling.output_size import OutputSize, Plan, halvings, held
from vidsr.upscaling.session import Network, PendingPlanes, Session, SessionOptions
from vidsr.upscaling.swscale_upscaler import Done, ResizingUpscaler
from vidsr.upscaling.tile_tuning import open_session
from vidsr.video.convert.nv12 import lies_on_gpu, planar
from vidsr.video.convert.resizer import Kernel, Resizer, cropped

SESSIONS = 2  # kinds of picture kept compiled, so that a stream which goes back and forth does not wait each time


def open_upscaler(
    model: str | Path | None = None,
    *,
    scale: int | None = None,
    width: int | None = None,
    height: int | None = None,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | Literal["auto"] | None = None,
    in_flight: int | None = None,
    threads: int = 0,
    stateless: bool = False,
    notice: Callable[[str], None] | None = None,
) -> "Upscaler | ResizingUpscaler":
    """Open a model for frames of any size; it is compiled when the first of a size comes.

    model: a name, a path, or bicubic, lanczos, nearest; None takes the shelf's smallest factor that reaches the size.
    scale, or width and height: the size wanted; None is the model's own factor, 2 where no model is named. Where the
    model's factor is another, one Lanczos resize follows. engine, device, precision: see `engines.settle`.
    tile: side of a tile in input pixels; None cuts large pictures into bands, auto
    measures which tiles are quickest here and keeps that. in_flight: frames under way at once;
    None takes what was measured on this machine, else 2.
    threads: of the CPU, 0 for all. steady: whether what becomes of a frame may not depend on those before it.
    notice: called with a sentence where something is computed in another way than was asked; None logs it.
    Raises UnknownModel, NotAModel, EngineMissing, EngineError for an unknown precision or device, and ValueError where
    the size makes no sense or a kernel is given a tile.
    """
    check(precision, device)
    choose(engine)
    wanted = OutputSize(scale, width, height)
    if model in zoo.RESIZES:
        if tile is not None:
            raise ValueError(f"{model} resizes a picture at once; leave the tile out")
        return ResizingUpscaler(cast(Kernel, model), wanted, in_flight=in_flight or 2, threads=threads)
    # what is given is asked for: a live stream has one frame under way
    tuned = tuning() if in_flight is None else Tuning(in_flight=in_flight)
    options = SessionOptions(engine, device, precision, tile, tuned.in_flight, threads, stateless, notice, tuned)
    return Upscaler(None if model is None else zoo.find(model), wanted, options)


class Upscaler:
    """Enlarges frames by a network. Not for two threads at once; a context manager."""

    card: ModelCard | None = None
    """Of the network opened last; None until a size has come where the size decides."""

    def __init__(self, model: Path | None, wanted: OutputSize, options: SessionOptions) -> None:
        """model: the file of the network; None chooses one of the shelf's by the size of what comes."""
        self.in_flight = options.in_flight
        self._wanted, self._options = wanted, options
        self._networks: dict[Path, Network] = {}
        self._plans: dict[tuple[int, int, tuple[int, int]], tuple[Plan, Network | None]] = {}
        self._sessions: OrderedDict[Any, Session | GpuSession] = OrderedDict()
        # It runs beside the network and the encoder, and each thread of its own costs it and them more than it gains
        # where cores are few: 2 % of the whole command on two.
        self._chroma = Resizer("bicubic", threads=options.threads or max(1, cores() // 4))
        self._final = Resizer("lanczos")
        by_size = wanted.width is not None or wanted.height is not None
        chosen = zoo.by_scale(wanted.scale or 2) if model is None else model
        self._only = None if model is None and by_size else self._network(chosen)

    def plan(self, width: int, height: int, subsampling: tuple[int, int] = (1, 1)) -> Plan:
        """Say what becomes of pictures of this size; subsampling as in ColorSpec, (0, 0) for gray."""
        return self._planned(width, height, subsampling)[0]

    @property
    def files(self) -> list[Path]:
        """The networks opened so far: those that `plan` was asked about, at least."""
        return list(self._networks)

    def output_size(self, width: int, height: int, subsampling: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """The (width, height) that pictures of this size get."""
        plan = self.plan(width, height, subsampling)
        return plan.width, plan.height

    @cached_property
    def setup(self) -> Setup:
        """What computes, and where. Asking for it loads the runtime."""
        return settle(engine=self._options.engine, device=self._options.device, precision=self._options.precision)

    def submit(self, frame: Frame) -> "PendingFrame | PendingSurface | Done":
        """Start on one frame and return at once; the result keeps its time, colour and side data.

        Raises EngineBusy if `in_flight` frames are under way already.
        """
        plan, network = self._planned(frame.width, frame.height, halvings(frame))
        if frame.semiplanar:
            if network is not None and is_whole(frame, plan, self._options) and self._takes(frame):
                return self._gpu_session(network, frame).submit(frame)
            frame = planar(frame)
        if network is None:
            return Done(self._final.resize(frame, plan.width, plan.height))
        run = self._session(network, frame).submit(frame)
        # What the network does not make, and side data, comes from here; it runs while the network does.
        scale = network.card.scale
        canvas = self._chroma.resize(frame, frame.width * scale, frame.height * scale)
        return PendingFrame(run, canvas, plan, self._final)

    def close(self) -> None:
        """Let go of every engine."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _planned(self, width: int, height: int, subsampling: tuple[int, int]) -> tuple[Plan, Network | None]:
        key = width, height, subsampling
        if key not in self._plans:
            own = self._only.card.scale if self._only else 1
            size = self._wanted.size(width, height, own=own, subsampling=subsampling)
            factor = max(size[0] / width, size[1] / height)
            network = None if factor <= 1 else self._only or self._network(zoo.by_scale(factor))
            if network is not None:
                held(width * network.card.scale, height * network.card.scale)  # what it makes before the last resize
            self._plans[key] = Plan(*size, network.card if network else None), network
        return self._plans[key]

    def _network(self, path: Path) -> Network:
        network = self._networks.setdefault(path, self._networks.get(path) or Network(path))
        self.card = network.card
        return network

    def _takes(self, frame: Frame) -> bool:
        """Whether the engine reads a semi-planar frame where it lies."""
        plane: Any = frame.planes[0]
        if not lies_on_gpu(frame):
            return isinstance(plane, np.ndarray) or self.setup.engine in TAKES_DLPACK
        number = plane.__dlpack_device__()[1]
        here = self.setup.device == f"cuda:{number}" or (self.setup.device == "cuda" and number == 0)
        return here and self.setup.engine in TAKES_DLPACK

    def _session(self, network: Network, frame: Frame) -> Session:
        return cast(Session, self._kept(network, frame, open_session))

    def _gpu_session(self, network: Network, frame: Frame) -> GpuSession:
        made = partial(GpuSession, on_device=self.setup.engine in TAKES_DLPACK)
        return cast(GpuSession, self._kept(network, frame, made))

    def _kept(self, network: Network, frame: Frame, made: Callable[..., Session | GpuSession]) -> Session | GpuSession:
        color = replace(frame.color, primaries=0, transfer=0)  # these two change no number
        key = network, frame.height, frame.width, frame.bits, color, len(frame.planes)
        if key not in self._sessions:
            self._sessions[key] = made(network, frame, self._options)
        self._sessions.move_to_end(key)
        if len(self._sessions) > max(SESSIONS, self.in_flight):  # of each frame under way tiles may wait
            self._sessions.popitem(last=False)[1].close()
        return self._sessions[key]


class PendingFrame:
    """A frame under way."""

    def __init__(self, run: PendingPlanes, canvas: Frame, plan: Plan, final: Resizer) -> None:
        self._run, self._canvas, self._plan, self._final = run, canvas, plan, final

    def result(self) -> Frame:
        """Wait for the larger frame. Asked for once."""
        self._run.write(self._canvas)
        frame, plan = self._canvas, self._plan
        if (frame.width, frame.height) == (plan.width, plan.height):
            return frame
        if 0 <= frame.width - plan.width <= 1 and 0 <= frame.height - plan.height <= 1:
            return cropped(frame, plan.width, plan.height)  # a side made even: no reason to blur all of it
        return self._final.resize(frame, plan.width, plan.height)
