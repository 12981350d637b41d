"""Batches: which pairs of a store each training step is given."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
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
from vidsr.train.config import DataConfig, GanStage, PixelStage, Recipe
from vidsr.train.devices import Accelerator
from vidsr.train.recipe_file import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Files that a training run reads."""

    data: Sequence[Path]
    """A single store made by `vidsr prepare`, or folders and files of photos and videos."""
    stores: Path
    """The folder in which the stores of photos and videos are kept."""
    validation: Path | None = None
    """A folder of images; None: the store's validation split."""
    vgg: Path | None = None
    """VGG19's weights, for a perceptual loss; None: torchvision's."""

    def is_store(self) -> bool:
        """Return whether the data is a store. Raises DataError if it is a store and something else."""
        stores = [path for path in self.data if is_store(path)]
        if stores and len(self.data) > 1:
            raise DataError(f"{stores[0]} is a store; give it alone, or the photos and videos themselves")
        return bool(stores)


def fit_recipe(recipe: Recipe, inputs: Inputs) -> Recipe:
    """Return the recipe with the settings of the store in it, if the data is one.

    Raises DataError if the network cannot learn from it, RecipeError if a loss or the discriminator cannot.
    """
    if not inputs.is_store():
        return recipe
    made, net = read_store(inputs.data[0]).settings, recipe.net
    if (made.scale, made.channels) != (net.scale, net.channels) or made.frames < recipe.gan.window:
        raise DataError(
            f"{inputs.data[0]} has pairs of scale {made.scale}, {made.channels} channels and {made.frames} frames;"
            f" {recipe.name} needs scale {net.scale}, {net.channels} channels and at least {recipe.gan.window} frames"
        )
    data = DataConfig(patches=made.pairs, side=made.side, frames=made.frames)
    fitted = replace(recipe, data=data, degradation=made.degradation)
    check(fitted)
    return fitted


def open_pairs(recipe: Recipe, inputs: Inputs, progress: Progress | None) -> Store:
    """Open the store that the data is, or prepare one from its photos and videos if necessary.

    Raises DataError if nothing can be used, DiskFull.
    """
    if inputs.is_store():
        return read_store(inputs.data[0])
    settings = StoreSettings(
        scale=recipe.net.scale,
        pairs=recipe.data.patches,
        side=recipe.data.side,
        frames=recipe.data.frames,
        channels=recipe.net.channels,
        seed=recipe.seed,
        degradation=recipe.degradation,
    )
    return open_store(inputs.data, inputs.stores, settings, progress=progress)


Batch = tuple[Tensor, Tensor, Tensor]
"""low and high (n, c, h, w) and QP / 51 (n, 1, 1, 1), float in [0, 1]; the frames of a pair are consecutive samples."""


def draw_batch(
    pairs: Pairs, recipe: Recipe, step: int, accelerator: Accelerator, stage: PixelStage | GanStage
) -> list[Batch]:
    """Draw this process's parts of the batch of a step, which depends on seed and step only."""
    rng = np.random.default_rng((recipe.seed, step))
    chosen = np.sort(rng.integers(len(pairs), size=stage.batch))
    rotations, flip = int(rng.integers(4)), bool(rng.integers(2))
    stretch = rng.random() < stage.full_range and recipe.net.channels == 1

    def images(patches: Any) -> Tensor:
        rotated = np.rot90(patches.reshape(-1, *patches.shape[2:]), rotations, (1, 2))  # (n, h, w, c)
        codes = np.ascontiguousarray(rotated[:, :, ::-1] if flip else rotated, np.float32)
        # In NumPy, because PyTorch would start threads here too, which compete with those of the training step.
        values = torch.from_numpy((codes - 16) / 219 if stretch else codes / 255)
        return values.to(accelerator.device).permute(0, 3, 1, 2)

    def batch(rows: NDArray[Any]) -> Batch:
        qp = torch.from_numpy(pairs.qp[rows].reshape(-1) / 51).to(accelerator.device)
        return images(pairs.low[rows]), images(pairs.high[rows]), qp[:, None, None, None]

    # Strided, because a store is ordered by source, and every part should contain samples of all of them.
    return [batch(chosen[part :: accelerator.parts]) for part in accelerator.own_parts()]


def draw_batches(
    pairs: Pairs, recipe: Recipe, accelerator: Accelerator, stage: PixelStage | GanStage, steps: range
) -> Generator[list[Batch], None, None]:
    """Draw the batches of the steps in order, each while the one before it is trained on."""
    return prefetch((draw_batch(pairs, recipe, step, accelerator, stage) for step in steps), depth=1)
