"""The training itself, top to bottom on one page: stage `pixel`, then stage `gan` from the average of the first."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from vidsr.data.workers import Progress
from vidsr.errors import DataError
from vidsr.nets.vgg import Vgg, open_vgg
from vidsr.runs import Run
from vidsr.train.batches import Batch, draw_batches, fit_recipe, open_pairs
from vidsr.train.config import VALIDATED, Gan, Pixel, Recipe
from vidsr.train.devices import Machine, check_batches, joined
from vidsr.train.run_writer import Record, Report
from vidsr.train.state import State, begin_gan, resume
from vidsr.train.steps import Losses, gan_step, pixel_step
from vidsr.train.validate import pairs_of_folder, pairs_of_store


def train(
    recipe: Recipe,
    data: Sequence[Path],
    folder: Path,
    *,
    validation: Path | None = None,
    stores: Path | None = None,
    vgg: Path | None = None,
    machine: Machine | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
) -> Run:
    """Train a network, or go on with the training that `folder` holds, exactly as if it had never stopped.

    data: a store that `prepare` made, whose settings then replace the recipe's; or folders and files of photos and
    films. validation: a folder of pictures; without one, the store's own sources for it. stores: where the stores of
    photos and films lie; beside the run unless given. vgg: VGG19's weights, for recipes with a perceptual loss; else
    torchvision's. machine: where and how it computes; started by torchrun, several processes share every batch.
    Every `validate_every` steps the checkpoint is replaced; the averaged weights are kept if they are the best so far,
    in stage `gan` whenever they are validated, since PSNR does not choose there.
    Raises RecipeError, CheckpointError, DataError, DiskFull, Diverged, EngineMissing, ExtraMissing, and for VGG19
    NotAModel and StreamBroken; none of them harms the last checkpoint.
    """
    recipe, progress = fit_recipe(recipe, data), progress or (lambda *_: None)
    with joined(machine or Machine()) as place:
        check_batches(place, recipe)
        run = Run(folder)
        state = resume(run, recipe, place)
        eyes = open_eyes(recipe, vgg, place)
        pairs = pairs_of_folder(validation, recipe.net.scale, channels=recipe.net.channels) if validation else []
        store = place.in_turn(lambda: open_pairs(recipe, data, stores or folder.parent / "stores", progress))
        learnt = store.split("train")
        pairs = pairs or pairs_of_store(store.split("validation"), VALIDATED)
        if not pairs or not learnt:
            raise DataError(f"{store.folder} has too few sources to validate on others; give more, or --validation")

        with Record(run, recipe, pairs, state, report or (lambda _: None)) as record:
            for batch in draw_batches(learnt, recipe, place, recipe.pixel, range(state.step, recipe.pixel.steps)):
                record.step(recipe.pixel, state, learn_pixels(state, recipe, batch))
                progress("training", state.step, recipe.steps)
            if recipe.gan.steps and state.judge is None:
                record.keep(run.pixel, state)
                begin_gan(state, recipe)
            for batch in draw_batches(learnt, recipe, place, recipe.gan, range(state.step, recipe.steps)):
                record.step(recipe.gan, state, learn_gan(state, recipe, batch, eyes))
                progress("training", state.step, recipe.steps)
    return run


def learn_pixels(state: State, recipe: Recipe, batch: Sequence[Batch]) -> Losses:
    """Take one step of the first stage on this process's parts of a batch, at the rate of its schedule."""
    _set_rate(state.adam, recipe.pixel.rate * schedule(recipe.pixel, state.step))
    return pixel_step(state, recipe, batch)


def learn_gan(state: State, recipe: Recipe, batch: Sequence[Batch], eyes: Vgg | None) -> Losses:
    """Take one step of the second stage on this process's parts of a batch, at the rates of its schedule."""
    share = schedule(recipe.gan, state.step - recipe.pixel.steps)
    _set_rate(state.adam, recipe.gan.rate * share)
    _set_rate(state.judge_adam, recipe.gan.judge_rate * share)
    return gan_step(state, recipe, batch, eyes)


def open_eyes(recipe: Recipe, vgg: Path | None, machine: Machine) -> Vgg | None:
    """VGG19 where the recipe looks through it. Raises NotAModel, ExtraMissing, StreamBroken."""
    wanted = recipe.gan.steps and recipe.gan.perceptual
    return machine.in_turn(lambda: open_vgg(vgg, [recipe.gan.layer]).to(machine.device)) if wanted else None


def schedule(stage: Pixel | Gan, step: int) -> float:
    """What share of its rate an optimiser has: a linear warm-up, then a cosine to a thousandth; step: of this stage."""
    if step < stage.warmup:
        return (step + 1) / stage.warmup
    done = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _set_rate(adam: torch.optim.Optimizer | None, rate: float) -> None:
    assert adam is not None
    for group in adam.param_groups:
        group["lr"] = rate
