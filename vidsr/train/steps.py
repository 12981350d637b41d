"""One step of each stage: what is computed, what is learnt from it. Losses are weighted: they add up to `loss`.

A step is given the parts of a batch that are this process's. Gradients are those of the mean over all parts, so that
cutting a batch changes nothing but what a loss or a network reckons over its samples together, batch normalisation and
the averages of the relativistic loss, and spectral normalisation, whose estimate grows better with every part it sees.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidsr.nets.discriminator import Verdict
from vidsr.nets.vgg import Vgg
from vidsr.train.batches import Batch
from vidsr.train.config import Gan, Pixel, Recipe
from vidsr.train.losses import (
    ADVERSARIAL,
    PIXEL,
    artifact,
    balance,
    feature_matching,
    flicker,
    gradient_penalty,
    grid,
    perceptual,
    spectral,
    windows,
)
from vidsr.train.state import State

Losses = dict[str, Tensor]

MOVES = 16  # pixels after which the strides of every discriminator meet the picture alike


def pixel_step(state: State, recipe: Recipe, parts: Sequence[Batch]) -> Losses:
    """The network learns from differences of pixels alone."""
    losses = pixel_gradients(state, recipe, parts)
    if _learn(state.net, state.adam, state.scaler, recipe, recipe.pixel):
        follow(state.average, state.net, min(recipe.pixel.ema, (1 + state.step) / (10 + state.step)))
    return losses


def gan_step(state: State, recipe: Recipe, parts: Sequence[Batch], vgg: Vgg | None) -> Losses:
    """The network learns to please the discriminator and the other losses; it, to tell ours from the truth."""
    assert state.judge is not None and state.judge_adam is not None
    losses = gan_gradients(state, recipe, parts, vgg)
    if "loss" in losses and _learn(state.net, state.adam, state.scaler, recipe, recipe.gan):
        follow(state.average, state.net, recipe.gan.ema)
    _learn(state.judge, state.judge_adam, state.judge_scaler, recipe, recipe.gan)
    return losses


def pixel_gradients(state: State, recipe: Recipe, parts: Sequence[Batch]) -> Losses:
    """Compute losses and gradients of the first stage, forward and backward."""
    pixel, summed = recipe.pixel, []
    state.adam.zero_grad(set_to_none=True)
    weights = [balance(low, high, pixel.balance) for low, high, _ in parts]
    mean = state.machine.mean(torch.cat(weights).mean())
    for part, weight in zip(parts, weights, strict=True):
        high, ours = part[1], _enlarge(state.runner, state, part)
        loss = (weight / mean * PIXEL[pixel.loss](ours, high)).mean()
        if pixel.fft:
            loss = loss + pixel.fft * spectral(ours, high)
        state.scaler.scale(loss / len(parts)).backward()
        summed.append({"loss": loss.detach()})
    return _mean(summed)


def gan_gradients(state: State, recipe: Recipe, parts: Sequence[Batch], vgg: Vgg | None) -> Losses:
    """Compute losses and gradients of the second stage, of both networks as they stand."""
    assert state.judge is not None and state.judge_adam is not None
    learns, summed = (state.step + 1) % recipe.gan.judge_steps == 0, []
    state.adam.zero_grad(set_to_none=True)
    state.judge_adam.zero_grad(set_to_none=True)
    for index, part in enumerate(parts):
        losses: Losses = {}
        with torch.set_grad_enabled(learns):
            ours = _enlarge(state.runner, state, part)
        if learns:
            state.judge.requires_grad_(False)  # it only passes the gradient on
            losses = _losses(state, recipe, part, ours, vgg)
            losses = {"loss": torch.stack(list(losses.values())).sum(), **losses}
            state.scaler.scale(losses["loss"] / len(parts)).backward()
            state.judge.requires_grad_(True)
        losses["judge"] = _judge_loss(state, recipe, part, ours.detach(), index)
        state.judge_scaler.scale(losses["judge"] / len(parts)).backward()
        summed.append({name: loss.detach() for name, loss in losses.items()})
    return _mean(summed)


def _losses(state: State, recipe: Recipe, part: Batch, ours: Tensor, vgg: Vgg | None) -> Losses:
    high, gan, kind = part[1], recipe.gan, ADVERSARIAL[recipe.gan.kind]
    assert state.judge is not None
    losses = {"pixel": gan.pixel * PIXEL[gan.loss](ours, high).mean()}
    verdict = _judge(state.judge, state, _judged(ours, state, recipe))
    truth = _judge(state.judge, state, _judged(high, state, recipe)) if kind.relative or gan.features else verdict
    losses["adversarial"] = gan.adversarial * kind.generator(verdict.scores.float(), truth.scores.float())
    if gan.features:
        losses["features"] = gan.features * feature_matching(verdict.maps, truth.maps)
    if vgg is not None:
        losses["perceptual"] = gan.perceptual * perceptual(vgg(ours), vgg(high), [1.0], distance=gan.distance)
    if gan.fft:
        losses["fft"] = gan.fft * spectral(ours, high)
    if gan.artifact:
        with torch.no_grad():
            average = _enlarge(state.average, state, part)
        losses["artifact"] = gan.artifact * artifact(ours, high, average)
    if gan.grid:
        losses["grid"] = gan.grid * grid(ours, high, period=recipe.net.scale)
    if gan.flicker:
        losses["flicker"] = gan.flicker * flicker(_in_runs(ours, recipe), _in_runs(high, recipe))
    return losses


def _judge_loss(state: State, recipe: Recipe, part: Batch, ours: Tensor, index: int) -> Tensor:
    gan, kind, judge, runner = recipe.gan, ADVERSARIAL[recipe.gan.kind], state.judge, state.judge_runner
    assert judge is not None and runner is not None
    seen, true = _judged(ours, state, recipe), _judged(part[1], state, recipe)
    told = kind.discriminator(_judge(runner, state, seen).scores.float(), _judge(runner, state, true).scores.float())
    if kind.penalised:
        dice, cut = torch.Generator().manual_seed(state.step), state.machine.parts
        mix = torch.rand(gan.batch, len(true) * cut // gan.batch, 1, 1, 1, generator=dice)  # as for the whole batch
        mine = mix[state.machine.shares()[index] :: cut].flatten(0, 1).to(true.device)
        # Past torch.compile, which cannot differentiate twice.
        told = told + gan.penalty * gradient_penalty(lambda x: judge.forward(x).scores, seen, true, mine)
    return told


def _enlarge(net: nn.Module, state: State, batch: Batch) -> Tensor:
    low, _, qp = batch
    with state.machine.autocast():
        ours: Tensor = net(low.contiguous(memory_format=torch.channels_last), qp)
    return ours.float()


def _judge(judge: nn.Module, state: State, pictures: Tensor) -> Verdict:
    with state.machine.autocast():
        verdict: Verdict = judge(pictures)
    return verdict


def _judged(frames: Tensor, state: State, recipe: Recipe) -> Tensor:
    """What the discriminator sees of (n, c, h, w): pictures, or several frames as one of more channels.

    Ours and the truth are moved alike, by other distances at each step: the gradient that comes back through strided
    convolutions has their grid (Odena et al. 2016, doi 10.23915/distill.00003), which standing still would print.
    """
    dice = torch.Generator().manual_seed(state.step)
    right, down = torch.randint(MOVES, (2,), generator=dice).tolist()
    moved = functional.pad(frames, (right, 0, down, 0), mode="reflect")[..., : frames.shape[-2], : frames.shape[-1]]
    return windows(_in_runs(moved, recipe), length=recipe.gan.window) if recipe.gan.window > 1 else moved


def _in_runs(frames: Tensor, recipe: Recipe) -> Tensor:
    return frames.reshape(-1, recipe.data.frames, *frames.shape[1:])  # (n, t, c, h, w)


def _mean(parts: Sequence[Losses]) -> Losses:
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}


def _learn(
    net: nn.Module, adam: torch.optim.Optimizer, scaler: torch.amp.GradScaler, recipe: Recipe, stage: Pixel | Gan
) -> bool:
    """Take a step down the gradient; says whether it did: one that is no number may be one to skip."""
    scaler.unscale_(adam)
    norm = nn.utils.clip_grad_norm_(net.parameters(), stage.clip)
    # Asking for the norm waits for the device, so only where the recipe wants it; the scaler of fp16 asks anyway.
    if recipe.not_finite == "skip" and not scaler.is_enabled() and not torch.isfinite(norm):
        return False
    scaler.step(adam)
    scaler.update()
    return True


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the running mean of the weights, and of what batch normalisation gathers, towards the net's."""
    pairs = list(zip(average.state_dict().values(), net.state_dict().values(), strict=True))
    real = [(mean, now) for mean, now in pairs if mean.is_floating_point()]
    torch._foreach_lerp_([mean for mean, _ in real], [now for _, now in real], 1 - decay)
    for mean, now in pairs:
        if not mean.is_floating_point():  # how many batches were seen
            mean.copy_(now)
