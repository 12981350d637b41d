"""The training loop: stages `pixel`, `gan` and `int8`, each from the averaged weights of the one before."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from vidsr.data.workers import Progress
from vidsr.errors import DataError
from vidsr.nets.vgg import Vgg, open_vgg
from vidsr.runs import Run
from vidsr.train.batches import Batch, Inputs, draw_batch, draw_batches, fit_recipe, open_pairs
from vidsr.train.config import MAX_VALIDATION_PAIRS, GanStage, PixelStage, Recipe
from vidsr.train.devices import Accelerator, check_batches, distributed
from vidsr.train.run_writer import Report, RunWriter
from vidsr.train.state import State, begin_gan, begin_int8, resume
from vidsr.train.steps import Losses, gan_step, pixel_stage, pixel_step
from vidsr.train.validate import pairs_of_folder, pairs_of_store


def train(
    recipe: Recipe,
    inputs: Inputs,
    folder: Path,
    *,
    accelerator: Accelerator | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
) -> Run:
    """Train a network, or resume the run in `folder` exactly where its checkpoint is.

    If the data is a store, its settings replace the recipe's. Started by torchrun, several processes share every batch.
    Every `validate_every` steps the checkpoint is replaced, and the averaged weights are kept if they are the best of
    the stage so far, in stage `gan` always, because PSNR does not measure its progress.
    report: called with each line of the log. Raises RecipeError, CheckpointError, DataError, DiskFull, Diverged,
    EngineMissing, ExtraMissing, and for VGG19 NotAModel and StreamBroken; the last checkpoint is never damaged.
    """
    recipe, progress, channels = fit_recipe(recipe, inputs), progress or (lambda *_: None), recipe.net.channels
    with distributed(accelerator or Accelerator()) as place:
        check_batches(place, recipe)
        run = Run(folder)
        state = resume(run, recipe, place)
        vgg = open_features(recipe, inputs, place)
        pairs = pairs_of_folder(inputs.validation, recipe.net.scale, channels=channels) if inputs.validation else []
        store = place.local_main_first(lambda: open_pairs(recipe, inputs, progress))
        training = store.split("train")
        pairs = pairs or pairs_of_store(store.split("validation"), MAX_VALIDATION_PAIRS)
        if not pairs or not training:
            raise DataError(f"{store.folder} has too few sources to set some aside; give more, or --validation")

        with RunWriter(run, recipe, pairs, state, report or (lambda _: None)) as writer:
            pixel_end, gan_end, end = recipe.ends
            for batch in draw_batches(training, recipe, place, recipe.pixel, range(state.step, pixel_end)):
                writer.step(recipe.pixel, state, train_pixel(state, recipe, batch))
                progress("training", state.step, end)
            if state.step < gan_end and state.discriminator is None:
                writer.keep(run.pixel, state)
                begin_gan(state, recipe)
            for batch in draw_batches(training, recipe, place, recipe.gan, range(state.step, gan_end)):
                writer.step(recipe.gan, state, train_gan(state, recipe, batch, vgg))
                progress("training", state.step, end)
            if state.step < end and state.teacher is None:
                begin_int8(state, recipe, draw_batch(training, recipe, state.step, place, recipe.int8))
            for batch in draw_batches(training, recipe, place, recipe.int8, range(state.step, end)):
                writer.step(recipe.int8, state, train_pixel(state, recipe, batch))
                progress("training", state.step, end)
    return run


def train_pixel(state: State, recipe: Recipe, batch: Sequence[Batch]) -> Losses:
    """Take one step of the first or the last stage at its scheduled learning rate."""
    stage, done = pixel_stage(state, recipe)
    _set_rate(state.adam, stage.rate * schedule(stage, done))
    return pixel_step(state, recipe, batch)


def train_gan(state: State, recipe: Recipe, batch: Sequence[Batch], vgg: Vgg | None) -> Losses:
    """Take one step of the second stage at its scheduled learning rates."""
    factor = schedule(recipe.gan, state.step - recipe.pixel.steps)
    _set_rate(state.adam, recipe.gan.rate * factor)
    _set_rate(state.discriminator_adam, recipe.gan.discriminator_rate * factor)
    return gan_step(state, recipe, batch, vgg)


def open_features(recipe: Recipe, inputs: Inputs, accelerator: Accelerator) -> Vgg | None:
    """Open VGG19 if the recipe has a perceptual loss. Raises NotAModel, ExtraMissing, StreamBroken."""
    if not (recipe.gan.steps and recipe.gan.perceptual):
        return None
    return accelerator.local_main_first(lambda: open_vgg(inputs.vgg, [recipe.gan.layer]).to(accelerator.device))


def schedule(stage: PixelStage | GanStage, step: int) -> float:
    """Return the factor of the learning rate at a step of a stage: linear warm-up, then cosine to a thousandth."""
    if step < stage.warmup:
        return (step + 1) / stage.warmup
    done = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _set_rate(adam: torch.optim.Optimizer | None, rate: float) -> None:
    assert adam is not None
    for group in adam.param_groups:
        group["lr"] = rate
