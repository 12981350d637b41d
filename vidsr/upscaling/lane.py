"""One network compiled for one kind of picture: its tiles and its engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from vidsr import zoo
from vidsr.card import QUANTISER, ModelCard, read_card
from vidsr.engines import Pending, Precision, Setup, settle
from vidsr.engines.tuning import Tuning
from vidsr.frames import Frame, Plane
from vidsr.upscaling.edges import attach, planes_of, shuffle
from vidsr.upscaling.goal import halvings
from vidsr.upscaling.probe import probe
from vidsr.upscaling.ready import best_of
from vidsr.upscaling.surgery import PLANES_IN, UNSHUFFLED, UNSHUFFLED_CHROMA, load
from vidsr.upscaling.tiles import Span, seams
from vidsr.upscaling.tiling import tile_size
from vidsr.upscaling.watched import open_watched

EDGES_REACH = 4  # of RGB edges, in input pixels: chroma is interpolated before the network and averaged after it


class Network:
    """A model file and its card."""

    def __init__(self, path: Path) -> None:
        self.name = zoo.name_of(path)
        self.card: ModelCard = read_card(path) or probe(path)
        self.model = load(path)
        stored = next((each for each in self.model.graph.initializer if each.name == QUANTISER), None)
        self.quantiser = None if stored is None else numpy_helper.to_array(stored).astype(np.float32)

    @property
    def reach(self) -> int:
        """Receptive radius with the edges, in input pixels; even."""
        reach = self.card.reach + (EDGES_REACH if self.card.channels == 3 else 0)
        return reach + reach % 2


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """How networks are run; see `open_upscaler`."""

    engine: str = "auto"
    device: str = "auto"
    precision: Precision = "auto"
    tile: int | None = None
    in_flight: int = 2
    threads: int = 0
    steady: bool = False
    notice: Callable[[str], None] | None = None
    tuning: Tuning = field(default_factory=Tuning)


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of the picture."""

    down: Span
    across: Span


class Lane:
    """A network with the edges for pictures of one size, depth and colour."""

    def __init__(self, network: Network, frame: Frame, options: LaneOptions) -> None:
        card = network.card
        self._network = network
        setup = setup_for(network, frame.bits, options)
        self._size = tile_size(
            frame.height, frame.width, options.tile, reach=network.reach, card=card, on_cpu=setup.device == "cpu"
        )
        sides = zip((frame.height, frame.width), self._size, strict=True)
        down, across = (seams(length, tile, network.reach) for length, tile in sides)
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
            )

        self._engine = open_watched(
            graph_of,
            best_of(graph_of, setup, asked=options.engine, steady=options.steady, notice=options.notice),
            title=card.name,
            in_flight=options.in_flight * len(self._tiles),
            threads=options.threads,
            streams=options.tuning.streams_for(height * width),
            steady=options.steady,
            notice=options.notice,
        )

    def submit(self, frame: Frame) -> "PendingPlanes":
        """Start on a frame's planes; on luma alone for a luma network. Raises EngineBusy."""
        known, runs = known_of(self._network, frame), []
        for tile in self._tiles:
            cut = self._cut(frame, tile)
            inputs = {name: plane[None, None] for name, plane in zip(PLANES_IN, cut, strict=False)}
            runs.append((tile, self._engine.submit({**inputs, **known})))
        return PendingPlanes(runs, self._network.card.scale)

    def _cut(self, frame: Frame, tile: Tile) -> Iterator[Plane]:
        height, width = self._size
        for index, plane in enumerate(frame.planes[: self._network.card.channels]):
            across, down = halvings(frame) if index else (0, 0)
            lines = slice(tile.down.start >> down, (tile.down.start + height + down) >> down)
            yield plane[lines, tile.across.start >> across : (tile.across.start + width + across) >> across]

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()


class PendingPlanes:
    """The runs of one frame."""

    def __init__(self, runs: list[tuple[Tile, Pending]], scale: int) -> None:
        self._runs, self._scale = runs, scale

    def write(self, canvas: Frame) -> None:
        """Wait, and overwrite the planes of a frame of the enlarged size with what the network made of them."""
        for tile, run in self._runs:
            whole = [(name, *each) for name, codes in run.result().items() for each in planes_of(name, codes).items()]
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


def known_of(network: Network, frame: Frame) -> dict[str, NDArray[np.float32]]:
    """What a network is told beside the picture: the quantiser, where it knows it."""
    if (stored := network.quantiser) is None:
        return {}
    return {QUANTISER: stored if frame.quantiser is None else np.full_like(stored, frame.quantiser / 51)}


def setup_for(network: Network, bits: int, options: LaneOptions) -> Setup:
    """What computes; where no precision is asked for, f32 in place of bf16 where that would spoil 10 bits.

    That is so on the way to R'G'B' and back (up to 8 levels), and where a network enlarges its input by an operator of
    its own (4 levels). What luma networks add to is else kept in f32. f16 is eight times as fine.
    """
    setup = settle(engine=options.engine, device=options.device, precision=options.precision)
    resizes = any(node.op_type in ("Resize", "Upsample") for node in network.model.graph.node)
    spoilt = options.precision == "auto" and setup.precision == "bf16" and bits > 8
    return replace(setup, precision="f32") if spoilt and (network.card.channels == 3 or resizes) else setup
