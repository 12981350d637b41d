"""Throughput of the training loop beside that of the networks' forward and backward passes alone."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from statistics import median

import torch

from vidsr.data.store import Pairs
from vidsr.data.workers import Progress
from vidsr.nets.vgg import Vgg
from vidsr.train.batches import Inputs, draw_batch, draw_batches, fit_recipe, open_pairs
from vidsr.train.config import GanStage, PixelStage, Recipe
from vidsr.train.devices import Accelerator, check_batches, distributed
from vidsr.train.loop import open_features, train_gan, train_pixel
from vidsr.train.state import State, begin, begin_gan, begin_int8
from vidsr.train.steps import gan_gradients, pixel_gradients

ENDLESS = range(2**31)
ROUNDS, WARM_UP = 5, 3  # rounds that are timed; steps before them, which allocate memory and choose kernels


@dataclass(frozen=True, slots=True)
class Throughput:
    """Pairs per second of one stage, medians over the rounds."""

    stage: str
    loop: float
    """Of the whole loop: drawing a batch, forward and backward pass, optimisers, averages."""
    bare: float
    """Of forward and backward pass alone, on one batch in memory."""


def profile(
    recipe: Recipe,
    inputs: Inputs,
    *,
    accelerator: Accelerator | None = None,
    steps: int = 4,
    progress: Progress | None = None,
) -> list[Throughput]:
    """Time every stage of a recipe, `steps` steps a round. Writes nothing but a store; raises what `train` raises."""
    recipe = fit_recipe(recipe, inputs)
    with distributed(accelerator or Accelerator()) as place:
        check_batches(place, recipe)
        pairs = place.local_main_first(lambda: open_pairs(recipe, inputs, progress)).split("train")
        state, vgg, results = begin(recipe, place), open_features(recipe, inputs, place), []
        if recipe.pixel.steps:
            results.append(_throughput(state, recipe, recipe.pixel, pairs, vgg, steps))
        if recipe.gan.steps:
            begin_gan(state, recipe)
            state.step, cycle = recipe.pixel.steps, recipe.gan.discriminator_steps
            whole_cycles = -(-steps // cycle) * cycle  # each with one step of the network
            results.append(_throughput(state, recipe, recipe.gan, pairs, vgg, whole_cycles))
        if recipe.int8.steps:
            begin_int8(state, recipe, draw_batch(pairs, recipe, 0, place, recipe.int8))
            state.step = recipe.ends[1]
            results.append(_throughput(state, recipe, recipe.int8, pairs, vgg, steps))
    return results


def _throughput(
    state: State, recipe: Recipe, stage: PixelStage | GanStage, pairs: Pairs, vgg: Vgg | None, steps: int
) -> Throughput:
    batch = draw_batch(pairs, recipe, 0, state.accelerator, stage)
    with closing(draw_batches(pairs, recipe, state.accelerator, stage, ENDLESS)) as drawn:

        def loop() -> None:
            if state.stage != "gan":
                train_pixel(state, recipe, next(drawn))
            else:
                train_gan(state, recipe, next(drawn), vgg)

        def bare() -> None:
            if state.stage != "gan":
                pixel_gradients(state, recipe, batch)
            else:
                gan_gradients(state, recipe, batch, vgg)

        _seconds(state, WARM_UP, loop)
        # In turns, so that other load on the machine affects both alike.
        rounds = [(_seconds(state, steps, loop), _seconds(state, steps, bare)) for _ in range(ROUNDS)]
    return Throughput(state.stage, *(stage.batch * steps / median(seconds) for seconds in zip(*rounds, strict=True)))


def _seconds(state: State, steps: int, work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(steps):
        work()
        state.step += 1  # on which step of a cycle updates the network
    if state.accelerator.device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - begun
