"""The state of a training run: networks, optimisers, step; how it begins, is saved and restored."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from onnx import numpy_helper
from torch import Tensor, nn

from vidsr import nets, zoo
from vidsr.errors import CheckpointError, RecipeError
from vidsr.runs import RENAMED, Run, read_weights
from vidsr.train.batches import Batch
from vidsr.train.config import Recipe
from vidsr.train.devices import Accelerator
from vidsr.train.recipe_file import parse_recipe
from vidsr.upscaling.model_file import read_graph

SAVED = ("net", "average", "adam", "scaler", "discriminator_scaler")
SAVED_IN = {"pixel": (), "gan": ("discriminator", "discriminator_adam"), "int8": ("teacher",)}
NUMBERS = ("step", "best", "discriminator_loss")
"""Fields of the state in a checkpoint: state dicts, those of one stage only, and plain values."""


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
    teacher: nn.Module | None = None
    """In the last stage: the network before it, whose output is what the network learns to give in int8."""

    @property
    def stage(self) -> str:
        """The name of the current stage, as in recipes and logs."""
        return "int8" if self.teacher else "gan" if self.discriminator else "pixel"


def begin(recipe: Recipe, accelerator: Accelerator) -> State:
    """Return the state before the first step. Raises RecipeError if no layer of `start` fits the network."""
    torch.manual_seed(recipe.seed)
    net = nets.build(asdict(recipe.net))
    if recipe.start:
        own = net.state_dict()
        fitting = {k: v for k, v in _start_weights(recipe.start, own).items() if k in own and own[k].shape == v.shape}
        if not any(tensor.ndim > 1 for tensor in fitting.values()):
            raise RecipeError(f"start = {recipe.start}: none of its layers fits this network")
        net.load_state_dict(fitting, strict=False)
    net = accelerator.to_device(net)
    average = deepcopy(net).requires_grad_(False).eval()
    adam, scalers = _adam(net, recipe.pixel.rate), (accelerator.grad_scaler(), accelerator.grad_scaler())
    return State(accelerator, net, accelerator.prepare(net, graphs=True), average, adam, *scalers)


def _start_weights(start: str, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in a file, or in a model given by name or path, by the names of a network's own.

    In an exported model every RepConv is one convolution: it becomes the straight branch, and the others start at 0.
    """
    if Path(start).exists() and Path(start).suffix != ".onnx":
        return {name: torch.from_numpy(array) for name, array in read_weights(Path(start))[0].items()}
    stored = {tensor.name: tensor for tensor in read_graph(zoo.find(start)).graph.initializer}
    folded = {name: name.replace(".straight.", ".") for name in own}
    weights = {
        name: torch.from_numpy(numpy_helper.to_array(stored[plain]).copy())
        for name, plain in folded.items()
        if plain in stored
    }
    ends = ".spread", ".skip"
    return weights | {name: torch.zeros_like(tensor) for name, tensor in own.items() if name.endswith(ends)}


def begin_int8(state: State, recipe: Recipe, parts: Sequence[Batch]) -> None:
    """Start the last stage: the network continues from its average and computes in int8, with ranges from a batch."""
    net = nets.build(asdict(recipe.in_int8().net))
    net.load_state_dict(state.average.state_dict(), strict=False)  # which has no ranges
    state.net, state.teacher = state.accelerator.to_device(net), state.average
    with torch.no_grad():
        for low, _, qp in parts:
            state.net(low, qp)
    state.average = deepcopy(state.net).requires_grad_(False).eval()
    state.runner, state.adam = state.accelerator.prepare(state.net, graphs=True), _adam(state.net, recipe.int8.rate)
    state.discriminator = state.discriminator_runner = state.discriminator_adam = None
    state.best = -math.inf


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
    names = (*SAVED, *SAVED_IN[state.stage])
    content: dict[str, Any] = {name: getattr(state, name).state_dict() for name in names}
    content |= {name: getattr(state, name) for name in NUMBERS}
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
    if "teacher" in saved:
        begin_int8(state, recipe, [])
    elif "discriminator" in saved:
        begin_gan(state, recipe)
    for name in (*SAVED, *SAVED_IN[state.stage]):
        if saved[name]:  # a disabled scaler's state dict is empty
            getattr(state, name).load_state_dict(saved[name])
    for name in NUMBERS:
        setattr(state, name, saved[name])
