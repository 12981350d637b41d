from itertools import chain

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from tests.train.stores import make_store
from vidsr.data.store import INDEX, Pairs
from vidsr.errors import RecipeError
from vidsr.train.batches import Inputs, draw_batch, draw_batches, fit_recipe
from vidsr.train.devices import Accelerator
from vidsr.train.recipe_file import parse_recipe

RECIPE = parse_recipe({"name": "tiny", "net": {"scale": 2}, "pixel": {"batch": 32, "full_range": 0.0}})


def numbered(count):
    """Pairs whose every pixel is their place in the store."""
    low = np.arange(count, dtype=np.uint8)[:, None, None, None, None].repeat(2, 2).repeat(2, 3)  # (n, 1, 2, 2, 1)
    high = low.repeat(2, 2).repeat(2, 3)
    return Pairs(low, high, np.zeros((count, 1), np.float32), np.zeros(count, INDEX))


def places(accelerator, step):
    """Of the pairs in each part of the batch, sorted."""
    parts = draw_batch(numbered(200), RECIPE, step, accelerator, RECIPE.pixel)
    assert all((high[:, 0, 0, 0] == low[:, 0, 0, 0]).all() for low, high, _ in parts)
    return [sorted((low[:, 0, 0, 0] * 255).round().int().tolist()) for low, _, _ in parts]


def test_however_a_batch_is_cut_it_is_the_same_batch():
    (whole,) = places(Accelerator(), 7)
    assert len(whole) == 32
    processes = [Accelerator(accumulate=2, rank=rank, world_size=2) for rank in (0, 1)]
    assert sorted(chain(*places(Accelerator(accumulate=4), 7))) == whole
    assert sorted(chain(*(part for accelerator in processes for part in places(accelerator, 7)))) == whole


@pytest.mark.parametrize("steps", [range(3, 8), range(5, 6), range(4, 4)])
def test_batches_drawn_ahead_are_those_of_their_steps_in_order(steps):
    pairs, accelerator = numbered(200), Accelerator()
    drawn = list(draw_batches(pairs, RECIPE, accelerator, RECIPE.pixel, steps))
    alone = [draw_batch(pairs, RECIPE, step, accelerator, RECIPE.pixel) for step in steps]
    assert len(drawn) == len(steps)
    for (ours,), (theirs,) in zip(drawn, alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_an_error_in_drawing_is_raised_where_the_batch_is_used():
    pairs = Pairs(np.zeros((0, 1, 2, 2, 1), np.uint8), np.zeros((0, 1, 4, 4, 1), np.uint8), np.zeros((0, 1)), None)
    with pytest.raises(ValueError, match="high"):
        next(draw_batches(pairs, RECIPE, Accelerator(), RECIPE.pixel, range(3)))


def test_every_part_of_a_batch_is_from_all_over_the_store():
    # A store holds its sources one after the other, and batch normalisation gathers what its process saw.
    for rank in (0, 1):
        seen = [np.mean(places(Accelerator(rank=rank, world_size=2), step)[0]) for step in range(20)]
        assert np.mean(seen) == pytest.approx(99.5, abs=15)


@pytest.mark.parametrize(
    ("gan", "sentence"),
    [
        ({"discriminator": "srgan"}, "multiple of 16 for the srgan discriminator"),
        ({"flicker": 0.1}, "needs data.frames"),
    ],
)
def test_a_ready_store_that_the_second_stage_cannot_learn_from_is_refused_before_the_first(tmp_path, gan, sentence):
    store = make_store(tmp_path, side=20)
    tables = {"net": {"kind": "srresnet", "scale": 2}, "data": {"side": 16, "frames": 3}, "gan": {"steps": 1, **gan}}
    with pytest.raises(RecipeError, match=sentence):
        fit_recipe(parse_recipe({"name": "tiny", **tables}), Inputs(data=[store], stores=tmp_path))
