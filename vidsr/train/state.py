"""The state of a training run: networks, optimisers, step; how it begins, is saved and restored."""

import io
import json
import math
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidsr import nets
from vidsr.errors import CheckpointError, RecipeError
from vidsr.runs import RENAMED, Run, read_weights
from vidsr.train.config import Recipe
from vidsr.train.devices import Accelerator
from vidsr.train.recipe_file import parse_recipe

SAVED = ("net", "average", "adam", "scaler", "discriminator_scaler")
SAVED_OF_GAN = ("discriminator", "discriminator_adam")
"""Fields of the state whose state dicts are in a checkpoint: always, and in the second stage only."""


@dataclass(slots=True)
class State:
    """Everything that a checkpoint holds, and the modules it is trained with."""

    accelerator: Accelerator
    net: nn.Module
    runner: nn.Module
    """`net` as it is called in training: compiled or distributed, with the same weights."""
    average: nn.Module
    """The exponential moving average of the network's weights, which is what a run produces."""
    adam: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    discriminator_scaler: torch.amp.GradScaler
    discriminator: nn.Module | None = None
    """None in the first stage."""
    discriminator_runner: nn.Module | None = None
    discriminator_adam: torch.optim.Optimizer | None = None
    step: int = 0
    """Counted over both stages."""
    best: float = -math.inf
    """The highest `gain` of a validation."""
    discriminator_loss: float = 1.0
    """Moving average; near 0 the discriminator separates everything and the network learns nothing from it."""

    @property
    def stage(self) -> str:
        """The name of the current stage, as in recipes and logs."""
        return "gan" if self.discriminator else "pixel"


def begin(recipe: Recipe, accelerator: Accelerator) -> State:
    """Return the state before the first step. Raises RecipeError if no layer of `start` fits the network."""
    torch.manual_seed(recipe.seed)
    net = nets.build(asdict(recipe.net))
    if recipe.start:
        arrays, _, _ = read_weights(Path(recipe.start))
        own = net.state_dict()
        fitting = {k: torch.from_numpy(v) for k, v in arrays.items() if k in own and own[k].shape == v.shape}
        if not any(tensor.ndim > 1 for tensor in fitting.values()):
            raise RecipeError(f"start = {recipe.start}: none of its layers fits this network")
        net.load_state_dict(fitting, strict=False)
    net = accelerator.to_device(net)
    average = deepcopy(net).requires_grad_(False).eval()
    adam, scalers = _adam(net, recipe.pixel.rate), (accelerator.grad_scaler(), accelerator.grad_scaler())
    return State(accelerator, net, accelerator.prepare(net, graphs=True), average, adam, *scalers)


def begin_gan(state: State, recipe: Recipe) -> None:
    """Start the second stage: the network continues from its average, against an untrained discriminator."""
    gan = recipe.gan
    torch.manual_seed(recipe.seed + 1)
    spec: dict[str, Any] = {
        "kind": gan.discriminator,
        "width": gan.discriminator_width,
        "channels": recipe.net.channels * gan.window,
    }
    if gan.discriminator == "srgan":
        # The gradient penalty is defined for each sample alone, and batch normalisation mixes samples.
        spec |= {"size": recipe.data.side * recipe.net.scale, "batch_norm": gan.kind != "wasserstein"}
    state.net.load_state_dict(state.average.state_dict())
    state.discriminator = state.accelerator.to_device(nets.build(spec))
    state.discriminator_runner = state.accelerator.prepare(state.discriminator)
    state.adam = _adam(state.net, gan.rate)
    state.discriminator_adam = _adam(state.discriminator, gan.discriminator_rate)
    state.best, state.discriminator_loss = -math.inf, 1.0


def _adam(net: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)


def to_bytes(state: State, recipe: Recipe) -> bytes:
    """Return the content of a checkpoint."""
    names = (*SAVED, *(SAVED_OF_GAN if state.discriminator else ()))
    content: dict[str, Any] = {name: getattr(state, name).state_dict() for name in names}
    content |= {name: getattr(state, name) for name in ("step", "best", "discriminator_loss")}
    buffer = io.BytesIO()
    torch.save({**content, "recipe": recipe.to_json()}, buffer)
    return buffer.getvalue()


def resume(run: Run, recipe: Recipe, accelerator: Accelerator) -> State:
    """Return the state in the run's checkpoint, or a new one without a checkpoint.

    Raises CheckpointError if the checkpoint is damaged or another recipe's, RecipeError as `begin` does.
    """
    content = accelerator.broadcast(lambda: run.checkpoint.read_bytes() if run.checkpoint.exists() else None)
    if content is None:
        return begin(recipe, accelerator)
    state = begin(replace(recipe, start=""), accelerator)  # the start file may no longer exist
    try:
        saved = torch.load(io.BytesIO(content), map_location=accelerator.device, weights_only=True)
        saved = {RENAMED.get(name, name): value for name, value in saved.items()}
        same = parse_recipe(json.loads(saved["recipe"])) == recipe  # not compared as text: keys may have old names
        if same:
            _restore(state, saved, recipe)
    except Exception as exc:  # damaged or incomplete bytes make torch raise almost anything
        raise CheckpointError(f"{run.checkpoint} cannot be read ({exc}); delete it to start anew") from exc
    if not same:
        raise CheckpointError(
            f"{run.folder} holds a run of another recipe; name another folder with --run, or continue from its weights"
            f""" with --set "start='{run.weights}'\""""
        )
    return state


def _restore(state: State, saved: dict[str, Any], recipe: Recipe) -> None:
    if "discriminator" in saved:
        begin_gan(state, recipe)
    for name in (*SAVED, *(SAVED_OF_GAN if state.discriminator else ())):
        if saved[name]:  # a disabled scaler's state dict is empty
            getattr(state, name).load_state_dict(saved[name])
    state.step, state.best, state.discriminator_loss = saved["step"], saved["best"], saved["discriminator_loss"]
