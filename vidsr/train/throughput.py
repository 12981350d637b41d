"""How much of a training's time is the networks': its loop beside the bare forward and backward, timed in turns."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from vidsr.data.workers import Progress
from vidsr.train.batches import draw_batch, draw_batches, fit_recipe, open_pairs
from vidsr.train.config import Recipe
from vidsr.train.devices import Machine, check_batches, joined
from vidsr.train.loop import learn_gan, learn_pixels, open_eyes
from vidsr.train.state import State, begin, begin_gan
from vidsr.train.steps import gan_gradients, pixel_gradients

ENDLESS = range(2**31)
TURNS, WARM_UP = 5, 3  # turns of each that are timed; steps before, in which memory is found and kernels are chosen


@dataclass(frozen=True, slots=True)
class Speed:
    """Pairs a second of one stage, by the medians of the turns."""

    stage: str
    loop: float
    """Of the loop as it trains: drawing a batch, forward and backward, optimisers, averages."""
    bare: float
    """Of forward and backward alone, again and again on one batch in memory."""


def profile(
    recipe: Recipe,
    data: Sequence[Path],
    *,
    stores: Path,
    vgg: Path | None = None,
    machine: Machine | None = None,
    steps: int = 4,
    progress: Progress | None = None,
) -> list[Speed]:
    """Time every stage of a recipe; `steps` a turn. Keeps nothing but a store; raises what `train` raises."""
    recipe = fit_recipe(recipe, data)
    with joined(machine or Machine()) as place:
        check_batches(place, recipe)
        pairs = place.in_turn(lambda: open_pairs(recipe, data, stores, progress)).split("train")
        state, eyes = begin(recipe, place), open_eyes(recipe, vgg, place)
        speeds = []
        if recipe.pixel.steps:
            batch = draw_batch(pairs, recipe, 0, place, recipe.pixel)
            with closing(draw_batches(pairs, recipe, place, recipe.pixel, ENDLESS)) as drawn:
                loop, bare = _in_turns(
                    state,
                    steps,
                    lambda: learn_pixels(state, recipe, next(drawn)),
                    lambda: pixel_gradients(state, recipe, batch),
                )
            speeds.append(Speed("pixel", recipe.pixel.batch / loop, recipe.pixel.batch / bare))
        if recipe.gan.steps:
            begin_gan(state, recipe)
            state.step = recipe.pixel.steps
            seen = draw_batch(pairs, recipe, 0, place, recipe.gan)
            cycle = recipe.gan.judge_steps  # one of these many steps is the network's
            with closing(draw_batches(pairs, recipe, place, recipe.gan, ENDLESS)) as drawn:
                loop, bare = _in_turns(
                    state,
                    -(-steps // cycle) * cycle,
                    lambda: learn_gan(state, recipe, next(drawn), eyes),
                    lambda: gan_gradients(state, recipe, seen, eyes),
                )
            speeds.append(Speed("gan", recipe.gan.batch / loop, recipe.gan.batch / bare))
    return speeds


def _in_turns(state: State, steps: int, loop: Callable[[], object], bare: Callable[[], object]) -> tuple[float, float]:
    """Seconds a step of each, at the median of the turns: what else the machine does meanwhile meets both."""
    _seconds(state, WARM_UP, loop)
    turns = [(_seconds(state, steps, loop), _seconds(state, steps, bare)) for _ in range(TURNS)]
    loops, bares = zip(*turns, strict=True)
    return median(loops) / steps, median(bares) / steps


def _seconds(state: State, steps: int, work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(steps):
        work()
        state.step += 1  # wasserstein's judge learns alone in most steps
    if state.machine.device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - begun
