"""One step of each stage: what is computed, what is learnt from it."""

import torch
from torch import Tensor, nn

from vidsr.nets.discriminator import Verdict
from vidsr.nets.vgg import Vgg
from vidsr.train.batches import Batch
from vidsr.train.config import Recipe
from vidsr.train.losses import (
    ADVERSARIAL,
    PIXEL,
    artifact,
    balance,
    feature_matching,
    flicker,
    gradient_penalty,
    perceptual,
    spectral,
    windows,
)
from vidsr.train.state import State

Losses = dict[str, Tensor]
"""By name, each weighted, so that they add up to what is minimised."""


def pixel_step(state: State, recipe: Recipe, batch: Batch) -> Losses:
    """The network learns from differences of pixels alone."""
    low, high, _ = batch
    pixel = recipe.pixel
    ours = _enlarge(state.net, batch)
    losses = {"loss": (balance(low, high, pixel.balance) * PIXEL[pixel.loss](ours, high)).mean()}
    if pixel.fft:
        losses["loss"] = losses["loss"] + pixel.fft * spectral(ours, high)
    if _learn(state.net, state.adam, losses["loss"], pixel.clip, recipe):
        follow(state.average, state.net, min(pixel.ema, (1 + state.step) / (10 + state.step)))
    return losses


def gan_step(state: State, recipe: Recipe, batch: Batch, vgg: Vgg | None) -> Losses:
    """The discriminator learns to tell ours from the truth, then the network to please it and the other losses."""
    _, high, _ = batch
    gan, kind = recipe.gan, ADVERSARIAL[recipe.gan.kind]
    judge, judge_adam = state.judge, state.judge_adam
    assert judge is not None and judge_adam is not None
    ours = _enlarge(state.net, batch)
    seen, true = _judged(ours, recipe), _judged(high, recipe)

    told = kind.discriminator(_judge(judge, seen.detach()).scores.float(), _judge(judge, true).scores.float())
    if kind.penalised:
        mix = torch.rand(len(true), 1, 1, 1, generator=torch.Generator().manual_seed(state.step)).to(true.device)
        told = told + gan.penalty * gradient_penalty(lambda x: judge(x).scores, seen, true, mix)
    _learn(judge, judge_adam, told, gan.clip, recipe)
    if (state.step + 1) % gan.judge_steps:
        return {"judge": told}

    judge.requires_grad_(False)  # it only passes the gradient on
    losses = {"pixel": gan.pixel * PIXEL[gan.loss](ours, high).mean()}
    verdict = _judge(judge, seen)
    truth = _judge(judge, true) if kind.relative or gan.features else verdict
    losses["adversarial"] = gan.adversarial * kind.generator(verdict.scores.float(), truth.scores.float())
    if gan.features:
        losses["features"] = gan.features * feature_matching(verdict.maps, truth.maps)
    if vgg is not None:
        losses["perceptual"] = gan.perceptual * perceptual(vgg(ours), vgg(high), [1.0], distance=gan.distance)
    if gan.fft:
        losses["fft"] = gan.fft * spectral(ours, high)
    if gan.artifact:
        with torch.no_grad():
            average = _enlarge(state.average, batch)
        losses["artifact"] = gan.artifact * artifact(ours, high, average)
    if gan.flicker:
        losses["flicker"] = gan.flicker * flicker(_in_runs(ours, recipe), _in_runs(high, recipe))
    loss = torch.stack(list(losses.values())).sum()
    if _learn(state.net, state.adam, loss, gan.clip, recipe):
        follow(state.average, state.net, gan.ema)
    judge.requires_grad_(True)
    return {"loss": loss, **losses, "judge": told}


def _enlarge(net: nn.Module, batch: Batch) -> Tensor:
    low, _, quantiser = batch
    with torch.autocast(low.device.type, torch.bfloat16):
        ours: Tensor = net(low.contiguous(memory_format=torch.channels_last), quantiser)
    return ours.float()


def _judge(judge: nn.Module, pictures: Tensor) -> Verdict:
    with torch.autocast(pictures.device.type, torch.bfloat16):
        verdict: Verdict = judge(pictures)
    return verdict


def _judged(frames: Tensor, recipe: Recipe) -> Tensor:
    """What the discriminator sees of (n, c, h, w): pictures alone, or several frames as one of more channels."""
    return windows(_in_runs(frames, recipe), length=recipe.gan.window) if recipe.gan.window > 1 else frames


def _in_runs(frames: Tensor, recipe: Recipe) -> Tensor:
    return frames.reshape(-1, recipe.data.frames, *frames.shape[1:])  # (n, t, c, h, w)


def _learn(net: nn.Module, adam: torch.optim.Optimizer, loss: Tensor, clip: float, recipe: Recipe) -> bool:
    """Take a step down the loss; says whether it did: a loss that is no number may be one to skip."""
    adam.zero_grad(set_to_none=True)
    if recipe.not_finite == "skip" and not torch.isfinite(loss):  # waits for the device, so only where it is asked for
        return False
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), clip)
    adam.step()
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
