"""A luma network for frames of one size that computes some tiles, and takes over or resizes the others."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from vidsr.engines import Engine, Pending, open_engine
from vidsr.engines.graph_format import PLANES_IN, UNSHUFFLED
from vidsr.errors import EngineBusy
from vidsr.frames import Frame, Plane
from vidsr.system import cores
from vidsr.upscaling.compute.compute_plan import NETWORK, PLAIN, UNKNOWN, ComputePlanner, FramePlan, Gains
from vidsr.upscaling.compute.fade import Fade
from vidsr.upscaling.compute.tile_grid import TileGrid, grid_of
from vidsr.upscaling.graph.edges import shuffle
from vidsr.upscaling.graph.frame_format import format_of
from vidsr.upscaling.graph.tile_edges import INSIDE, attach_to_tile
from vidsr.upscaling.model_file import Model
from vidsr.upscaling.session import PendingPlanes, Session, SessionOptions, setup_for
from vidsr.upscaling.tile_tuning import open_session
from vidsr.video.convert.resizer import Resizer

STREAMS = 8  # batches computed at once, each by its share of the threads
BATCH = 4  # tiles in one run, which spares a fifth of a small network's time; what is left over is computed one by one
EXACT = ("f32", "bf16")  # f16 may overflow, which only whole frames are guarded against
SAMPLED = 4  # every fourth line of a tile is looked at to see what the network changed
REMEASURED = 8  # frames that are computed whole, of which one is compared with a resize


class AdaptiveSession:
    """A network with the edges for tiles, and the result of the last frame."""

    def __init__(
        self, model: Model, frame: Frame, options: SessionOptions, grid: TileGrid, graphs: Mapping[int, bytes]
    ) -> None:
        """graphs: the network for so many tiles of the grid at once; see `attach_to_tile`."""
        self._model, self._options, self._grid = model, options, grid
        setup = setup_for(model, frame.bits, options)
        streams = min(options.upscale.threads or cores(), STREAMS)
        self._engines: dict[int, Engine] = {
            count: open_engine(
                graph, engine=setup.engine, device=setup.device, precision=setup.precision,
                in_flight=2 * streams, threads=options.upscale.threads, streams=streams,
            )
            for count, graph in graphs.items()
        }  # fmt: skip
        self._whole: Session | None = None
        self._resizer = Resizer("lanczos", threads=1)
        scale = model.card.scale
        down, across = grid.shape
        size = down * grid.rows * scale, across * grid.columns * scale
        compute = options.upscale.compute
        # `full` comes here with a budget for each frame.
        self.planner = ComputePlanner(grid, Gains(model.card.gains), 1.0 if compute == "full" else compute)
        self.raw: Plane = np.zeros(size, frame.planes[0].dtype)
        self.fade = Fade(grid.rows * scale, grid.columns * scale, 2 * scale)
        self.tiles = np.zeros(3, np.int64)
        """How many were PLAIN, NETWORK and REUSED so far."""
        self._waiting = deque[ref[TileJob]]()
        self._frames: list[ref[PendingTiles]] = []  # under way, oldest first
        self._whole_frames = 0

    def submit(self, frame: Frame, budget: float | None = None) -> "PendingTiles":
        """Start on the luma of a frame; budget: see `ComputePlanner.plan`. Raises EngineBusy."""
        under_way = [pending for each in self._frames if (pending := each()) is not None]
        if len(under_way) >= self._options.in_flight:
            raise EngineBusy(f"{self._options.in_flight} frames are under way already; take the result of one first")
        if len(under_way) < len(self._frames):  # one was dropped, and its results with it
            self.planner.forget()
            self._frames = [ref(pending) for pending in under_way]
        last = under_way[-1] if under_way else None
        plan = self.planner.plan(frame, budget)
        self.tiles += np.bincount(plan.kinds.ravel(), minlength=3)
        if plan.whole:
            self._whole = self._whole or open_session(self._model, frame, self._options)
            self._whole_frames += 1
            measures = self._whole_frames % REMEASURED == 1
            pending = PendingTiles(self, frame, plan, last, whole=self._whole.submit(frame), measures=measures)
        else:
            jobs = list(self._jobs(frame, plan))
            self._waiting.extend(map(ref, jobs))
            pending = PendingTiles(self, frame, plan, last, jobs=jobs)
            self.start()
        self._frames.append(ref(pending))
        return pending

    def start(self) -> None:
        """Give the engine as many tiles as it takes at once."""
        while self._waiting:
            job = self._waiting[0]()
            if job is not None:  # its frame is still wanted
                try:
                    job.run = self._engines[len(job.tiles)].submit(job.inputs)
                except EngineBusy:
                    return
            self._waiting.popleft()

    def take(self, job: "TileJob") -> None:
        """Wait for tiles, and keep their results."""
        if job.run is None:
            self.start()  # a frame before this one may have been dropped
        assert job.run is not None, "frames are taken in order, so the engine has room for this one's tiles"
        codes = job.run.result()[UNSHUFFLED]
        rows = self._grid.rows
        for index, tile in enumerate(job.tiles):
            shuffle(codes[:, index * rows : (index + 1) * rows], self.raw[self._cell(*tile)])
        job.run, job.inputs = None, {}
        self.start()

    def done(self, pending: "PendingTiles") -> None:
        """Count a frame as no longer under way."""
        self._frames = [each for each in self._frames if each() is not pending]

    def resized(self, frame: Frame) -> Plane:
        """Return the luma of a frame, resized."""
        scale = self._model.card.scale
        color = replace(frame.color, subsampling=(0, 0))
        luma = replace(frame, planes=frame.planes[:1], color=color, alpha=None, av_frame=None)
        return self._resizer.resize(luma, frame.width * scale, frame.height * scale).planes[0]

    def place(self, row: int, column: int) -> tuple[slice, slice]:
        """Return where a tile is in the upscaled frame."""
        return self._grid.place(row, column, self._model.card.scale)

    def changes(self, plan: FramePlan, plain: Plane, bits: int) -> NDArray[np.float32]:
        """Return what the network changed in the tiles that it computed: mean squares in 8-bit levels, else NaN."""
        found = np.full(plan.kinds.shape, np.nan, np.float32)
        for row, column in np.argwhere(plan.kinds == NETWORK):
            rows, columns = self.place(row, column)
            part = slice(rows.start + SAMPLED // 2, rows.stop, SAMPLED), columns
            change = self.raw[part].astype(np.float32) - plain[part]
            found[row, column] = np.vdot(change, change) / max(1, change.size)
        return found / np.float32(4 ** (bits - 8))

    @property
    def whole_canvas(self) -> Plane:
        """The part of `raw` that is the frame."""
        scale = self._model.card.scale
        return self.raw[: self._grid.height * scale, : self._grid.width * scale]

    def close(self) -> None:
        """Close the engines."""
        for engine in self._engines.values():
            engine.close()
        if self._whole is not None:
            self._whole.close()

    def _jobs(self, frame: Frame, plan: FramePlan) -> Iterator["TileJob"]:
        """Yield the tiles of a frame in batches, each of one QP."""
        chosen = plan.kinds == NETWORK
        for qp in np.unique(plan.qps[chosen]):
            asked = self._qp(frame, qp)
            tiles = [(row, column) for row, column in np.argwhere(chosen & (plan.qps == qp)).tolist()]
            whole = len(tiles) - len(tiles) % BATCH
            batches = [tiles[start : start + BATCH] for start in range(0, whole, BATCH)]
            for batch in [*batches, *([tile] for tile in tiles[whole:])]:
                windows = [self._grid.window(*tile) for tile in batch]
                planes = {PLANES_IN[0]: plan.padded, INSIDE: self._grid.inside}
                inputs = {name: np.stack([plane[window] for window in windows]) for name, plane in planes.items()}
                yield TileJob(batch, {name: cut[:, None] for name, cut in inputs.items()} | asked)

    def _qp(self, frame: Frame, qp: float) -> dict[str, Any]:
        return self._model.qp_input(replace(frame, qp=None if qp == UNKNOWN else float(qp)))

    def _cell(self, row: int, column: int) -> tuple[slice, slice]:
        down, across = (side * self._model.card.scale for side in (self._grid.rows, self._grid.columns))
        return slice(row * down, (row + 1) * down), slice(column * across, (column + 1) * across)


@dataclass(slots=True, weakref_slot=True, eq=False)
class TileJob:
    """Tiles that are being computed together, or wait for it."""

    tiles: list[tuple[int, int]]
    inputs: dict[str, NDArray[Any]]
    run: Pending | None = None


class PendingTiles:
    """A frame of which some tiles are being computed."""

    def __init__(
        self,
        session: AdaptiveSession,
        frame: Frame,
        plan: FramePlan,
        before: "PendingTiles | None",
        *,
        jobs: list[TileJob] | None = None,
        whole: PendingPlanes | None = None,
        measures: bool = True,
    ) -> None:
        """before: the frame whose results this one takes over. measures: whether to see what the network changed."""
        self._session, self._frame, self._plan, self._jobs, self._whole = session, frame, plan, jobs or [], whole
        self._before = before
        self._measures = measures
        self._taken = False

    def write(self, canvas: Frame) -> None:
        """Wait, and overwrite the luma of a frame of the upscaled size.

        Raises EngineBusy if the result of a later frame was taken already, which took over this one's.
        """
        if self._taken:
            raise EngineBusy("the result of a later frame was taken already; take results in order")
        self._collect(canvas)
        session, plan, target = self._session, self._plan, canvas.planes[0]
        plain = None
        if self._measures or (plan.kinds == PLAIN).any():
            plain = session.resized(self._frame)
        if self._measures and plain is not None:
            session.planner.learn(plan, session.changes(plan, plain, self._frame.bits))
        if plain is None or not (plan.kinds == PLAIN).any():
            np.copyto(target, session.whole_canvas)
            return
        np.copyto(target, plain)
        for row, column in np.argwhere(plan.kinds != PLAIN):
            place = session.place(row, column)
            session.fade.put(plan.kinds == PLAIN, (int(row), int(column)), session.raw[place], target[place])

    def _collect(self, canvas: Frame) -> None:
        """Put the network's results where the next frame finds them, after those of the frame before."""
        if self._taken:
            return
        if self._before is not None:
            self._before._collect(canvas)
        if self._whole is not None:
            self._whole.write(replace(canvas, planes=(self._session.whole_canvas,)))
        for job in self._jobs:
            self._session.take(job)
        self._before, self._jobs, self._whole, self._taken = None, [], None, True
        self._session.done(self)


def open_computed(model: Model, frame: Frame, options: SessionOptions) -> Session | AdaptiveSession:
    """Open a session that computes some tiles, as `options.upscale.compute` asks, or all with a warning of why."""
    opened = _adaptive(model, frame, options)
    if isinstance(opened, str):
        if options.upscale.compute != "full":
            options.context.warn(f"every pixel is computed by the network: {opened}")
        return open_session(model, frame, options)
    return opened


def _adaptive(model: Model, frame: Frame, options: SessionOptions) -> AdaptiveSession | str:
    """Return the session, or the reason why it cannot be opened."""
    name, step = model.card.name, model.card.step
    setup = setup_for(model, frame.bits, options)
    if options.upscale.stateless:
        return "each frame is computed without those before it, as --resume needs"
    if model.card.channels != 1:
        return f"{name} is an RGB network, and --compute is for luma networks"
    if options.upscale.compute == "adaptive" and not model.card.gains:
        return f"the card of {name} does not say where it gains; give a share such as --compute 0.5"
    if setup.device != "cpu" or setup.precision not in EXACT:
        return f"--compute is for the CPU in f32 or bf16, and {setup.device} computes in {setup.precision}"
    if options.upscale.tile is not None:
        return "--tile sets the tiles"
    if model.fixed:
        return f"{name} takes images of one size only"
    if frame.width % step or frame.height % step:
        return f"{name} takes sides that are multiples of {step}; got {frame.width}x{frame.height}"
    wanted = format_of(frame)
    around = attach_to_tile(model.graph, replace(wanted, width=2 * step, height=2 * step))
    if around is None:
        return f"{name} has operators that cannot be computed tile by tile without their padding"
    grid = grid_of(frame.height, frame.width, around.rows, around.columns)
    size = replace(wanted, width=grid.columns, height=grid.rows)
    made = {count: attach_to_tile(model.graph, size, count=count) for count in (BATCH, 1)}
    graphs = {count: each.graph for count, each in made.items() if each is not None}
    return AdaptiveSession(model, frame, options, grid, graphs)
