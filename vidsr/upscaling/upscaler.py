"""Upscale frames by a network on an engine."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vidsr import zoo
from vidsr.context import Context, Notice, log_warning
from vidsr.engines import TAKES_DLPACK, Setup, check, choose, settle
from vidsr.engines.gpus import gpu_of
from vidsr.engines.tuning import Tuning, tuning
from vidsr.errors import EngineError
from vidsr.frames import Frame
from vidsr.options import Precision, UpscaleOptions
from vidsr.system import computes_int8_faster, cores
from vidsr.upscaling.frame_upscaler import FrameUpscaler, PendingFrame
from vidsr.upscaling.gpu_session import GpuSession, is_whole
from vidsr.upscaling.model_choice import Demand, measures
from vidsr.upscaling.model_choice import choose as choose_model
from vidsr.upscaling.model_file import Model, load_model
from vidsr.upscaling.output_size import OutputSize, Plan, checked, subsampling_of
from vidsr.upscaling.session import PendingPlanes, Session, SessionOptions
from vidsr.upscaling.swscale_upscaler import Done, ResizingUpscaler
from vidsr.upscaling.tile_tuning import open_session
from vidsr.video.convert.nv12 import lies_on_gpu, planar
from vidsr.video.convert.resizer import Kernel, Resizer, cropped

if TYPE_CHECKING:  # imported where it is used, which few runs do
    from vidsr.upscaling.compute.adaptive_session import AdaptiveSession, PendingTiles
    from vidsr.upscaling.compute.compute_plan import Shares

USUAL_SCALE = 2  # where neither a size nor a model was asked for
SESSIONS = 2  # kept compiled, so that a stream which switches between two sizes does not wait each time

AnySession: TypeAlias = "Session | GpuSession | AdaptiveSession"
Opened = TypeVar("Opened", Session, GpuSession, "Session | AdaptiveSession")


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
    compute: Literal["full", "adaptive"] | float = UpscaleOptions.compute,
    warn: Callable[[Notice], None] = log_warning,
) -> FrameUpscaler:
    """Load a model to call with frames, arrays or Pillow images of any size.

    model: a name that `available_models()` lists, a path to an ONNX file, or bicubic, lanczos, nearest; None chooses
    the network of the smallest factor that reaches the size. scale, or width and height in pixels: the size of the
    result; None: the model's factor. A network of another factor is followed by one Lanczos resize.
    engine, device, precision: see `vidsr.engines.settle`. tile: side of a tile in input pixels; None cuts large frames
    into bands. in_flight: frames that `submit` may have under way. threads: CPU threads, 0 for all cores.
    compute: full, adaptive or a share; tiles are compared with those of the frame before, so give frames in order.
    warn: called where something else is computed than was asked for.
    The network is compiled when the first frame of a size comes.
    Raises UnknownModel, NotAModel, EngineMissing, EngineError, and ValueError for a size that makes no sense.
    """
    options = UpscaleOptions(
        model, scale, width, height, engine, device, precision, tile, in_flight, threads, compute=compute
    )
    return open_upscaler(options, Context(warn))


def open_upscaler(options: UpscaleOptions, context: Context | None = None) -> FrameUpscaler:
    """Open what `options` ask for; see `load_upscaler`. context: takes warnings where something else is computed."""
    check(options.precision, options.device)
    if options.compute != "full":
        from vidsr.upscaling.compute.compute_plan import check_compute

        check_compute(options.compute)
    choose(options.engine)
    wanted = OutputSize(options.scale, options.width, options.height)
    if options.model in zoo.RESIZES:
        if options.tile is not None:
            raise ValueError(f"{options.model} resizes whole frames; leave the tile out")
        kernel = cast(Kernel, options.model)
        return ResizingUpscaler(kernel, wanted, in_flight=options.in_flight or 2, threads=options.threads)
    # An explicit number in flight is for live streams, which have one frame under way and need no tuning.
    tuned = tuning() if options.in_flight is None else Tuning(in_flight=options.in_flight)
    return Upscaler(options.model, wanted, SessionOptions(options, tuned, context or Context()))


class Upscaler(FrameUpscaler):
    """Upscales frames by a network."""

    def __init__(self, model: str | Path | None, wanted: OutputSize, options: SessionOptions) -> None:
        """model: a name or path; None chooses a network of the shelf by the size of the frames."""
        self.in_flight = options.in_flight
        self.budget: float | None = None
        """What the network may take for the next frame, of the time for a whole one; None before any frame: all."""
        self.wanted, self._options = wanted, options
        self._tiles = np.zeros(3, np.int64)  # of sessions that were closed; see AdaptiveSession
        self._models: dict[Path, Model] = {}
        self._plans: dict[tuple[OutputSize, int, int, tuple[int, int]], tuple[Plan, Model | None]] = {}
        self._sessions: OrderedDict[Any, AnySession] = OrderedDict()
        # Chroma is resized beside the network and the encoder, and each of its threads costs them more than it gains
        # where cores are few: 2 % of the whole command on two.
        self._chroma = Resizer("bicubic", threads=options.upscale.threads or max(1, cores() // 4))
        self._final = Resizer("lanczos")
        by_size = wanted.width is not None or wanted.height is not None
        chosen = zoo.by_scale(wanted.scale or USUAL_SCALE) if model is None else zoo.find(model)
        self._only = None if model is None and by_size else self._load(chosen)
        self._rate: float | None = None
        self._bits = 8
        self._chosen: dict[tuple[int, int, float], Path] = {}

    def keep_up(self, rate: float, bits: int) -> None:
        """Choose the model by speed; see FrameUpscaler."""
        if self._options.upscale.model is None and measures() and self.setup.device == "cpu":
            self._rate, self._bits, self._only = rate, bits, None
            self._models.clear()

    def plan(self, width: int, height: int, subsampling: tuple[int, int] = (1, 1)) -> Plan:
        """Return what becomes of frames of this size; subsampling as in ColorSpec, (0, 0) for gray."""
        return self._planned(width, height, subsampling)[0]

    @property
    def files(self) -> list[Path]:
        """The networks opened so far; those that `plan` was asked about, at least."""
        return [model.file for model in self._models.values()]

    @cached_property
    def setup(self) -> Setup:
        """What computes, where and how exactly. Asking for it loads the runtime."""
        asked = self._options.upscale
        return settle(engine=asked.engine, device=asked.device, precision=asked.precision)

    def submit(self, frame: Frame) -> PendingFrame:
        """Start on one frame and return at once; see FrameUpscaler."""
        plan, model = self._planned(frame.width, frame.height, subsampling_of(frame))
        if frame.semiplanar:
            if model is not None and not model.fixed and is_whole(frame, plan, self._options) and self._takes(frame):
                opened = partial(GpuSession, on_device=self.setup.engine in TAKES_DLPACK)
                return self._session(model, frame, opened).submit(frame)
            frame = planar(frame)
        if model is None:
            return Done(self._final.resize(frame, plan.width, plan.height))
        session = self._session(model, frame, _open if self.budget is None else _open_computed)
        run = session.submit(frame) if isinstance(session, Session) else session.submit(frame, self.budget)
        # What the network does not make, and side data, comes from here; it runs while the network does.
        scale = model.card.scale
        canvas = self._chroma.resize(frame, frame.width * scale, frame.height * scale)
        return PendingUpscale(run, canvas, plan, self._final)

    def close(self) -> None:
        """Close every engine; may be called again."""
        while self._sessions:
            self._close(self._sessions.popitem()[1])

    @property
    def tiles(self) -> NDArray[np.int64]:
        """How many tiles were resized, computed and taken over so far; zeros without tiles."""
        counts: NDArray[np.int64] = sum(map(_tiles_of, self._sessions.values()), self._tiles)
        return counts

    def forget_tiles(self) -> None:
        """Count tiles from now on."""
        self._tiles = self._tiles - self.tiles

    @property
    def shares(self) -> "Shares | None":
        """What became of the tiles of all frames so far; None if every pixel is computed."""
        tiles = self.tiles
        if not tiles.any():
            return None
        from vidsr.upscaling.compute.compute_plan import Shares

        return Shares.of(tiles)

    def _close(self, session: AnySession) -> None:
        self._tiles = self._tiles + _tiles_of(session)
        session.close()

    def _planned(self, width: int, height: int, subsampling: tuple[int, int]) -> tuple[Plan, Model | None]:
        key = self.wanted, width, height, subsampling
        if key not in self._plans:
            default = self._only.card.scale if self._only else USUAL_SCALE
            size = self.wanted.size(width, height, default=default, subsampling=subsampling)
            factor = max(size[0] / width, size[1] / height)
            model = None if factor <= 1 else self._only or self._load(self._path_for(width, height, size))
            if model is not None:
                checked(width * model.card.scale, height * model.card.scale)  # its result, before the last resize
            self._plans[key] = Plan(*size, model.card if model else None), model
        return self._plans[key]

    def _path_for(self, width: int, height: int, size: tuple[int, int]) -> Path:
        """Return the network that makes frames of a size larger: the one that keeps up, if that was asked for."""
        factor = max(size[0] / width, size[1] / height)
        key = width, height, factor
        if key not in self._chosen:
            self._chosen[key] = usual = zoo.by_scale(factor)
            if self._rate is not None:
                scale = load_model(usual).card.scale
                demand = Demand(width, height, size[0] * size[1], self._rate, self._bits)
                found = choose_model(scale, demand, partial(load_for, options=self._options.upscale), self._options)
                if found is not None:
                    self._chosen[key], self.choice = found
        return self._chosen[key]

    def _load(self, path: Path) -> Model:
        if path not in self._models:
            self._models[path] = load_for(path, self._options.upscale)
        self.card = self._models[path].card
        return self._models[path]

    def _takes(self, frame: Frame) -> bool:
        """Return whether the engine reads a semi-planar frame where it lies."""
        plane: Any = frame.planes[0]
        if not lies_on_gpu(frame):
            return isinstance(plane, np.ndarray) or self.setup.engine in TAKES_DLPACK
        number = plane.__dlpack_device__()[1]
        here = self.setup.device == f"cuda:{number}" or (self.setup.device == "cuda" and number == 0)
        return here and self.setup.engine in TAKES_DLPACK

    def _session(self, model: Model, frame: Frame, opened: Callable[..., Opened]) -> Opened:
        """Return the session for frames of this kind, opened when the first comes."""
        color = replace(frame.color, primaries=0, transfer=0)  # these two change no number
        key = model.name, frame.height, frame.width, frame.bits, color, len(frame.planes)
        if key not in self._sessions:
            self._sessions[key] = opened(model, frame, self._options)
        self._sessions.move_to_end(key)
        if len(self._sessions) > max(SESSIONS, self.in_flight):  # tiles of each frame in flight may wait
            self._close(self._sessions.popitem(last=False)[1])
        return cast(Opened, self._sessions[key])


def load_for(path: Path, options: UpscaleOptions) -> Model:
    """Load the file of a model that computes in the precision asked for. Raises NotAModel, EngineError."""
    file = _fastest(path, options)
    return replace(load_model(file), name=zoo.name_of(path), file=file)


def _fastest(path: Path, options: UpscaleOptions) -> Path:
    """Return the file of a model that computes in the precision asked for: int8 has its own, beside the model's.

    Raises EngineError if int8 is asked for and the model has no such file.
    """
    file = zoo.int8_file(path)
    if options.precision == "int8" and file is None and not path.name.endswith(zoo.INT8):
        raise EngineError(
            f"{path} has no file {path.with_suffix(zoo.INT8).name} beside it, which int8 needs; use --precision auto"
        )
    automatic = options.precision == "auto" and takes_int8(options.engine, options.device)
    return file if file is not None and (options.precision == "int8" or automatic) else path


def takes_int8(engine: str, device: str) -> bool:
    """Return whether precision `auto` is int8 for models that have a file for it."""
    on_cpu = device in ("auto", "cpu") and choose(engine) == "openvino" and gpu_of(device) is None
    return on_cpu and computes_int8_faster()


def _open(model: Model, frame: Frame, options: SessionOptions) -> "Session | AdaptiveSession":
    """Open a session that computes what `options.upscale.compute` asks for."""
    if options.upscale.compute == "full":
        return open_session(model, frame, options)
    return _open_computed(model, frame, options)


def _open_computed(model: Model, frame: Frame, options: SessionOptions) -> "Session | AdaptiveSession":
    """Open a session that computes some tiles."""
    from vidsr.upscaling.compute.adaptive_session import open_computed

    return open_computed(model, frame, options)


def _tiles_of(session: AnySession) -> NDArray[np.int64]:
    return np.zeros(3, np.int64) if isinstance(session, Session | GpuSession) else session.tiles


class PendingUpscale:
    """A frame being upscaled."""

    def __init__(self, run: "PendingPlanes | PendingTiles", canvas: Frame, plan: Plan, final: Resizer) -> None:
        self._run, self._canvas, self._plan, self._final = run, canvas, plan, final

    def result(self) -> Frame:
        """Wait for the upscaled frame. Call it once."""
        self._run.write(self._canvas)
        frame, plan = self._canvas, self._plan
        if (frame.width, frame.height) == (plan.width, plan.height):
            return frame
        if 0 <= frame.width - plan.width <= 1 and 0 <= frame.height - plan.height <= 1:
            return cropped(frame, plan.width, plan.height)  # a side made even: a resize would blur all of it
        return self._final.resize(frame, plan.width, plan.height)
