"""One network compiled for one kind of picture: its tiles and its engine."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakSet, ref

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from vidsr import zoo
from vidsr.card import QP_NAME
from vidsr.context import Context
from vidsr.engines import Arrays, Engine, Pending, Setup, built_ahead, settle
from vidsr.engines.graph_format import PLANES_IN, UNSHUFFLED, UNSHUFFLED_CHROMA
from vidsr.engines.tuning import Tuning
from vidsr.errors import EngineBusy, VidsrError
from vidsr.frames import Frame, Plane
from vidsr.options import UpscaleOptions
from vidsr.upscaling.fp16_guard import open_watched
from vidsr.upscaling.graph.edges import attach, planes_of, shuffle
from vidsr.upscaling.model_file import card_of, load
from vidsr.upscaling.output_size import halvings
from vidsr.upscaling.tiling import Span, tile_size, tile_spans

AHEAD = 4  # tiles in an engine at once, where the frames in flight are not more: one is taken while others are computed
EDGES_RECEPTIVE_FIELD = (
    4  # of RGB edges, in input pixels: chroma is interpolated before the network and averaged after it
)
log = logging.getLogger(__name__)


class Network:
    """A model file and its card."""

    def __init__(self, path: Path) -> None:
        self.name = zoo.name_of(path)
        self.card = card_of(path)
        self.model = load(path)
        stored = next((each for each in self.model.graph.initializer if each.name == QP_NAME), None)
        self.qp = None if stored is None else numpy_helper.to_array(stored).astype(np.float32)

    @property
    def step(self) -> int:
        """What places of tiles must be multiples of, in input pixels; even, as halved chroma wants it."""
        return math.lcm(2, self.card.step)

    @property
    def receptive_field(self) -> int:
        """Receptive radius with the edges, in input pixels; a multiple of `step`."""
        receptive_field = self.card.receptive_field + (EDGES_RECEPTIVE_FIELD if self.card.channels == 3 else 0)
        return receptive_field + -receptive_field % self.step

    def tile_size(self, height: int, width: int, tile: int | None = None, *, on_cpu: bool) -> tuple[int, int]:
        """Of pictures of so many input pixels; see `tiling.tile_size`."""
        return tile_size(
            height, width, tile, receptive_field=self.receptive_field, step=self.step, card=self.card, on_cpu=on_cpu
        )


@dataclass(frozen=True)
class SessionOptions:
    """How networks are run: what the user asked for, and what was decided."""

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

    down: Span
    across: Span


class Session:
    """A network with the edges for pictures of one size, depth and colour."""

    def __init__(
        self, network: Network, frame: Frame, options: SessionOptions, *, size: tuple[int, int] | None = None
    ) -> None:
        """size: height and width of the tiles; None takes what `options.upscale.tile` says."""
        assert options.upscale.tile != "auto", "open_lane measures"
        card = network.card
        self._network = network
        setup = setup_for(network, frame.bits, options)
        self._size = size or network.tile_size(
            frame.height, frame.width, options.upscale.tile, on_cpu=setup.device == "cpu"
        )
        sides = zip((frame.height, frame.width), self._size, strict=True)
        down, across = (tile_spans(length, tile, network.receptive_field, network.step) for length, tile in sides)
        self._tiles = [Tile(each, other) for each in down for other in across]
        height, width = self._size

        def graph_of(watched: bool) -> bytes:
            return attach(
                network.model,
                channels=card.channels,
                height=height,
                width=width,
                bits=frame.bits,
                color=frame.color,
                gray=len(frame.planes) == 1,
                shuffled=setup.device != "cpu",
                watched=watched,
                model_name=network.name,
                scale=card.scale,
                step=card.step,
            )

        self._in_flight, self._frames = options.in_flight, WeakSet[PendingPlanes]()
        self._waiting, self._started = deque[ref[TileRun]](), WeakSet[TileRun]()
        self._room = max(options.in_flight, min(options.in_flight * len(self._tiles), AHEAD))
        streams = options.tuning.streams_for(height * width)
        self._engine = engine_for(network, graph_of, setup, options, in_flight=self._room, streams=streams)

    def submit(self, frame: Frame) -> "PendingPlanes":
        """Start on a frame's planes; on luma alone for a luma network. Raises EngineBusy."""
        if sum(not each.taken for each in self._frames) >= self._in_flight:
            raise EngineBusy(f"{self._in_flight} frames are under way already; take the result of one first")
        known, pieces = known_of(self._network, frame), []
        for tile in self._tiles:
            planes = zip(PLANES_IN, self._cut(frame, tile), strict=False)
            pieces.append(TileRun(tile, {name: plane[None, None] for name, plane in planes} | known))
        pending = PendingPlanes(pieces, self._network.card.scale, self.start)
        self._frames.add(pending)
        self._waiting.extend(map(ref, pieces))
        self.start()
        return pending

    def start(self) -> None:
        """Give the engine as many tiles as it takes at once; the others wait for room, so that memory is bounded."""
        while self._waiting and sum(each.run is not None for each in self._started) < self._room:
            piece = self._waiting.popleft()()
            if piece is not None:  # still wanted
                piece.run = self._engine.submit(piece.inputs)
                self._started.add(piece)

    def _cut(self, frame: Frame, tile: Tile) -> Iterator[Plane]:
        height, width = self._size
        for index, plane in enumerate(frame.planes[: self._network.card.channels]):
            across, down = halvings(frame) if index else (0, 0)
            lines = slice(tile.down.start >> down, (tile.down.start + height + down) >> down)
            yield plane[lines, tile.across.start >> across : (tile.across.start + width + across) >> across]

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()


def engine_for(
    network: Network,
    graph_of: Callable[[bool], bytes],
    setup: Setup,
    options: SessionOptions,
    *,
    in_flight: int,
    streams: int = 1,
) -> Engine:
    """Open what computes a lane's pictures best; see `best_of` and `open_watched`."""
    return open_watched(
        graph_of,
        best_of(
            graph_of, setup, asked=options.upscale.engine, stateless=options.upscale.stateless, context=options.context
        ),
        title=network.card.name,
        in_flight=in_flight,
        threads=options.upscale.threads,
        streams=streams,
        stateless=options.upscale.stateless,
        context=options.context,
    )


def known_of(network: Network, frame: Frame) -> dict[str, NDArray[np.float32]]:
    """What a network is told beside the picture: the quantiser, where it knows it."""
    if (stored := network.qp) is None:
        return {}
    return {QP_NAME: stored if frame.qp is None else np.full_like(stored, frame.qp / 51)}


def setup_for(network: Network, bits: int, options: SessionOptions) -> Setup:
    """What computes; where no precision is asked for, f32 in place of bf16 where that would spoil 10 bits.

    That is so on the way to R'G'B' and back (up to 8 levels), and where a network enlarges its input by an operator of
    its own (4 levels). What luma networks add to is else kept in f32. f16 is eight times as fine.
    """
    setup = settle(engine=options.upscale.engine, device=options.upscale.device, precision=options.upscale.precision)
    resizes = any(node.op_type in ("Resize", "Upsample") for node in network.model.graph.node)
    spoilt = options.upscale.precision == "auto" and setup.precision == "bf16" and bits > 8
    return replace(setup, precision="f32") if spoilt and (network.card.channels == 3 or resizes) else setup


class TileRun:
    """A tile that is computed, or waits for it."""

    def __init__(self, tile: Tile, inputs: Arrays) -> None:
        self.tile, self.inputs = tile, inputs
        self.run: Pending | None = None


class PendingPlanes:
    """The tiles of one frame."""

    taken = False

    def __init__(self, pieces: list[TileRun], scale: int, start: Callable[[], None]) -> None:
        self._pieces, self._scale, self._start = pieces, scale, start

    def write(self, canvas: Frame) -> None:
        """Wait, and overwrite the planes of a frame of the enlarged size with what the network made of them.

        Raises EngineBusy where the tiles of a frame before it fill the engine, and nobody has taken them.
        """
        for piece in self._pieces:
            if piece.run is None:
                self._start()  # a frame before this one may have been dropped
            if piece.run is None:
                raise EngineBusy("a frame before this one is under way; take its result first")
            self._put(piece.tile, piece.run.result(), canvas)
            piece.run = None
            self._start()
        self.taken = True

    def _put(self, tile: Tile, results: Arrays, canvas: Frame) -> None:
        whole = [(name, *each) for name, codes in results.items() for each in planes_of(name, codes).items()]
        for name, index, codes in whole:
            across, down = halvings(canvas) if index else (0, 0)
            lines, columns = _kept(tile.down, self._scale, down), _kept(tile.across, self._scale, across)
            target = canvas.planes[index][lines, columns]
            if name in (UNSHUFFLED, UNSHUFFLED_CHROMA):
                shuffle(codes[:, _kept_of(tile.down, 1), _kept_of(tile.across, 1)], target)
            else:
                lines, columns = (
                    _kept_of(tile.down, self._scale, down),
                    _kept_of(tile.across, self._scale, across),
                )
                np.copyto(target, codes[0, 0, lines, columns])


def _kept(span: Span, scale: int, halving: int = 0, *, start: int = 0) -> slice:
    """The enlarged pixels that a tile answers for, counted from input pixel `start`."""
    first, end = (span.keep_from - start) * scale, (span.keep_to - start) * scale
    return slice(first >> halving, (end + halving) >> halving)


def _kept_of(span: Span, scale: int, halving: int = 0) -> slice:
    """The same, counted in the tile."""
    return _kept(span, scale, halving, start=span.start)


def best_of(
    graph_of: Callable[[bool], bytes],
    setup: Setup,
    *,
    asked: str,
    stateless: bool,
    context: Context,
) -> Setup:
    """Give TensorRT in place of `setup` where an engine fits, and say what computes.

    graph_of, steady: see `open_watched`. asked: the engine that was asked for. notice: called with a sentence; None
    logs it. Nothing changes, and nothing is said, on the CPU and where an engine was asked for. Where every run shall
    stand alone no engine is looked for: one that is built meanwhile would make the next run another.
    """
    if asked != "auto" or setup.device == "cpu":
        return setup
    why = ""
    if not stateless:
        try:
            file = built_ahead(graph_of(setup.precision == "f16"), setup)
        except VidsrError as exc:
            file, why = None, f"; {exc}"
        if file is not None:
            context.warn(f"TensorRT computes in {setup.precision}, by {file.name}")
            return replace(setup, engine="tensorrt")
    context.warn(f"{setup.engine} computes on the GPU in {setup.precision}{why}")
    return setup
