"""Tiles computed, taken over from the frame before, or resized."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import network, receptive_field, save
from vidsr.card import ModelCard
from vidsr.color import BT709, ColorSpec
from vidsr.context import Context, Notice
from vidsr.errors import EngineBusy
from vidsr.frames import Frame
from vidsr.options import UpscaleOptions
from vidsr.upscaling.compute.compute_plan import NETWORK, PLAIN, REUSED, ComputePlanner, Gains, Shares
from vidsr.upscaling.compute.fade import ONE, Fade
from vidsr.upscaling.compute.tile_grid import TileGrid, grid_of
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.upscaler import Upscaler, load_upscaler, open_upscaler
from vidsr.video.convert.resizer import Resizer

COLOR = ColorSpec(BT709, full_range=False)
HEIGHT, WIDTH = 70, 100  # tiles of 36 and 34 lines and columns: three by two, cut by the edges
GAINS = [[20.0, -3.0, 2.0, 0.0, 1.5], [40.0, -3.0, 2.0, 1.0, 1.5]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A luma network with columns, QP and a table of gains."""
    card = ModelCard("small", 2, 1, receptive_field(2, 2), 2, True, gains=GAINS)
    file = tmp_path_factory.mktemp("models") / "small.onnx"
    return save(network(scale=2, layers=2, columns=2, qp=0.5, residual=0.5), file, card)


def frame(seed: int = 0, *, bits: int = 8, qp: float | None = 25.0, height: int = HEIGHT, width: int = WIDTH) -> Frame:
    rng, dtype = np.random.default_rng(seed), np.uint8 if bits == 8 else np.uint16
    sizes = [(height, width), *[((height + 1) // 2, (width + 1) // 2)] * 2]
    planes = tuple(rng.integers(0, 1 << bits, size).astype(dtype) for size in sizes)
    return Frame(planes, COLOR, bits, qp=qp)


def flat_but(rows: slice, columns: slice, seed: int = 0) -> Frame:
    """A frame with detail in one place."""
    full = frame(seed)
    luma = np.full_like(full.planes[0], 100)
    luma[rows, columns] = full.planes[0][rows, columns]
    return replace(full, planes=(luma, *full.planes[1:]))


def changed(before: Frame, pixels: list[tuple[int, int]]) -> Frame:
    luma = before.planes[0].copy()
    for row, column in pixels:
        luma[row, column] ^= 1
    return replace(before, planes=(luma, *before.planes[1:]))


def same(one: Frame, other: Frame) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def opened(model: Path, compute: Any) -> FrameUpscaler:
    return load_upscaler(model, compute=compute, threads=1, engine="openvino", precision="f32")


@pytest.fixture(scope="module")
def full(model: Path) -> Iterator[FrameUpscaler]:
    with opened(model, "full") as upscaler:
        yield upscaler


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("options", [{}, {"columns": 2}, {"qp": 0.4}, {"layers": 4, "width": 4}], ids=str)
def test_tiles_equal_the_whole_frame(options: dict[str, Any], bits: int, tmp_path: Path) -> None:
    options = {"layers": 2, **options}
    step = options.get("columns", 1)
    card = ModelCard("any", 3, 1, receptive_field(options["layers"], step), step, "qp" in options)
    file = save(network(scale=3, residual=0.5, **options), tmp_path / "any.onnx", card)
    with opened(file, "full") as whole, opened(file, 1.0) as tiles:
        one = frame(bits=bits)
        assert same(tiles(one), whole(one))
        assert tiles.shares == Shares(1, 0, 0)


places = st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1))


@settings(max_examples=6, deadline=None)
@given(st.lists(st.lists(places, max_size=3), min_size=1, max_size=4))
def test_what_is_taken_over_is_exact(model: Path, full: FrameUpscaler, changes: list[list[tuple[int, int]]]) -> None:
    now = frame()
    with opened(model, 1.0) as tiles:
        assert same(tiles(now), full(now))
        for pixels in changes:
            now = changed(now, pixels)
            assert same(tiles(now), full(now))


def test_only_tiles_that_see_the_change_are_computed(model: Path) -> None:
    one = frame()
    with opened(model, 1.0) as tiles:
        tiles(one)
        tiles(changed(one, [(1, 1)]))
        assert tiles.shares == Shares(round(7 / 12, 4), round(5 / 12, 4), 0)
        tiles(changed(one, [(1, 1)]))
        assert tiles.shares == Shares(round(7 / 18, 4), round(11 / 18, 4), 0)


def test_an_unchanged_tile_keeps_its_qp(model: Path, full: FrameUpscaler) -> None:
    one = frame(qp=20)
    with opened(model, 1.0) as tiles:
        before = tiles(one)
        assert same(tiles(replace(one, qp=30)), before)
        later = replace(changed(one, [(1, 1)]), qp=30)
        now, alone = tiles(later).planes[0], full(later).planes[0]
        assert np.array_equal(now[:64, :60], alone[:64, :60])
        assert np.array_equal(now[80:, 90:], before.planes[0][80:, 90:])


@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.8])
def test_the_budget_holds_for_every_frame(share: float) -> None:
    grid = grid_of(160, 240, 3, 6)
    planner = ComputePlanner(grid, Gains(GAINS), share)
    for seed in range(4):
        kinds = planner.plan(frame(seed, height=160, width=240)).kinds
        assert np.count_nonzero(kinds == NETWORK) == int(share * kinds.size)


def test_a_budget_goes_where_detail_is(model: Path) -> None:
    grid = grid_of(HEIGHT, WIDTH, 3, 6)
    kinds = ComputePlanner(grid, Gains([]), 0.2).plan(flat_but(slice(40, 60), slice(40, 60))).kinds
    assert kinds[1, 1] == NETWORK
    assert np.count_nonzero(kinds) == 1


def test_a_still_picture_is_refined_within_the_budget() -> None:
    planner, still = ComputePlanner(grid_of(HEIGHT, WIDTH, 3, 6), Gains(GAINS), 0.5), frame()
    counts = [np.bincount(planner.plan(still).kinds.ravel(), minlength=3)[[NETWORK, REUSED]].tolist() for _ in range(3)]
    assert counts == [[3, 0], [3, 3], [0, 6]]


@pytest.mark.parametrize("bits", [8, 10])
def test_every_pixel_lies_between_network_and_resize(model: Path, bits: int) -> None:
    with opened(model, "full") as whole, opened(model, 0.5) as tiles:
        for seed in range(2):
            one = frame(seed, bits=bits)
            ours, network = tiles(one).planes[0], whole(one).planes[0]
            plain = Resizer("lanczos").resize(one, 2 * WIDTH, 2 * HEIGHT).planes[0]
            assert (ours >= np.minimum(network, plain)).all()
            assert (ours <= np.maximum(network, plain)).all()
            assert 0.3 < float((ours == network).mean()) < 0.8


def test_chroma_is_that_of_full(model: Path, full: FrameUpscaler) -> None:
    one = frame()
    with opened(model, 0.3) as tiles:
        ours, theirs = tiles(one), full(one)
        assert all(np.array_equal(*pair) for pair in zip(ours.planes[1:], theirs.planes[1:], strict=True))


def test_adaptive_leaves_flat_tiles_out_and_detail_in(model: Path, full: FrameUpscaler) -> None:
    with opened(model, "adaptive") as tiles:
        for seed in range(4):
            one = flat_but(slice(44, 60), slice(44, 60), seed)
            ours, network = tiles(one).planes[0], full(one).planes[0]
            assert np.array_equal(ours[92:116, 92:116], network[92:116, 92:116])
        assert tiles.shares is not None
        assert tiles.shares.plain + tiles.shares.reused > 0.3


def test_a_tile_does_not_flip_back_for_little() -> None:
    grid = TileGrid(32, 64, 32, 32, 0, 0)
    planner = ComputePlanner(grid, Gains(GAINS), 0.5)
    rng = np.random.default_rng(0)
    kinds = []
    for left, right in [(10, 9), (10, 11), (10, 11), (10, 20)]:
        luma = 100 + rng.integers(0, 5, (32, 64)) + rng.integers(0, 2, (32, 64)) * np.repeat([left, right], 32)
        kinds.append(planner.plan(Frame((luma.astype(np.uint8),), COLOR, 8, qp=25.0)).kinds.ravel().tolist())
    assert kinds == [[NETWORK, PLAIN]] * 3 + [[PLAIN, NETWORK]]


def test_fading_agrees_along_the_edge_of_two_tiles() -> None:
    plain = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]], bool)
    white, fade = np.full((16, 16), 200, np.uint8), Fade(16, 16, 4)
    made = np.zeros((48, 48), np.uint8)
    for row, column in np.argwhere(~plain).tolist():
        place = slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16)
        fade.put(plain, (row, column), white, made[place])
    steps = np.abs(np.diff(made.astype(int), axis=0)).max(), np.abs(np.diff(made.astype(int), axis=1)).max()
    assert max(steps) <= 200 / 4 + 1
    assert made[:16, :28].min() == 200
    assert ONE * 255 < 1 << 15


def test_frames_that_were_dropped_are_not_taken_over(model: Path, full: FrameUpscaler) -> None:
    one, other, third = frame(), frame(1), changed(frame(1), [(0, 0)])
    with opened(model, 1.0) as tiles:
        tiles(one)
        tiles.submit(other)  # and not waited for
        assert same(tiles(third), full(third))


def test_frames_under_way_are_bounded_and_taken_in_order(model: Path, full: FrameUpscaler) -> None:
    one, other = frame(), changed(frame(), [(0, 0)])
    with opened(model, 1.0) as tiles:
        first, second = tiles.submit(one), tiles.submit(other)
        with pytest.raises(EngineBusy):
            tiles.submit(one)
        assert same(second.result(), full(other))
        with pytest.raises(EngineBusy, match="order"):
            first.result()
        assert same(tiles(other), full(other))


@pytest.mark.parametrize(
    ("more", "compute"),
    [({"stateless": True}, 0.5), ({"tile": 64}, 0.5), ({}, "adaptive")],
    ids=["stateless", "tiles", "no table"],
)
def test_all_is_computed_and_said_where_tiles_cannot_be(more: dict[str, Any], compute: Any, tmp_path: Path) -> None:
    card = ModelCard("small", 2, 1, receptive_field(2, 1), 2)
    file = save(network(scale=2, layers=2), tmp_path / "small.onnx", card)
    notices: list[Notice] = []
    options = UpscaleOptions(file, engine="openvino", precision="f32", compute=compute, **more)
    with open_upscaler(options, Context(notices.append)) as upscaler, opened(file, "full") as whole:
        assert same(upscaler(frame()), whole(frame()))
        assert upscaler.shares is None
    assert len(notices) == 1


@pytest.mark.parametrize("wrong", ["half", -0.1, 1.5])
def test_another_word_is_refused(model: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match="adaptive"):
        load_upscaler(model, compute=wrong)


def test_the_budget_may_change_with_every_frame() -> None:
    grid = grid_of(160, 240, 3, 6)
    planner = ComputePlanner(grid, Gains(GAINS), 1.0)
    for seed, budget in enumerate((1.0, 0.5, 0.1, 0.0, 0.3, 1.0)):
        plan = planner.plan(frame(seed, height=160, width=240), budget)
        computed = np.count_nonzero(plan.kinds == NETWORK) / plan.kinds.size
        assert computed == 1 if budget == 1 else computed * grid.overhead <= budget
        assert not plan.whole or budget == 1


def test_a_whole_budget_equals_full_and_a_frame_between_may_be_left_out(model: Path, full: FrameUpscaler) -> None:
    with opened(model, "full") as live:
        assert isinstance(live, Upscaler)
        for seed, budget in ((0, 1.0), (1, 0.2), (2, 1.0), (2, 1.0)):
            live.budget = budget
            assert same(live(frame(seed)), full(frame(seed))) is (budget == 1)
        assert live.shares is not None
        assert live.shares.reused > 0
