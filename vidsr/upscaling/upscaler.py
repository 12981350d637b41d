"""Frames to larger frames, by a network on an engine."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from vidsr import zoo
from vidsr.context import Context, Notice, log_warning
from vidsr.engines import TAKES_DLPACK, Setup, check, choose, settle
from vidsr.engines.tuning import Tuning, tuning
from vidsr.frames import Frame
from vidsr.options import Precision, UpscaleOptions
from vidsr.system import cores
from vidsr.upscaling.frame_upscaler import FrameUpscaler, PendingFrame
from vidsr.upscaling.gpu_session import GpuSession, is_whole
from vidsr.upscaling.output_size import OutputSize, Plan, halvings, held
from vidsr.upscaling.session import Network, PendingPlanes, Session, SessionOptions
from vidsr.upscaling.swscale_upscaler import Done, ResizingUpscaler
from vidsr.upscaling.tile_tuning import open_session
from vidsr.video.convert.nv12 import lies_on_gpu, planar
from vidsr.video.convert.resizer import Kernel, Resizer, cropped

SESSIONS = 2  # kinds of picture kept compiled, so that a stream which goes back and forth does not wait each time


def load_upscaler(
    model: str | Path | None = UpscaleOptions.model,
    *,
    scale: int | None = UpscaleOptions.scale,
    width: int | None = UpscaleOptions.width,
    height: int | None = UpscaleOptions.height,
    engine: str = UpscaleOptions.engine,
    device: str = UpscaleOptions.device,
    precision: Precision = UpscaleOptions.precision,
    tile: int | Literal["auto"] | None = UpscaleOptions.tile,
    in_flight: int | None = UpscaleOptions.in_flight,
    threads: int = UpscaleOptions.threads,
    warn: Callable[[Notice], None] = log_warning,
) -> FrameUpscaler:
    """Load a model to call with frames, arrays or Pillow images of any size.

    model: a name that `available_models()` lists, a path to an ONNX file, or bicubic, lanczos, nearest; None chooses
    the network of the smallest factor that reaches the size. scale, or width and height in pixels: the size of the
    result; None: the model's factor. A network of another factor is followed by one Lanczos resize.
    engine, device, precision: see `vidsr.engines.settle`. tile: side of a tile in input pixels; None cuts large frames
    into bands. in_flight: frames that `submit` may have under way. threads: CPU threads, 0 for all cores.
    warn: called where something else is computed than was asked for.
    The network is compiled when the first frame of a size comes.
    Raises UnknownModel, NotAModel, EngineMissing, EngineError, and ValueError for a size that makes no sense.
    """
    options = UpscaleOptions(model, scale, width, height, engine, device, precision, tile, in_flight, threads)
    return open_upscaler(options, Context(warn))


def open_upscaler(options: UpscaleOptions, context: Context | None = None) -> FrameUpscaler:
    """Open what `options` ask for; see `load_upscaler`. context: takes warnings where something else is computed."""
    check(options.precision, options.device)
    choose(options.engine)
    wanted = OutputSize(options.scale, options.width, options.height)
    if options.model in zoo.RESIZES:
        if options.tile is not None:
            raise ValueError(f"{options.model} resizes whole frames; leave the tile out")
        kernel = cast(Kernel, options.model)
        return ResizingUpscaler(kernel, wanted, in_flight=options.in_flight or 2, threads=options.threads)
    # An explicit number in flight is for live streams, which have one frame under way and need no tuning.
    tuned = tuning() if options.in_flight is None else Tuning(in_flight=options.in_flight)
    path = None if options.model is None else zoo.find(options.model)
    return Upscaler(path, wanted, SessionOptions(options, tuned, context or Context()))


class Upscaler(FrameUpscaler):
    """Enlarges frames by a network. Not for two threads at once; a context manager."""

    def __init__(self, model: Path | None, wanted: OutputSize, options: SessionOptions) -> None:
        """model: the file of the network; None chooses one of the shelf's by the size of what comes."""
        self.in_flight = options.in_flight
        self._wanted, self._options = wanted, options
        self._networks: dict[Path, Network] = {}
        self._plans: dict[tuple[int, int, tuple[int, int]], tuple[Plan, Network | None]] = {}
        self._sessions: OrderedDict[Any, Session | GpuSession] = OrderedDict()
        # It runs beside the network and the encoder, and each thread of its own costs it and them more than it gains
        # where cores are few: 2 % of the whole command on two.
        self._chroma = Resizer("bicubic", threads=options.upscale.threads or max(1, cores() // 4))
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

    @cached_property
    def setup(self) -> Setup:
        """What computes, and where. Asking for it loads the runtime."""
        asked = self._options.upscale
        return settle(engine=asked.engine, device=asked.device, precision=asked.precision)

    def submit(self, frame: Frame) -> PendingFrame:
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
        return PendingUpscale(run, canvas, plan, self._final)

    def close(self) -> None:
        """Let go of every engine."""
        while self._sessions:
            self._sessions.popitem()[1].close()

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


class PendingUpscale:
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
