"""One network compiled for frames of one size, depth and colour: its tiles and its engine."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from weakref import WeakSet, ref

import numpy as np

from vidsr.context import Context
from vidsr.engines import Arrays, Engine, Pending, Setup, built_ahead, settle
from vidsr.engines.graph_format import PLANES_IN, UNSHUFFLED
from vidsr.engines.tuning import Tuning
from vidsr.errors import EngineBusy, VidsrError
from vidsr.frames import Frame, Plane
from vidsr.options import UpscaleOptions
from vidsr.upscaling.fp16_guard import open_guarded
from vidsr.upscaling.graph.edges import attach, plane_index, shuffle
from vidsr.upscaling.graph.frame_format import FrameFormat, format_of
from vidsr.upscaling.model_file import Model
from vidsr.upscaling.output_size import subsampling_of
from vidsr.upscaling.tiling import Span, tile_spans

TILES_AHEAD = 4  # in an engine at once, unless more frames are in flight: one is taken while others are computed


@dataclass(frozen=True)
class SessionOptions:
    """How networks are run: what the user asked for, and what was measured on this machine."""

    upscale: UpscaleOptions = field(default_factory=UpscaleOptions)
    tuning: Tuning = field(default_factory=Tuning)
    context: Context = field(default_factory=Context)

    @property
    def in_flight(self) -> int:
        """Frames under way at once."""
        return self.upscale.in_flight or self.tuning.in_flight


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a frame."""

    rows: Span
    columns: Span


class Session:
    """A network with the edges for frames of one size, depth and colour."""

    def __init__(
        self, model: Model, frame: Frame, options: SessionOptions, *, size: tuple[int, int] | None = None
    ) -> None:
        """size: height and width of the tiles; None: as `options.upscale.tile` says."""
        assert options.upscale.tile != "auto", "open_session measures"
        self._model = model
        setup = setup_for(model, frame.bits, options)
        asked = options.upscale.tile
        self._size = size or model.tile_size(frame.height, frame.width, asked, on_cpu=setup.device == "cpu")
        sides = zip((frame.height, frame.width), self._size, strict=True)
        rows, columns = (tile_spans(length, tile, model.receptive_field, model.step) for length, tile in sides)
        self._tiles = [Tile(row, column) for row in rows for column in columns]
        if len(self._tiles) > 1 and model.fixed and model.receptive_field < model.card.receptive_field:
            what = f"{model.name} takes images of {model.fixed[1]}x{model.fixed[0]} only, less than it looks at"
            options.context.warn(f"{what}: the borders of tiles may be visible; export it with dynamic sides")
        height, width = self._size
        wanted = replace(format_of(frame), width=width, height=height)
        self._in_flight, self._frames = options.in_flight, WeakSet[PendingPlanes]()
        self._waiting, self._started = deque[ref[TileRun]](), WeakSet[TileRun]()
        self._most = max(options.in_flight, min(options.in_flight * len(self._tiles), TILES_AHEAD))
        streams = options.tuning.streams_for(height * width)
        self._engine = engine_for(model, wanted, setup, options, in_flight=self._most, streams=streams)

    def submit(self, frame: Frame) -> "PendingPlanes":
        """Start on the planes of a frame; on luma alone for a luma network. Raises EngineBusy."""
        if sum(not each.taken for each in self._frames) >= self._in_flight:
            raise EngineBusy(f"{self._in_flight} frames are under way already; take the result of one first")
        qp, runs = self._model.qp_input(frame), []
        for tile in self._tiles:
            planes = zip(PLANES_IN, self._cut(frame, tile), strict=False)
            runs.append(TileRun(tile, {name: plane[None, None] for name, plane in planes} | qp))
        pending = PendingPlanes(runs, self._model.card.scale, self.start)
        self._frames.add(pending)
        self._waiting.extend(map(ref, runs))
        self.start()
        return pending

    def start(self) -> None:
        """Give the engine as many tiles as it takes at once; the others wait, so that memory is bounded."""
        while self._waiting and sum(each.run is not None for each in self._started) < self._most:
            tile_run = self._waiting.popleft()()
            if tile_run is not None:  # its frame is still wanted
                tile_run.run = self._engine.submit(tile_run.inputs)
                self._started.add(tile_run)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def _cut(self, frame: Frame, tile: Tile) -> Iterator[Plane]:
        height, width = self._size
        for index, plane in enumerate(frame.planes[: self._model.card.channels]):
            across, down = subsampling_of(frame) if index else (0, 0)
            rows = slice(tile.rows.start >> down, (tile.rows.start + height + down) >> down)
            yield plane[rows, tile.columns.start >> across : (tile.columns.start + width + across) >> across]


def setup_for(model: Model, bits: int, options: SessionOptions) -> Setup:
    """Return what computes: with precision `auto`, f32 in place of bf16 where that would damage 10 bits.

    That is so on the way to R'G'B' and back (up to 8 levels), and in a network that resizes its input itself (4
    levels). Other luma networks add a residual to an input that stays in f32. f16 needs no such care: its steps are an
    eighth of bf16's.
    """
    asked = options.upscale
    setup = settle(engine=asked.engine, device=asked.device, precision=asked.precision)
    if bits > 10:  # f16 ends at 65504, and neither f16 nor bf16 has the steps of 16 bits
        return replace(setup, precision="f32")
    coarse = asked.precision == "auto" and setup.precision == "bf16" and bits > 8
    resizes = any(node.op_type in ("Resize", "Upsample") for node in model.graph.graph.node)
    return replace(setup, precision="f32") if coarse and (model.card.channels == 3 or resizes) else setup


def engine_for(
    model: Model, wanted: FrameFormat, setup: Setup, options: SessionOptions, *, in_flight: int, streams: int = 1
) -> Engine:
    """Open the engine that computes frames of a format best; see `best_setup` and `open_guarded`."""

    @cache  # the choice of the engine and its opening ask for the same graph
    def graph_of(guarded: bool) -> bytes:
        card = model.card
        return attach(
            model.graph, wanted, channels=card.channels, scale=card.scale, step=model.fixed or card.step,
            shuffled=setup.device != "cpu", guarded=guarded, name=model.name,
        )  # fmt: skip

    best = best_setup(graph_of, setup, options.upscale, options.context)
    return open_guarded(
        graph_of, best, options.upscale, options.context, title=model.card.name, in_flight=in_flight, streams=streams
    )


def best_setup(graph_of: Callable[[bool], bytes], setup: Setup, options: UpscaleOptions, context: Context) -> Setup:
    """Return a setup with TensorRT if an engine was built for this graph, and report what computes.

    graph_of: see `open_guarded`. Nothing changes, and nothing is reported, on devices other than CUDA's and where the
    user named an engine. If every frame must be computed alone, no TensorRT engine is used: one built between two runs
    would change the result.
    """
    if options.engine != "auto" or not setup.device.startswith("cuda"):
        return setup
    why = ""
    if not options.stateless:
        try:
            file = built_ahead(graph_of(setup.precision == "f16"), setup)
        except VidsrError as exc:
            file, why = None, f"; {exc}"
        if file is not None:
            context.warn(f"TensorRT computes in {setup.precision}, by {file.name}")
            return replace(setup, engine="tensorrt")
    context.warn(f"{setup.engine} computes on the GPU in {setup.precision}{why}")
    return setup


class TileRun:
    """A tile that is being computed, or waits for it."""

    def __init__(self, tile: Tile, inputs: Arrays) -> None:
        self.tile, self.inputs = tile, inputs
        self.run: Pending | None = None


class PendingPlanes:
    """The tiles of one frame."""

    taken = False

    def __init__(self, runs: list[TileRun], scale: int, start: Callable[[], None]) -> None:
        self._runs, self._scale, self._start = runs, scale, start

    def write(self, canvas: Frame) -> None:
        """Wait, and overwrite planes of a frame of the upscaled size with the results.

        Raises EngineBusy if tiles of a frame before it fill the engine and nobody takes them.
        """
        for tile_run in self._runs:
            if tile_run.run is None:
                self._start()  # a frame before this one may have been dropped
            if tile_run.run is None:
                raise EngineBusy("a frame before this one is under way; take its result first")
            self._put(tile_run.tile, tile_run.run.result(), canvas)
            tile_run.run = None
            self._start()
        self.taken = True

    def _put(self, tile: Tile, results: Arrays, canvas: Frame) -> None:
        for name, codes in results.items():
            index = plane_index(name)
            across, down = subsampling_of(canvas) if index else (0, 0)
            rows, columns = _kept(tile.rows, self._scale, down), _kept(tile.columns, self._scale, across)
            target = canvas.planes[index][rows, columns]
            if name == UNSHUFFLED:
                shuffle(codes[:, _kept_of_tile(tile.rows, 1), _kept_of_tile(tile.columns, 1)], target)
            else:
                rows = _kept_of_tile(tile.rows, self._scale, down)
                columns = _kept_of_tile(tile.columns, self._scale, across)
                np.copyto(target, codes[0, 0, rows, columns])


def _kept(span: Span, scale: int, halving: int = 0, *, start: int = 0) -> slice:
    """Return the upscaled pixels that a tile supplies, counted from input pixel `start`."""
    first, end = (span.keep_from - start) * scale, (span.keep_to - start) * scale
    return slice(first >> halving, (end + halving) >> halving)


def _kept_of_tile(span: Span, scale: int, halving: int = 0) -> slice:
    """Return the same, counted from the start of the tile."""
    return _kept(span, scale, halving, start=span.start)
