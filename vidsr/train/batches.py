"""From stores to batches: which pairs a step of the training sees."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidsr.data.prepare import open_store
from vidsr.data.store import Pairs, Store, StoreSettings, is_store, read_store
from vidsr.data.workers import Progress
from vidsr.errors import DataError
from vidsr.prefetch import prefetch
from vidsr.train.config import Data, Gan, Pixel, Recipe
from vidsr.train.devices import Machine
from vidsr.train.recipe_file import check


def fit_recipe(recipe: Recipe, data: Sequence[Path]) -> Recipe:
    """Put the settings of a ready store into the recipe, where `data` is one.

    Raises DataError where the network cannot learn from it, or it is not alone; RecipeError where a loss or the
    discriminator cannot.
    """
    if not _is_ready(data):
        return recipe
    made, net = read_store(data[0]).settings, recipe.net
    wanted = (net.scale, net.channels)
    if (made.scale, made.channels) != wanted or made.frames < recipe.gan.window:
        raise DataError(
            f"{data[0]} has pairs of scale {made.scale}, {made.channels} channels and {made.frames} frames of side"
            f" {made.side}; {recipe.name} learns from scale {net.scale}, {net.channels} channels and at least"
            f" {recipe.gan.window} frames"
        )
    learnt = Data(patches=made.pairs, side=made.side, frames=made.frames)
    fitted = replace(recipe, data=learnt, degradation=made.degradation)
    check(fitted)
    return fitted


def open_pairs(recipe: Recipe, data: Sequence[Path], stores: Path, progress: Progress | None) -> Store:
    """Open the store that `data` is, or that of its photos and films, which is prepared in `stores` if need be.

    Raises DataError where nothing can be used, DiskFull.
    """
    if _is_ready(data):
        return read_store(data[0])
    settings = StoreSettings(
        scale=recipe.net.scale,
        pairs=recipe.data.patches,
        side=recipe.data.side,
        frames=recipe.data.frames,
        channels=recipe.net.channels,
        seed=recipe.seed,
        degradation=recipe.degradation,
    )
    return open_store(data, stores, settings, progress=progress)


def _is_ready(data: Sequence[Path]) -> bool:
    stores = [path for path in data if is_store(path)]
    if stores and len(data) > 1:
        raise DataError(f"{stores[0]} is a store; train on it alone, or on the photos and films themselves")
    return bool(stores)


Batch = tuple[Tensor, Tensor, Tensor]
"""low and high (n, c, h, w), quantiser (n, 1, 1, 1), float in [0, 1]; the frames of a pair follow each other."""


def draw_batch(pairs: Pairs, recipe: Recipe, step: int, machine: Machine, stage: Pixel | Gan) -> list[Batch]:
    """Draw this process's parts of a batch for a stage; the batch depends on seed and step alone."""
    rng = np.random.default_rng((recipe.seed, step))
    chosen = np.sort(rng.integers(len(pairs), size=stage.batch))
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    stretch = rng.random() < stage.full_range and recipe.net.channels == 1

    def picture(patches: Any) -> Tensor:
        frames = patches.reshape(-1, *patches.shape[2:])  # (n, h, w, c)
        turned = np.rot90(frames, turns, (1, 2))
        turned = turned[:, :, ::-1] if flip else turned
        codes = np.ascontiguousarray(turned, np.float32)
        # By numpy, since PyTorch would start threads here too, in the way of those that learn.
        values = torch.from_numpy((codes - 16) / 219 if stretch else codes / 255)
        return values.to(machine.device).permute(0, 3, 1, 2)

    def batch(rows: NDArray[Any]) -> Batch:
        qp = torch.from_numpy(pairs.qp[rows].reshape(-1) / 51).to(machine.device)
        return picture(pairs.low[rows]), picture(pairs.high[rows]), qp[:, None, None, None]

    # Every so-many-th pair: a store holds its sources one after the other, and a part should see something of each.
    return [batch(chosen[share :: machine.parts]) for share in machine.shares()]


def draw_batches(
    pairs: Pairs, recipe: Recipe, machine: Machine, stage: Pixel | Gan, steps: range
) -> Generator[list[Batch], None, None]:
    """Draw the batches of these steps in order, each while the one before it is learnt from."""
    return prefetch((draw_batch(pairs, recipe, step, machine, stage) for step in steps), depth=1)
