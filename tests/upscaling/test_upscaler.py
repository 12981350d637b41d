"""Frames in, larger frames out."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import network, receptive_field, runnable, save
from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.color import BT709, BT2020, SMPTE170M, ColorSpec
from vidsr.engines import Precision, Setup
from vidsr.errors import EngineBusy, EngineError, EngineMissing, ModelError, UnknownModel
from vidsr.frames import Frame
from vidsr.options import UpscaleOptions
from vidsr.upscaling import session as session
from vidsr.upscaling.model_file import load_model
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler, load_upscaler
from vidsr.video.convert.resizer import Resizer

Models = Callable[..., Path]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Make a model file with its card; options as of `network`."""
    folder = tmp_path_factory.mktemp("models")

    def make(**options: Any) -> Path:
        options = {"scale": 2, "channels": 1, "layers": 2, "residual": 0.5, **options}
        step = max(options.get("unshuffle", 1), options.get("columns", 1))
        looks = receptive_field(options["layers"], step)
        name = "-".join(f"{key}{value}" for key, value in options.items())
        card = ModelCard(name, options["scale"], options["channels"], looks, step, "qp" in options)
        return save(network(**options), folder / f"{name}.onnx", card)

    return make


def frame(
    height: int = 36,
    width: int = 52,
    *,
    seed: int = 0,
    bits: int = 8,
    subsampling: tuple[int, int] = (1, 1),
    gray: bool = False,
    qp: float | None = None,
) -> Frame:
    rng = np.random.default_rng(seed)
    across, down = subsampling
    small = ((height + down) >> down, (width + across) >> across)
    kind = np.uint8 if bits == 8 else np.uint16
    planes = [rng.integers(0, 1 << bits, size).astype(kind) for size in ((height, width), small, small)]
    color = ColorSpec(BT709, full_range=False, subsampling=subsampling)
    return Frame(
        tuple(planes[: 1 if gray else 3]), color, bits, 7 + seed, 3, Fraction(1, 90), qp=qp
    )  # fmt: skip


def upscaled(item: Frame, model: str | Path, **options: Any) -> Frame:
    with load_upscaler(model, **{"precision": "f32", "in_flight": 1, **options}) as upscaler:
        return upscaler.submit(item).result()


def same(one: Frame, other: Frame) -> None:
    for plane, expected in zip(one.planes, other.planes, strict=True):
        np.testing.assert_array_equal(plane, expected)


def test_time_and_colour_are_kept_and_chroma_is_swscales_own(models: Models) -> None:
    small = frame()
    large = upscaled(small, models())
    assert (large.pts, large.duration_ticks, large.time_base, large.color) == (7, 3, Fraction(1, 90), small.color)
    resized = Resizer("bicubic").resize(small, 104, 72)
    for plane, expected in zip(large.planes[1:], resized.planes[1:], strict=True):
        np.testing.assert_array_equal(plane, expected)
    assert not np.array_equal(large.planes[0], resized.planes[0])


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("gray", [False, True])
def test_a_luma_network_that_adds_nothing_repeats_luma(models: Models, engine: str, bits: int, gray: bool) -> None:
    small = frame(bits=bits, gray=gray)
    large = upscaled(small, models(residual=0, scale=3), engine=engine, precision="auto")
    np.testing.assert_array_equal(large.planes[0], small.planes[0].repeat(3, 0).repeat(3, 1))
    assert len(large.planes) == len(small.planes)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [BT709, SMPTE170M, BT2020])
@pytest.mark.parametrize("unshuffle", [1, 2])
def test_an_rgb_network_at_the_default_precision_keeps_flat_colours_to_one_level(
    models: Models, bits: int, full_range: bool, matrix: int, unshuffle: int
) -> None:
    color = ColorSpec(matrix, full_range)
    path = models(channels=3, residual=0, unshuffle=unshuffle)
    with load_upscaler(path) as upscaler:
        for seed in range(12):
            codes = np.random.default_rng(seed).integers(0, 1 << bits, 3)
            kind = np.uint8 if bits == 8 else np.uint16
            planes = [np.full(size, code, kind) for size, code in zip([(16, 24), (8, 12), (8, 12)], codes, strict=True)]
            large = upscaler.submit(Frame(tuple(planes), color, bits)).result()
            for plane, code in zip(large.planes, codes, strict=True):
                assert np.abs(plane.astype(int) - code).max() <= 1


@pytest.mark.parametrize(("native", "asked", "chosen"), [
    ("bf16", "auto", "f32"), ("bf16", "bf16", "bf16"), ("f16", "auto", "f16"), ("f32", "auto", "f32"),
])  # fmt: skip
def test_ten_bits_of_rgb_are_computed_finer_than_in_bf16_where_nothing_is_said(
    native: Precision, asked: Precision, chosen: Precision, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "settle", lambda **_: Setup("openvino", "cpu", native))
    deep, luma = load_model(models(channels=3)), load_model(models())
    assert session.setup_for(deep, 10, session.SessionOptions(UpscaleOptions(precision=asked))).precision == chosen
    assert session.setup_for(deep, 8, session.SessionOptions(UpscaleOptions(precision=asked))).precision == native
    assert session.setup_for(luma, 10, session.SessionOptions(UpscaleOptions(precision=asked))).precision == native


@settings(deadline=None, max_examples=12)
@given(
    height=st.integers(30, 70),
    width=st.integers(30, 70),
    tile=st.integers(28, 48),
    layers=st.integers(1, 3),
    kind=st.sampled_from([(1, (1, 1), 8), (1, (0, 0), 10), (3, (1, 1), 8), (3, (1, 0), 8), (3, (0, 0), 10)]),
    seed=st.integers(0, 99),
)
def test_tiled_and_untiled_output_are_equal(
    models: Models, height: int, width: int, tile: int, layers: int, kind: Any, seed: int
) -> None:
    channels, subsampling, bits = kind
    model = models(channels=channels, layers=layers)
    small = frame(height, width, bits=bits, subsampling=subsampling, seed=seed)
    same(upscaled(small, model, tile=tile), upscaled(small, model))


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("channels", [1, 3])
def test_on_every_engine_tiles_equal_the_whole_to_its_precision(models: Models, engine: str, channels: int) -> None:
    """f32 exactly; what is quicker to one level, where a sum falls on the other side of a half."""
    model = models(channels=channels, width=32, layers=4, residual=1.0)
    small = frame(120, 136, seed=3)
    for precision in ("f32", "auto"):
        whole, tiled = (upscaled(small, model, engine=engine, precision=precision, tile=t) for t in (200, 48))
        for plane, expected in zip(tiled.planes, whole.planes, strict=True):
            apart = np.abs(plane.astype(int) - expected)
            assert apart.max() <= (0 if precision == "f32" else 1)
            assert (apart > 0).mean() < 0.01


STEPS = [{"unshuffle": 2}, {"columns": 2}, {"unshuffle": 4}]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("size", [(60, 76), (61, 77), (75, 90)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_several_pixels_at_once_is_tiled_between_them(
    models: Models, step: dict[str, int], size: tuple[int, int], channels: int
) -> None:
    model, small = models(**step, layers=1, channels=channels), frame(*size)
    same(upscaled(small, model, tile=48), upscaled(small, model))


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("size", [(35, 51), (36, 51), (35, 52)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_that_do_not_fit_it_are_filled_up_with_their_last_pixels(
    models: Models, engine: str, step: dict[str, int], size: tuple[int, int], channels: int
) -> None:
    model, small = models(**step, channels=channels), frame(*size, subsampling=(0, 0))
    whole = tuple(np.pad(plane, [(0, -side % 4) for side in plane.shape], mode="edge") for plane in small.planes)
    large, expected = (upscaled(each, model, engine=engine) for each in (small, replace(small, planes=whole)))
    for plane, filled in zip(large.planes[:channels], expected.planes, strict=False):
        np.testing.assert_array_equal(plane, filled[: plane.shape[0], : plane.shape[1]])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("width", [52, 51])
def test_columns_at_the_default_precision_leave_what_they_add_to_exact(models: Models, bits: int, width: int) -> None:
    small = frame(36, width, bits=bits)
    large = upscaled(small, models(columns=2, residual=0, scale=4, width=32), precision="auto")
    np.testing.assert_array_equal(large.planes[0], small.planes[0].repeat(4, 0).repeat(4, 1))


def test_large_pictures_are_cut_into_bands(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    model, small = models(), frame(90, 60)
    whole = upscaled(small, model)
    monkeypatch.setattr("vidsr.upscaling.tiling.MOST_PIXELS", 2000)
    with load_upscaler(model, precision="f32") as upscaler:
        assert isinstance(upscaler, Upscaler)
        same(upscaler.submit(small).result(), whole)
        (session,) = upscaler._sessions.values()
        assert len(session._tiles) > 1
        assert {tile.columns.start for tile in session._tiles} == {0}


def test_a_tile_that_has_nothing_to_keep_is_refused(models: Models) -> None:
    with pytest.raises(ModelError, match=r"needs tiles of at least 12 pixels .*; got 8"):
        upscaled(frame(), models(), tile=8)


def test_frames_in_flight_come_back_in_order(models: Models) -> None:
    model = models()
    with load_upscaler(model, precision="f32", in_flight=3) as upscaler:
        waiting = [upscaler.submit(frame(seed=seed)) for seed in range(3)]
        with pytest.raises(EngineBusy, match="under way"):
            upscaler.submit(frame())
        for seed in range(6):
            large = waiting.pop(0).result()
            assert large.pts == 7 + seed
            same(large, upscaled(frame(seed=seed), model))
            if seed < 3:
                waiting.append(upscaler.submit(frame(seed=seed + 3)))


def test_of_many_tiles_few_are_in_the_engine_at_once_and_frames_come_back_whole(models: Models) -> None:
    model = models()
    with load_upscaler(model, precision="f32", in_flight=2, tile=28) as upscaler:
        assert isinstance(upscaler, Upscaler)
        waiting = [upscaler.submit(frame(90, 80, seed=seed)) for seed in range(2)]
        with pytest.raises(EngineBusy, match="2 frames are under way already"):
            upscaler.submit(frame(90, 80))
        (opened,) = upscaler._sessions.values()
        assert opened._engine.in_flight == session.TILES_AHEAD < len(opened._tiles)
        with pytest.raises(EngineBusy, match="a frame before this one is under way; take its result first"):
            waiting[1].result()
        for seed in range(4):
            same(waiting.pop(0).result(), upscaled(frame(90, 80, seed=seed), model, tile=200))
            waiting.append(upscaler.submit(frame(90, 80, seed=seed + 2)))


def test_a_frame_that_nobody_waits_for_any_more_leaves_its_place_to_the_next(models: Models) -> None:
    with load_upscaler(models(), precision="f32", in_flight=2, tile=28) as upscaler:
        dropped, kept = (upscaler.submit(frame(90, 80, seed=seed)) for seed in range(2))
        del dropped
        same(kept.result(), upscaled(frame(90, 80, seed=1), models(), tile=200))


def test_a_result_is_not_touched_by_what_follows(models: Models) -> None:
    with load_upscaler(models(), in_flight=1) as upscaler:
        first = upscaler.submit(frame()).result()
        kept = [plane.copy() for plane in first.planes]
        upscaler.submit(frame(seed=1)).result()
    same(first, replace(first, planes=tuple(kept)))


def test_a_size_that_changes_in_the_middle_opens_another_and_the_first_again(models: Models) -> None:
    with load_upscaler(models(), precision="f32", in_flight=2) as upscaler:
        sizes = [(36, 52), (20, 30), (36, 52), (24, 24), (20, 30)]
        waiting = [upscaler.submit(frame(*size, seed=i)) for i, size in enumerate(sizes[:2])]
        for i, size in enumerate(sizes):
            large = waiting.pop(0).result()
            assert (large.height, large.width) == (2 * size[0], 2 * size[1])
            same(large, upscaled(frame(*size, seed=i), models()))
            if i + 2 < len(sizes):
                waiting.append(upscaler.submit(frame(*sizes[i + 2], seed=i + 2)))


def test_tiles_of_as_many_sizes_as_frames_are_in_flight_may_wait(models: Models) -> None:
    sizes = [(60, 52), (64, 52), (68, 52)]
    with load_upscaler(models(), precision="f32", in_flight=3, tile=24) as upscaler:
        for size, run in zip(sizes, [upscaler.submit(frame(*size)) for size in sizes], strict=True):
            same(run.result(), upscaled(frame(*size), models()))


def test_a_model_is_compiled_once_for_each_size(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    from vidsr.upscaling import fp16_guard as watched

    original = watched.open_engine
    monkeypatch.setattr(watched, "open_engine", lambda *args, **options: opened.append(1) or original(*args, **options))
    with load_upscaler(models()) as upscaler:
        for size in ((36, 52), (20, 30), (36, 52)):
            upscaler.submit(frame(*size)).result()
    assert len(opened) == 2


def test_the_frames_quantiser_reaches_the_network_and_the_stored_one_stands_in(models: Models) -> None:
    model = models(qp=0.5, residual=1)
    unknown, stored, worn = (upscaled(frame(qp=q), model) for q in (None, 25.5, 51.0))
    same(unknown, stored)
    assert not np.array_equal(stored.planes[0], worn.planes[0])


def test_a_size_that_is_not_the_models_own_gets_one_lanczos_resize(models: Models) -> None:
    own = upscaled(frame(), models())
    large = upscaled(frame(), models(), width=130)
    assert (large.width, large.height) == (130, 90)
    same(large, Resizer("lanczos").resize(own, 130, 90))


def test_an_odd_side_is_cut_to_even_where_chroma_is_halved(models: Models) -> None:
    odd = frame(35, 51)
    large = upscaled(odd, models(scale=3))
    assert [plane.shape for plane in large.planes] == [(104, 152), (52, 76), (52, 76)]
    whole = upscaled(frame(35, 51, gray=True), models(scale=3))
    assert whole.planes[0].shape == (105, 153)
    np.testing.assert_array_equal(large.planes[0], whole.planes[0][:104, :152])


def test_what_is_that_large_already_is_only_resized(models: Models) -> None:
    with load_upscaler(models(), height=30) as upscaler:
        assert upscaler.plan(52, 36) == Plan(44, 30, None)
        large = upscaler.submit(frame()).result()
    same(large, Resizer("lanczos").resize(frame(), 44, 30))


def test_the_size_decides_which_of_the_shelf_is_taken(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scale in (2, 3, 4):
        save(network(scale=scale), tmp_path / f"live-x{scale}.onnx", ModelCard(f"live-x{scale}", scale, 1, 3))
    monkeypatch.setattr(zoo, "_shelf_folder", lambda: tmp_path)

    def taken(**options: Any) -> tuple[str, int, int]:
        with load_upscaler(**options) as upscaler:
            plan = upscaler.plan(480, 270)
            assert plan.card is not None
            return plan.card.name, plan.width, plan.height

    assert taken() == ("live-x2", 960, 540)
    assert taken(scale=3) == ("live-x3", 1440, 810)
    assert taken(height=1080) == ("live-x4", 1920, 1080)
    assert taken(width=1280) == ("live-x3", 1280, 720)
    assert taken(width=960, height=720) == ("live-x3", 960, 720)
    assert taken(scale=6) == ("live-x4", 2880, 1620)
    assert taken(model=models(), scale=4) == (zoo.find(models()).stem, 1920, 1080)


def test_a_size_that_makes_no_sense_is_refused(models: Models) -> None:
    with pytest.raises(ValueError, match="a scale or a size, not both"):
        load_upscaler(models(), scale=2, height=1080)
    with pytest.raises(ValueError, match="at least 1"):
        load_upscaler("bicubic", scale=0)


def test_what_cannot_run_is_refused_before_the_first_frame(models: Models) -> None:
    with pytest.raises(UnknownModel, match="unknown model 'esrgan'"):
        load_upscaler("esrgan")
    with pytest.raises(EngineMissing, match="unknown engine 'abacus'"):
        load_upscaler(models(), engine="abacus")


@pytest.mark.parametrize("model", [None, "bicubic"])
def test_a_precision_nobody_knows_is_refused_at_once(model: Any) -> None:
    with pytest.raises(EngineError, match="unknown precision 'f8'; expected one of auto, f32, bf16, f16"):
        load_upscaler(model, precision="f8")  # type: ignore[arg-type]


def test_an_engine_that_is_none_is_refused_where_none_is_needed_too() -> None:
    with pytest.raises(EngineMissing, match="unknown engine 'nonsense'"):
        load_upscaler("bicubic", engine="nonsense")


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos", "nearest"])
def test_a_kernel_takes_no_tiles(kernel: Any) -> None:
    with pytest.raises(ValueError, match=f"{kernel} resizes whole frames; leave the tile out"):
        load_upscaler(kernel, tile=64)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos", "nearest"])
def test_a_kernel_is_a_model_too(kernel: Any) -> None:
    with load_upscaler(kernel) as upscaler:
        assert isinstance(upscaler, ResizingUpscaler)
        assert upscaler.card is None
        assert upscaler.plan(53, 35) == Plan(106, 70, None)
        large = upscaler.submit(frame()).result()
    same(large, Resizer(kernel).resize(frame(), 104, 72))


@pytest.fixture
def with_int8_beside(models: Models, tmp_path: Path) -> Path:
    """A model, and beside it another network in the place of its int8 file, so that one sees which computes."""
    plain, other = tmp_path / "mine.onnx", tmp_path / f"mine{zoo.INT8}"
    plain.write_bytes(models().read_bytes())
    other.write_bytes(models(residual=0.25).read_bytes())
    return plain


@pytest.mark.parametrize(("precision", "faster", "file"), [
    ("int8", False, "mine.int8.onnx"), ("auto", True, "mine.int8.onnx"), ("auto", False, "mine.onnx"),
    ("f32", True, "mine.onnx"),
])  # fmt: skip
def test_the_int8_file_computes_where_it_is_faster_or_asked_for(
    with_int8_beside: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision, faster: bool, file: str
) -> None:
    monkeypatch.setattr("vidsr.upscaling.upscaler.computes_int8_faster", lambda: faster)
    with load_upscaler(with_int8_beside, precision=precision) as upscaler:
        ours = upscaler.submit(frame()).result()
        assert [each.name for each in upscaler.files] == [file]
        assert upscaler.plan(52, 36).card is not None
    with load_upscaler(with_int8_beside.with_name(file), precision="f32") as alone:
        assert np.array_equal(ours.planes[0], alone.submit(frame()).result().planes[0])


def test_int8_without_its_file_is_refused(models: Models) -> None:
    with pytest.raises(EngineError, match=r"int8\.onnx beside it"):
        load_upscaler(models(), precision="int8")
