"""Where a training stands: networks, optimisers, steps; made anew, and put into a checkpoint and back."""

import io
import math
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from vidsr import nets
from vidsr.errors import CheckpointError, EngineMissing, RecipeError
from vidsr.runs import Run, read_weights
from vidsr.train.config import Recipe


@dataclass(slots=True)
class State:
    """All that a checkpoint holds."""

    net: nn.Module
    average: nn.Module
    """The running mean of the net's weights, which is what is kept in the end."""
    adam: torch.optim.Optimizer
    judge: nn.Module | None = None
    """The discriminator, while the second stage runs."""
    judge_adam: torch.optim.Optimizer | None = None
    step: int = 0
    """Over both stages."""
    best: float = -math.inf
    ease: float = 1.0
    """The running mean of the discriminator's loss: at 0 it has nothing left to learn, and to teach."""


def begin(recipe: Recipe, device: str) -> State:
    """Where a training stands before its first step. Raises RecipeError where `start` does not fit, EngineMissing."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as exc:  # a build without CUDA asserts
        raise EngineMissing(
            f"this PyTorch has no device {device} ({str(exc).splitlines()[0]}); give --device cpu"
        ) from exc
    torch.manual_seed(recipe.seed)
    net = nets.build(asdict(recipe.net))
    if recipe.start:
        arrays, _, _ = read_weights(Path(recipe.start))
        ours = net.state_dict()
        fitting = {k: torch.from_numpy(v) for k, v in arrays.items() if k in ours and ours[k].shape == v.shape}
        if not any(tensor.ndim > 1 for tensor in fitting.values()):
            raise RecipeError(f"start = {recipe.start}: not one layer of it fits this network")
        net.load_state_dict(fitting, strict=False)
    net = _placed(net, device)
    return State(net, deepcopy(net).requires_grad_(False).eval(), _adam(net, recipe.pixel.rate))


def begin_gan(state: State, recipe: Recipe, device: str) -> None:
    """Go over to the second stage: the net goes on from its average, against a discriminator that knows nothing."""
    gan = recipe.gan
    torch.manual_seed(recipe.seed + 1)
    spec: dict[str, Any] = {"kind": gan.judge, "width": gan.judge_width, "channels": recipe.net.channels * gan.window}
    if gan.judge == "srgan":
        # A gradient penalty holds for each sample alone, which batch normalisation mixes.
        spec |= {"size": recipe.data.side * recipe.net.scale, "batch_norm": gan.kind != "wasserstein"}
    state.net.load_state_dict(state.average.state_dict())
    state.judge = _placed(nets.build(spec), device)
    state.adam, state.judge_adam = _adam(state.net, gan.rate), _adam(state.judge, gan.judge_rate)
    state.best, state.ease = -math.inf, 1.0


def _placed(net: nn.Module, device: str) -> nn.Module:
    placed = cast(Any, net.to(device)).to(memory_format=torch.channels_last)  # an overload its annotation lacks
    return cast(nn.Module, placed)


def _adam(net: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)


def to_bytes(state: State, recipe: Recipe) -> bytes:
    """The content of a checkpoint."""
    parts: dict[str, Any] = {"net": state.net, "average": state.average, "adam": state.adam}
    if state.judge is not None and state.judge_adam is not None:
        parts |= {"judge": state.judge, "judge_adam": state.judge_adam}
    content = {name: part.state_dict() for name, part in parts.items()}
    facts = {"step": state.step, "best": state.best, "ease": state.ease, "recipe": recipe.to_json()}
    buffer = io.BytesIO()
    torch.save({**content, **facts}, buffer)
    return buffer.getvalue()


def resume(run: Run, recipe: Recipe, device: str) -> State:
    """Where the run stands that its folder holds, or a new one. Raises CheckpointError, RecipeError."""
    state = begin(recipe, device)
    if not run.checkpoint.exists():
        return state
    try:
        saved = torch.load(run.checkpoint, map_location=device, weights_only=True)
        same = saved["recipe"] == recipe.to_json()
        if same:
            _restore(state, saved, recipe, device)
    except Exception as exc:  # whatever the damaged bytes, or what they lack, lead torch to
        raise CheckpointError(f"{run.checkpoint} cannot be read ({exc}); delete it to start anew") from exc
    if not same:
        raise CheckpointError(f"{run.folder} holds a run of another recipe; name another folder with --run")
    return state


def _restore(state: State, saved: dict[str, Any], recipe: Recipe, device: str) -> None:
    if "judge" in saved:
        begin_gan(state, recipe, device)
        assert state.judge is not None and state.judge_adam is not None
        state.judge.load_state_dict(saved["judge"])
        state.judge_adam.load_state_dict(saved["judge_adam"])
    state.net.load_state_dict(saved["net"])
    state.average.load_state_dict(saved["average"])
    state.adam.load_state_dict(saved["adam"])
    state.step, state.best, state.ease = saved["step"], saved["best"], saved["ease"]
