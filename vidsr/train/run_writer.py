"""Writing a run's folder during training: log, curves, samples, weights, checkpoint; and when training must stop."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from vidsr.card import ModelCard
from vidsr.errors import Diverged
from vidsr.io.atomic import write_atomically
from vidsr.nets import receptive_field as measure
from vidsr.nets.reparam import fold
from vidsr.runs import Run, append_log, read_weights, trim_log, write_weights
from vidsr.train.config import GanStage, PixelStage, Recipe
from vidsr.train.sample_grid import Sample, draw_samples
from vidsr.train.state import State, to_bytes
from vidsr.train.tensorboard import TensorBoard
from vidsr.train.validate import ValidationPair, gain, upscale_pair, validate

LOG_EVERY = 100  # steps
MAX_SAMPLES = 6  # rows of a sample grid
COLLAPSED = 0.01  # average loss of a discriminator, over some 500 steps, below which the network learns nothing from it
BOUNDED = ("vanilla", "least_squares", "hinge", "relativistic")  # kinds of adversarial loss whose minimum is 0

Report = Callable[[dict[str, Any]], None]
"""Called with each line of the log."""


class RunWriter:
    """Writer of one run; a context manager.

    Of several processes only the main one writes; Diverged is raised in all of them.
    """

    def __init__(self, run: Run, recipe: Recipe, pairs: Sequence[ValidationPair], state: State, report: Report) -> None:
        self.run, self.recipe, self._pairs, self._report = run, recipe, pairs, report
        self._board: TensorBoard | None = None
        if state.accelerator.is_main:
            write_atomically(run.recipe, recipe.to_json().encode())
            trim_log(run, state.step)
            self._board = TensorBoard(run.board, step=state.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._board:
            self._board.__exit__(*exc)

    def step(self, stage: PixelStage | GanStage, state: State, losses: Mapping[str, Tensor]) -> None:
        """Count a step; log its losses, validate and save the checkpoint if due. Raises Diverged, DiskFull."""
        state.step += 1
        recipe = self.recipe
        is_last = state.step in recipe.ends
        logs, saves = state.step % LOG_EVERY == 0, state.step % stage.validate_every == 0 or is_last
        if logs or saves:  # rarely, because .item() waits for the device
            values = {name: state.accelerator.reduce_mean(loss).item() for name, loss in losses.items()}
            self._check_losses(stage, state, values)
            if logs:
                self._write({"stage": state.stage, **values, "rate": state.adam.param_groups[0]["lr"]}, state)
        if saves:
            _check_weights(stage, state)
        if saves and state.accelerator.is_main:
            self._validate(state)
            write_atomically(self.run.checkpoint, to_bytes(state, recipe))

    def keep(self, path: Path, state: State) -> None:
        """Write the averaged weights with a card without metrics."""
        if state.accelerator.is_main:
            self._write_weights(path, state, _folded_average(state), {})

    def _check_losses(self, stage: PixelStage | GanStage, state: State, values: Mapping[str, float]) -> None:
        """Raise Diverged before a good checkpoint is replaced by a useless one."""
        for key, value in values.items():
            if not math.isfinite(value) and self.recipe.not_finite == "stop":
                raise Diverged(
                    f"the {key} loss is {value} at step {state.step}; set {state.stage}.rate below {stage.rate}"
                )
        if math.isfinite(loss := values.get("discriminator", state.discriminator_loss)):
            state.discriminator_loss += 0.2 * (loss - state.discriminator_loss)
        if state.discriminator_loss < COLLAPSED and self.recipe.gan.kind in BOUNDED:
            raise Diverged(
                f"the discriminator's loss is near 0 since about step {state.step - 500}, so the network learns nothing"
                f" from it; set gan.discriminator_rate below {self.recipe.gan.discriminator_rate}"
            )

    def _write(self, values: Mapping[str, Any], state: State) -> None:
        if self._board:
            line = {"step": state.step, **values}
            append_log(self.run, line)
            self._board.write(line)
            self._report(line)

    def _validate(self, state: State) -> None:
        net, pairs = _folded_average(state), self._pairs
        outputs = [upscale_pair(net, pair) for pair in pairs]
        metrics = validate(outputs, pairs, self.recipe.net.scale)
        samples = [
            Sample(pair.low, pair.bicubic, output, pair.high) for pair, output in zip(pairs, outputs, strict=True)
        ]
        draw_samples(samples[:: -(-len(samples) // MAX_SAMPLES)], self.run.sample(state.step))
        assert self._board is not None
        self._board.show(state.step, self.run.sample(state.step))
        self._write({"stage": state.stage, **metrics}, state)
        if state.discriminator or gain(metrics) > state.best:
            state.best = gain(metrics)
            self._write_weights(self.run.int8 if state.teacher else self.run.weights, state, net, metrics)

    def _receptive_field(self, net: nn.Module) -> int:
        """Measure the receptive field once a run: it takes ten seconds for a network as deep as SRResNet."""
        for written in (self.run.weights, self.run.pixel):
            if written.exists():
                return read_weights(written)[1].receptive_field
        return measure.receptive_field(net, channels=self.recipe.net.channels)

    def _write_weights(self, path: Path, state: State, net: nn.Module, metrics: Mapping[str, float]) -> None:
        recipe = self.recipe.in_int8() if state.teacher else self.recipe
        channels = recipe.net.channels
        card = ModelCard(
            name=recipe.name,
            scale=recipe.net.scale,
            channels=channels,
            receptive_field=self._receptive_field(net),
            step=measure.step(net),
            qp=recipe.net.qp,
            parameters=measure.parameters(net),
            macs=measure.macs(net, channels=channels),
            recipe=f"{recipe.name} {self.recipe.digest()}, {state.step} steps",
            metrics={name: round(value, 4) for name, value in metrics.items()},
        )
        weights = {name: tensor.cpu().numpy() for name, tensor in state.average.state_dict().items()}
        write_weights(path, weights, card, recipe.to_json())


def _check_weights(stage: PixelStage | GanStage, state: State) -> None:
    """Raise Diverged if a weight is not finite: a gradient can overflow although its loss does not."""
    modules = [module for module in (state.net, state.average, state.discriminator) if module is not None]
    finite = torch.stack([tensor.isfinite().all() for net in modules for tensor in net.state_dict().values()]).all()
    if state.accelerator.reduce_mean(finite.float()) < 1:  # batch statistics differ between processes
        raise Diverged(f"weights are not finite at step {state.step}; set {state.stage}.rate below {stage.rate}")


def _folded_average(state: State) -> nn.Module:
    """Return the averaged network as it will be exported: folded, on the CPU."""
    return fold(deepcopy(state.average)).eval().to("cpu")
