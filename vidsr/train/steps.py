"""One training step of each stage: losses, gradients and updates. Losses are weighted: they add up to `loss`.

A step is given this process's parts of a batch. Gradients are those of the mean over all parts, so splitting a batch
changes only what is computed over samples together: batch normalisation, the means of the relativistic loss, and the
power iteration of spectral normalisation, which advances with every part.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidsr.nets.discriminator import DiscriminatorOutput
from vidsr.nets.vgg import Vgg
from vidsr.train.batches import Batch
from vidsr.train.config import GanStage, PixelStage, Recipe
from vidsr.train.losses.adversarial import ADVERSARIAL, gradient_penalty
from vidsr.train.losses.content import (
    PIXEL,
    artifact,
    balance,
    feature_matching,
    flicker,
    grid,
    perceptual,
    spectral,
    texture,
    windows,
)
from vidsr.train.state import State

Losses = dict[str, Tensor]

MAX_SHIFT = 16  # pixels; the product of the strides of every discriminator divides it


def pixel_step(state: State, recipe: Recipe, parts: Sequence[Batch]) -> Losses:
    """Update the network by pixel differences, in the first or the last stage."""
    losses = pixel_gradients(state, recipe, parts)
    stage, done = pixel_stage(state, recipe)
    if _update(state.net, state.adam, state.scaler, recipe, stage):
        update_average(state.average, state.net, min(stage.ema, (1 + done) / (10 + done)))
    return losses


def gan_step(state: State, recipe: Recipe, parts: Sequence[Batch], vgg: Vgg | None) -> Losses:
    """Update the network and the discriminator."""
    assert state.discriminator is not None and state.discriminator_adam is not None
    losses = gan_gradients(state, recipe, parts, vgg)
    if "loss" in losses and _update(state.net, state.adam, state.scaler, recipe, recipe.gan):
        update_average(state.average, state.net, recipe.gan.ema)
    _update(state.discriminator, state.discriminator_adam, state.discriminator_scaler, recipe, recipe.gan)
    return losses


def pixel_gradients(state: State, recipe: Recipe, parts: Sequence[Batch]) -> Losses:
    """Compute losses and gradients of the first or the last stage."""
    (pixel, _), losses = pixel_stage(state, recipe), []
    state.adam.zero_grad(set_to_none=True)
    weights = [balance(low, high, pixel.balance) for low, high, _ in parts]
    mean = state.accelerator.reduce_mean(torch.cat(weights).mean())
    for part, weight in zip(parts, weights, strict=True):
        truth, output = _target(state, part), _upscale(state.runner, state, part)
        loss = (weight / mean * PIXEL[pixel.loss](output, truth)).mean()
        if pixel.fft:
            loss = loss + pixel.fft * spectral(output, truth)
        state.scaler.scale(loss / len(parts)).backward()
        losses.append({"loss": loss.detach()})
    return _mean(losses)


def pixel_stage(state: State, recipe: Recipe) -> tuple[PixelStage, int]:
    """Return the first stage, or the last one if it has begun, and how many steps of it are done."""
    return (recipe.int8, state.step - recipe.ends[1]) if state.teacher else (recipe.pixel, state.step)


def gan_gradients(state: State, recipe: Recipe, parts: Sequence[Batch], vgg: Vgg | None) -> Losses:
    """Compute losses and gradients of the second stage, for both networks as they are before the step."""
    discriminator, adam = state.discriminator, state.discriminator_adam
    assert discriminator is not None and adam is not None
    updates_net = (state.step + 1) % recipe.gan.discriminator_steps == 0
    state.adam.zero_grad(set_to_none=True)
    adam.zero_grad(set_to_none=True)
    all_losses = []
    for index, part in enumerate(parts):
        losses: Losses = {}
        with torch.set_grad_enabled(updates_net):
            output = _upscale(state.runner, state, part)
        if updates_net:
            discriminator.requires_grad_(False)  # gradients only pass through it
            losses = _net_losses(state, recipe, part, output, vgg)
            losses = {"loss": torch.stack(list(losses.values())).sum(), **losses}
            state.scaler.scale(losses["loss"] / len(parts)).backward()
            discriminator.requires_grad_(True)
        losses["discriminator"] = _discriminator_loss(state, recipe, part, output.detach(), index)
        state.discriminator_scaler.scale(losses["discriminator"] / len(parts)).backward()
        all_losses.append({name: loss.detach() for name, loss in losses.items()})
    return _mean(all_losses)


def _net_losses(state: State, recipe: Recipe, part: Batch, output: Tensor, vgg: Vgg | None) -> Losses:
    truth, gan, kind = part[1], recipe.gan, ADVERSARIAL[recipe.gan.kind]
    assert state.discriminator is not None
    losses = {"pixel": gan.pixel * PIXEL[gan.loss](output, truth).mean()}
    scored = _score(state.discriminator, state, recipe, output)
    needs_truth = kind.relative or gan.features
    truth_scored = _score(state.discriminator, state, recipe, truth) if needs_truth else scored
    losses["adversarial"] = gan.adversarial * kind.generator(scored.scores.float(), truth_scored.scores.float())
    if gan.features:
        losses["features"] = gan.features * feature_matching(scored.maps, truth_scored.maps)
    if vgg is not None:
        losses["perceptual"] = gan.perceptual * perceptual(vgg(output), vgg(truth), [1.0], distance=gan.distance)
    if gan.fft:
        losses["fft"] = gan.fft * spectral(output, truth)
    if gan.artifact:
        with torch.no_grad():
            average = _upscale(state.average, state, part)
        losses["artifact"] = gan.artifact * artifact(output, truth, average)
    if gan.texture:
        losses["texture"] = gan.texture * texture(output, truth, octaves=recipe.net.scale // 2)
    if gan.grid:
        losses["grid"] = gan.grid * grid(output, truth, period=recipe.net.scale)
    if gan.flicker:
        losses["flicker"] = gan.flicker * flicker(_split_frames(output, recipe), _split_frames(truth, recipe))
    return losses


def _discriminator_loss(state: State, recipe: Recipe, part: Batch, output: Tensor, index: int) -> Tensor:
    gan, kind, net = recipe.gan, ADVERSARIAL[recipe.gan.kind], state.discriminator
    assert net is not None and state.discriminator_runner is not None
    scores, truth_scores = (
        _score(state.discriminator_runner, state, recipe, images).scores.float() for images in (output, part[1])
    )
    loss = kind.discriminator(scores, truth_scores)
    if kind.penalised:
        shown, truth = (_discriminator_input(images, state, recipe) for images in (output, part[1]))
        # Drawn for the whole batch, so that it does not depend on how the batch is split.
        parts, generator = state.accelerator.parts, torch.Generator().manual_seed(state.step)
        mix = torch.rand(gan.batch, len(truth) * parts // gan.batch, 1, 1, 1, generator=generator)
        mix = mix[state.accelerator.own_parts()[index] :: parts].flatten(0, 1).to(truth.device)
        # By `forward`, because a compiled network cannot be differentiated twice.
        loss = loss + gan.penalty * gradient_penalty(lambda x: net.forward(x).scores, shown, truth, mix)
    return loss


def _target(state: State, part: Batch) -> Tensor:
    if state.teacher is None:
        return part[1]
    with torch.no_grad():
        return _upscale(state.teacher, state, part)


def _upscale(net: nn.Module, state: State, batch: Batch) -> Tensor:
    low, _, qp = batch
    with state.accelerator.autocast():
        output: Tensor = net(low.contiguous(memory_format=torch.channels_last), qp)
    return output.float()


def _score(discriminator: nn.Module, state: State, recipe: Recipe, images: Tensor) -> DiscriminatorOutput:
    shown = _discriminator_input(images, state, recipe)
    with state.accelerator.autocast():
        verdict: DiscriminatorOutput = discriminator(shown)
    return verdict


def _discriminator_input(images: Tensor, state: State, recipe: Recipe) -> Tensor:
    """Return what the discriminator is given for images (n, c, h, w): consecutive frames are stacked as channels.

    Output and truth are shifted alike, by another offset at each step: gradients through strided convolutions contain
    the grid of the strides (Odena et al. 2016, doi 10.23915/distill.00003), which the network would otherwise learn.
    """
    generator = torch.Generator().manual_seed(state.step)
    right, down = torch.randint(MAX_SHIFT, (2,), generator=generator).tolist()
    padded = functional.pad(images, (right, 0, down, 0), mode="reflect")
    shifted = padded[..., : images.shape[-2], : images.shape[-1]]
    return windows(_split_frames(shifted, recipe), length=recipe.gan.window) if recipe.gan.window > 1 else shifted


def _split_frames(images: Tensor, recipe: Recipe) -> Tensor:
    return images.reshape(-1, recipe.data.frames, *images.shape[1:])  # (n, t, c, h, w)


def _mean(losses: Sequence[Losses]) -> Losses:
    return {name: torch.stack([part[name] for part in losses]).mean() for name in losses[0]}


def _update(
    net: nn.Module,
    adam: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    recipe: Recipe,
    stage: PixelStage | GanStage,
) -> bool:
    """Take one optimiser step; return False if it was skipped because the gradient is not finite."""
    scaler.unscale_(adam)
    norm = nn.utils.clip_grad_norm_(net.parameters(), stage.clip)
    # Reading the norm waits for the device, so it is read only if the recipe needs it; the scaler of f16 reads it too.
    if recipe.not_finite == "skip" and not scaler.is_enabled() and not torch.isfinite(norm):
        return False
    scaler.step(adam)
    scaler.update()
    return True


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the moving average of weights and batch statistics towards the network's."""
    pairs = list(zip(average.state_dict().values(), net.state_dict().values(), strict=True))
    floats = [(mean, now) for mean, now in pairs if mean.is_floating_point()]
    torch._foreach_lerp_([mean for mean, _ in floats], [now for _, now in floats], 1 - decay)
    for mean, now in pairs:
        if not mean.is_floating_point():  # batch normalisation's count of batches
            mean.copy_(now)
