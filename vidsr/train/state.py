"""Where a training stands: networks, optimisers, steps; made anew, and put into a checkpoint and back."""

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
from vidsr.runs import Run, read_weights
from vidsr.train.config import Recipe
from vidsr.train.devices import Machine
from vidsr.train.recipe_file import parse_recipe

LEARNT, JUDGES = ("net", "average", "adam", "scaler", "judge_scaler"), ("judge", "judge_adam")
"""What of a state is put into a checkpoint, in both stages and in the second alone."""


@dataclass(slots=True)
class State:
    """All that a checkpoint holds, and how it is computed with."""

    machine: Machine
    net: nn.Module
    runner: nn.Module
    """The net as it is called to learn: compiled, distributed, sharing its weights."""
    average: nn.Module
    """The running mean of the net's weights, which is what is kept in the end."""
    adam: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    judge_scaler: torch.amp.GradScaler
    judge: nn.Module | None = None
    """The discriminator, while the second stage runs."""
    judge_runner: nn.Module | None = None
    judge_adam: torch.optim.Optimizer | None = None
    step: int = 0
    """Over both stages."""
    best: float = -math.inf
    ease: float = 1.0
    """The running mean of the discriminator's loss: at 0 it has nothing left to learn, and to teach."""


def begin(recipe: Recipe, machine: Machine) -> State:
    """Where a training stands before its first step. Raises RecipeError where `start` does not fit."""
    torch.manual_seed(recipe.seed)
    net = nets.build(asdict(recipe.net))
    if recipe.start:
        arrays, _, _ = read_weights(Path(recipe.start))
        ours = net.state_dict()
        fitting = {k: torch.from_numpy(v) for k, v in arrays.items() if k in ours and ours[k].shape == v.shape}
        if not any(tensor.ndim > 1 for tensor in fitting.values()):
            raise RecipeError(f"start = {recipe.start}: not one layer of it fits this network")
        net.load_state_dict(fitting, strict=False)
    net = machine.place(net)
    average = deepcopy(net).requires_grad_(False).eval()
    adam, scalers = _adam(net, recipe.pixel.rate), (machine.scaler(), machine.scaler())
    return State(machine, net, machine.prepare(net, graphs=True), average, adam, *scalers)


def begin_gan(state: State, recipe: Recipe) -> None:
    """Go over to the second stage: the net goes on from its average, against a discriminator that knows nothing."""
    gan = recipe.gan
    torch.manual_seed(recipe.seed + 1)
    spec: dict[str, Any] = {"kind": gan.judge, "width": gan.judge_width, "channels": recipe.net.channels * gan.window}
    if gan.judge == "srgan":
        # A gradient penalty holds for each sample alone, which batch normalisation mixes.
        spec |= {"size": recipe.data.side * recipe.net.scale, "batch_norm": gan.kind != "wasserstein"}
    state.net.load_state_dict(state.average.state_dict())
    state.judge = state.machine.place(nets.build(spec))
    state.judge_runner = state.machine.prepare(state.judge)
    state.adam, state.judge_adam = _adam(state.net, gan.rate), _adam(state.judge, gan.judge_rate)
    state.best, state.ease = -math.inf, 1.0


def _adam(net: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)


def to_bytes(state: State, recipe: Recipe) -> bytes:
    """The content of a checkpoint."""
    parts: dict[str, Any] = {name: getattr(state, name) for name in LEARNT}
    if state.judge is not None:
        parts |= {name: getattr(state, name) for name in JUDGES}
    content = {name: part.state_dict() for name, part in parts.items()}
    facts = {"step": state.step, "best": state.best, "ease": state.ease, "recipe": recipe.to_json()}
    buffer = io.BytesIO()
    torch.save({**content, **facts}, buffer)
    return buffer.getvalue()


def resume(run: Run, recipe: Recipe, machine: Machine) -> State:
    """Where the run stands that its folder holds, or a new one. Raises CheckpointError, RecipeError."""
    content = machine.share(lambda: run.checkpoint.read_bytes() if run.checkpoint.exists() else None)
    if content is None:
        return begin(recipe, machine)
    state = begin(replace(recipe, start=""), machine)  # which may be gone by now
    try:
        saved = torch.load(io.BytesIO(content), map_location=machine.device, weights_only=True)
        same = parse_recipe(json.loads(saved["recipe"])) == recipe  # parsed: its keys may have old names
        if same:
            _restore(state, saved, recipe)
    except Exception as exc:  # whatever the damaged bytes, or what they lack, lead torch to
        raise CheckpointError(f"{run.checkpoint} cannot be read ({exc}); delete it to start anew") from exc
    if not same:
        raise CheckpointError(
            f"{run.folder} holds a run of another recipe; name another folder with --run, and to begin with what this"
            f""" one learnt, --set "start='{run.weights}'\""""
        )
    return state


def _restore(state: State, saved: dict[str, Any], recipe: Recipe) -> None:
    if "judge" in saved:
        begin_gan(state, recipe)
    for name in (*LEARNT, *(JUDGES if "judge" in saved else ())):
        if saved[name]:  # empty: the scaler of a precision that wants none
            getattr(state, name).load_state_dict(saved[name])
    state.step, state.best, state.ease = saved["step"], saved["best"], saved["ease"]
