"""The training itself, top to bottom on one page: stage `pixel`, then stage `gan` from the average of the first."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidsr.card import ModelCard
from vidsr.data.parts import Progress
from vidsr.errors import DataError, Diverged
from vidsr.nets import measure
from vidsr.nets.reparam import fold
from vidsr.nets.vgg import open_vgg
from vidsr.runs import Run, append_log, read_weights, trim_log, write_weights, write_whole
from vidsr.train.batches import draw_batch, fit_recipe, open_pairs
from vidsr.train.config import VALIDATED, Gan, Pixel, Recipe
from vidsr.train.samples import Sample, draw_samples
from vidsr.train.state import State, begin_gan, resume, to_bytes
from vidsr.train.steps import gan_step, pixel_step
from vidsr.train.validate import Pair, enlarge, gain, pairs_of_folder, pairs_of_store, validate

LOG_EVERY = 100  # steps
SHOWN = 6  # test pictures at most, as a sample of each validation
COLLAPSED = 0.01  # mean loss of a discriminator over some 500 steps, below which it teaches nothing more
BOUNDED = ("vanilla", "least_squares", "hinge", "relativistic")  # kinds of loss that end at 0

Report = Callable[[dict[str, Any]], None]
"""Called with each line of the log."""


def train(
    recipe: Recipe,
    data: Sequence[Path],
    folder: Path,
    *,
    validation: Path | None = None,
    stores: Path | None = None,
    vgg: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    report: Report | None = None,
) -> Run:
    """Train a network, or go on with the training that `folder` holds, exactly as if it had never stopped.

    data: a store that `prepare` made, whose settings then replace the recipe's; or folders and files of photos and
    films. validation: a folder of pictures; without one, the store's own sources for it. stores: where the stores of
    photos and films lie; beside the run unless given. vgg: VGG19's weights, for recipes with a perceptual loss; else
    torchvision's. Every `validate_every` steps the checkpoint is replaced; the averaged weights are kept if they are
    the best so far, in stage `gan` whenever they are validated, since PSNR does not choose there.
    Raises RecipeError, CheckpointError, DataError, DiskFull, Diverged, EngineMissing, and for VGG19 NotAModel,
    ExtraMissing and StreamBroken; none of them harms the last checkpoint.
    """
    recipe = fit_recipe(recipe, data)
    run, report = Run(folder), report or (lambda _: None)
    state = resume(run, recipe, device)
    eyes = open_vgg(vgg, [recipe.gan.layer]).to(device) if recipe.gan.steps and recipe.gan.perceptual else None
    store = open_pairs(recipe, data, stores or folder.parent / "stores", progress)
    scale, channels, learnt = recipe.net.scale, recipe.net.channels, store.split("train")
    pairs = (
        pairs_of_folder(validation, scale, channels=channels)
        if validation
        else pairs_of_store(store.split("validation"), VALIDATED)
    )
    if not pairs or not learnt:
        raise DataError(f"{store.folder} has too few sources to validate on others; give more, or --validation")
    write_whole(run.recipe, recipe.to_json().encode())
    trim_log(run, state.step)

    while state.step < recipe.pixel.steps:
        _set_rate(state.adam, learning_rate(recipe.pixel, state.step))
        losses = pixel_step(state, recipe, draw_batch(learnt, recipe, state.step, device, recipe.pixel))
        _note(run, recipe, recipe.pixel, state, losses, pairs, report)
    while state.step < recipe.pixel.steps + recipe.gan.steps:
        if state.judge is None:
            _keep_weights(run, run.pixel, recipe, state, _plain(state), {})
            begin_gan(state, recipe, device)
        share = schedule(recipe.gan, state.step - recipe.pixel.steps)
        _set_rate(state.adam, recipe.gan.rate * share)
        _set_rate(state.judge_adam, recipe.gan.judge_rate * share)
        losses = gan_step(state, recipe, draw_batch(learnt, recipe, state.step, device, recipe.gan), eyes)
        _note(run, recipe, recipe.gan, state, losses, pairs, report)
    return run


def learning_rate(stage: Pixel | Gan, step: int) -> float:
    """The network's rate at a step of this stage."""
    return stage.rate * schedule(stage, step)


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


def _note(
    run: Run,
    recipe: Recipe,
    stage: Pixel | Gan,
    state: State,
    losses: Mapping[str, Tensor],
    pairs: Sequence[Pair],
    report: Report,
) -> None:
    """Count a step; log its losses, validate and keep the checkpoint where it is time; stop what leads nowhere."""
    state.step += 1
    name = "pixel" if stage is recipe.pixel else "gan"
    last = state.step in (recipe.pixel.steps, recipe.pixel.steps + recipe.gan.steps)
    logs, saves = state.step % LOG_EVERY == 0, state.step % stage.validate_every == 0 or last
    if logs or saves:  # .item() waits for the device: seldom
        values = {key: loss.item() for key, loss in losses.items()}
        for key, value in values.items():
            if not math.isfinite(value) and recipe.not_finite == "stop":
                raise Diverged(f"the {key} loss is {value} at step {state.step}; lower {name}.rate below {stage.rate}")
        state.ease += 0.2 * (values.get("judge", state.ease) - state.ease)
        if state.ease < COLLAPSED and recipe.gan.kind in BOUNDED:
            raise Diverged(
                f"the discriminator tells everything apart since about step {state.step - 500}: it teaches nothing;"
                f" lower gan.judge_rate below {recipe.gan.judge_rate}"
            )
        if logs:
            line = {"step": state.step, "stage": name, **values, "rate": state.adam.param_groups[0]["lr"]}
            append_log(run, line)
            report(line)
    if saves:
        _validate(run, recipe, state, pairs, report)
        write_whole(run.checkpoint, to_bytes(state, recipe))


def _validate(run: Run, recipe: Recipe, state: State, pairs: Sequence[Pair], report: Report) -> None:
    plain = _plain(state)
    ours = [enlarge(plain, pair) for pair in pairs]
    metrics = validate(ours, pairs, recipe.net.scale)
    samples = [Sample(pair.low, pair.bicubic, its, pair.high) for pair, its in zip(pairs, ours, strict=True)]
    draw_samples(samples[:: -(-len(pairs) // SHOWN)], run.sample(state.step))
    line = {"step": state.step, "stage": "gan" if state.judge else "pixel", **metrics}
    append_log(run, line)
    report(line)
    if state.judge or gain(metrics) > state.best:
        state.best = gain(metrics)
        _keep_weights(run, run.weights, recipe, state, plain, metrics)


def _plain(state: State) -> nn.Module:
    """The averaged network as it will run: folded, on the CPU."""
    return fold(deepcopy(state.average)).eval().to("cpu")


def _keep_weights(
    run: Run, path: Path, recipe: Recipe, state: State, plain: nn.Module, metrics: Mapping[str, float]
) -> None:
    channels = recipe.net.channels
    card = ModelCard(
        name=recipe.name,
        scale=recipe.net.scale,
        channels=channels,
        # Measured once a run, since it takes ten seconds for a network as deep as SRResNet.
        reach=read_weights(run.folder)[1].reach if run.weights.exists() else measure.reach(plain, channels=channels),
        quantiser=recipe.net.quantiser,
        parameters=measure.parameters(plain),
        macs=measure.macs(plain, channels=channels),
        recipe=f"{recipe.name} {recipe.digest()}, {state.step} steps",
        metrics={name: round(value, 4) for name, value in metrics.items()},
    )
    weights = {name: tensor.cpu().numpy() for name, tensor in state.average.state_dict().items()}
    write_weights(path, weights, card, recipe.to_json())
