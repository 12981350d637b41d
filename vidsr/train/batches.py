"""From stores to batches: which pairs a step of the training sees."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidsr.data.parts import Progress
from vidsr.data.prepare import open_store
from vidsr.data.store import Pairs, Settings, Store, is_store, read_store
from vidsr.errors import DataError
from vidsr.train.config import Data, Recipe


def fit_recipe(recipe: Recipe, data: Sequence[Path]) -> Recipe:
    """Put the settings of a ready store into the recipe, where `data` is one.

    Raises DataError where the network cannot learn from it, or it is not alone.
    """
    if not _is_ready(data):
        return recipe
    made = read_store(data[0]).settings
    if (made.scale, made.channels, made.frames) != (recipe.net.scale, 1, 1) or made.side % recipe.net.unshuffle:
        raise DataError(
            f"{data[0]} has pairs of scale {made.scale}, {made.channels} channels and {made.frames} frames of side"
            f" {made.side}; {recipe.name} learns from scale {recipe.net.scale}, 1 channel and 1 frame"
        )
    return replace(recipe, data=Data(patches=made.pairs, side=made.side), degradation=made.degradation)


def open_pairs(recipe: Recipe, data: Sequence[Path], stores: Path, progress: Progress | None) -> Store:
    """Open the store that `data` is, or that of its photos and films, which is prepared in `stores` if need be.

    Raises DataError where nothing can be used, DiskFull.
    """
    if _is_ready(data):
        return read_store(data[0])
    settings = Settings(
        scale=recipe.net.scale,
        pairs=recipe.data.patches,
        side=recipe.data.side,
        seed=recipe.seed,
        degradation=recipe.degradation,
    )
    return open_store(data, stores, settings, progress=progress)


def _is_ready(data: Sequence[Path]) -> bool:
    stores = [path for path in data if is_store(path)]
    if stores and len(data) > 1:
        raise DataError(f"{stores[0]} is a store; train on it alone, or on the photos and films themselves")
    return bool(stores)


def draw_batch(pairs: Pairs, recipe: Recipe, step: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a batch, which depends on seed and step alone: low and high (n, 1, h, w), quantiser (n, 1, 1, 1)."""
    rng = np.random.default_rng((recipe.seed, step))
    chosen = np.sort(rng.integers(len(pairs), size=recipe.pixel.batch))
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    stretch = rng.random() < recipe.pixel.full_range

    def picture(patches: Any) -> Tensor:
        turned = np.rot90(patches[chosen][:, 0, :, :, 0], turns, (1, 2))
        turned = turned[:, :, ::-1] if flip else turned
        luma = torch.from_numpy(np.ascontiguousarray(turned)).to(device).float()
        return ((luma - 16) / 219 if stretch else luma / 255).unsqueeze(1)  # (n, 1, h, w)

    quantiser = torch.from_numpy(pairs.quantiser[chosen, 0] / 51).to(device)
    return picture(pairs.low), picture(pairs.high), quantiser[:, None, None, None]
