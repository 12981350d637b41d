"""The training itself, top to bottom on one page: stage `pixel`."""

import io
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from vidsr import nets
from vidsr.card import ModelCard
from vidsr.data.parts import Progress
from vidsr.errors import CheckpointError, DataError, Diverged, EngineMissing, RecipeError
from vidsr.nets import measure
from vidsr.nets.reparam import fold
from vidsr.runs import Run, append_log, read_weights, trim_log, write_weights, write_whole
from vidsr.train.batches import draw_batch, fit_recipe, open_pairs
from vidsr.train.config import VALIDATED, Recipe
from vidsr.train.losses import balance, charbonnier, l1, spectral
from vidsr.train.validate import Pair, gain, pairs_of_folder, pairs_of_store, validate

LOG_EVERY = 100  # steps

Report = Callable[[dict[str, Any]], None]
"""Called with each line of the log."""


@dataclass(slots=True)
class State:
    """All that a checkpoint holds."""

    net: nn.Module
    average: nn.Module
    adam: torch.optim.Adam
    step: int = 0
    best: float = -math.inf


def train(
    recipe: Recipe,
    data: Sequence[Path],
    folder: Path,
    *,
    validation: Path | None = None,
    stores: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    report: Report | None = None,
) -> Run:
    """Train a network, or go on with the training that `folder` holds, exactly as if it had never stopped.

    data: a store that `prepare` made, whose settings then replace the recipe's; or folders and files of photos and
    films. validation: a folder of pictures; without one, the store's own sources for it. stores: where the stores of
    photos and films lie; beside the run unless given. Every `validate_every` steps the checkpoint is
    replaced, and the averaged weights are kept if they are the best so far. Raises RecipeError, CheckpointError,
    DataError, DiskFull, Diverged; none of them harms the last checkpoint.
    """
    run, report = Run(folder), report or (lambda _: None)
    recipe = fit_recipe(recipe, data)
    state = _resume(run, recipe, device)
    store = open_pairs(recipe, data, stores or folder.parent / "stores", progress)
    scale, pixel, learnt = recipe.net.scale, recipe.pixel, store.split("train")
    pairs = pairs_of_folder(validation, scale) if validation else pairs_of_store(store.split("validation"), VALIDATED)
    if not pairs or not learnt:
        raise DataError(f"{store.folder} has too few sources to validate on others; give more, or --validation")
    write_whole(run.recipe, recipe.to_json().encode())
    trim_log(run, state.step)
    loss = torch.zeros(())
    while state.step < pixel.steps:
        for group in state.adam.param_groups:
            group["lr"] = learning_rate(recipe, state.step)
        loss = learn(state, recipe, draw_batch(learnt, recipe, state.step, device))
        state.step += 1
        logs, saves = state.step % LOG_EVERY == 0, state.step % pixel.validate_every == 0 or state.step == pixel.steps
        if (logs or saves) and not math.isfinite(loss.item()):  # .item() waits for the device: seldom
            raise Diverged(f"the loss is {loss.item()} at step {state.step}; lower pixel.rate below {pixel.rate}")
        if logs:
            line = {"step": state.step, "loss": loss.item(), "rate": learning_rate(recipe, state.step)}
            append_log(run, line)
            report(line)
        if saves:
            _validate(run, recipe, state, pairs, report)
            write_whole(run.checkpoint, _dump(state, recipe))
    return run


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine from `rate` to a thousandth of it."""
    pixel = recipe.pixel
    if step < pixel.warmup:
        return pixel.rate * (step + 1) / pixel.warmup
    done = (step - pixel.warmup) / max(1, pixel.steps - pixel.warmup)
    return pixel.rate * (0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def learn(state: State, recipe: Recipe, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Take one step: low and high (n, 1, h, w) in [0, 1], quantiser (n, 1, 1, 1) in [0, 1] in; the loss out."""
    low, high, quantiser = batch
    pixel = recipe.pixel
    with torch.autocast(low.device.type, torch.bfloat16):
        ours = state.net(low.contiguous(memory_format=torch.channels_last), quantiser)
    ours = ours.float()
    differences = (l1 if pixel.loss == "l1" else charbonnier)(ours, high)  # (n,)
    loss = (balance(low, high, pixel.balance) * differences).mean()
    if pixel.fft:
        loss = loss + pixel.fft * spectral(ours, high)
    state.adam.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(state.net.parameters(), pixel.clip)
    state.adam.step()
    decay = min(pixel.ema, (1 + state.step) / (10 + state.step))  # the first averages forget the random start faster
    with torch.no_grad():
        torch._foreach_lerp_(list(state.average.parameters()), list(state.net.parameters()), 1 - decay)
    return loss.detach()


def _validate(run: Run, recipe: Recipe, state: State, pairs: Sequence[Pair], report: Report) -> None:
    plain = fold(deepcopy(state.average)).eval().to("cpu")
    metrics = validate(plain, pairs, recipe.net.scale)
    line = {"step": state.step, **metrics}
    append_log(run, line)
    report(line)
    if gain(metrics) > state.best:
        state.best = gain(metrics)
        card = ModelCard(
            name=recipe.name,
            scale=recipe.net.scale,
            channels=1,
            reach=measure.reach(plain),
            quantiser=recipe.net.quantiser,
            parameters=measure.parameters(plain),
            macs=measure.macs(plain),
            recipe=f"{recipe.name} {recipe.digest()}, {state.step} steps",
            metrics={name: round(value, 4) for name, value in metrics.items()},
        )
        weights = {name: tensor.cpu().numpy() for name, tensor in state.average.state_dict().items()}
        write_weights(run.weights, weights, card, recipe.to_json())


def begin(recipe: Recipe, device: str) -> State:
    """Where a training stands before its first step. Raises RecipeError where `start` does not fit, EngineMissing."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as exc:  # a build without CUDA asserts
        raise EngineMissing(
            f"this PyTorch has no device {device} ({str(exc).splitlines()[0]}); give --device cpu"
        ) from exc
    torch.manual_seed(recipe.seed)
    spec = asdict(recipe.net)
    net = nets.build(spec)
    if recipe.start:
        arrays, _, _ = read_weights(Path(recipe.start))
        ours = net.state_dict()
        fitting = {k: torch.from_numpy(v) for k, v in arrays.items() if k in ours and ours[k].shape == v.shape}
        if not any(tensor.ndim > 1 for tensor in fitting.values()):
            raise RecipeError(f"start = {recipe.start}: not one layer of it fits this network")
        net.load_state_dict(fitting, strict=False)
    net = cast(Any, net.to(device)).to(memory_format=torch.channels_last)  # an overload its annotation lacks
    average = deepcopy(net).requires_grad_(False)
    return State(net, average, torch.optim.Adam(net.parameters(), lr=recipe.pixel.rate, betas=(0.9, 0.99), fused=True))


def _dump(state: State, recipe: Recipe) -> bytes:
    buffer = io.BytesIO()
    content = {"net": state.net.state_dict(), "average": state.average.state_dict(), "adam": state.adam.state_dict()}
    torch.save({**content, "step": state.step, "best": state.best, "recipe": recipe.to_json()}, buffer)
    return buffer.getvalue()


def _resume(run: Run, recipe: Recipe, device: str) -> State:
    state = begin(recipe, device)
    if not run.checkpoint.exists():
        return state
    try:
        saved = torch.load(run.checkpoint, map_location=device, weights_only=True)
        same = saved["recipe"] == recipe.to_json()
        if same:
            state.net.load_state_dict(saved["net"])
            state.average.load_state_dict(saved["average"])
            state.adam.load_state_dict(saved["adam"])
            state.step, state.best = saved["step"], saved["best"]
    except Exception as exc:  # whatever the damaged bytes, or what they lack, lead torch to
        raise CheckpointError(f"{run.checkpoint} cannot be read ({exc}); delete it to start anew") from exc
    if not same:
        raise CheckpointError(f"{run.folder} holds a run of another recipe; name another folder with --run")
    return state
