"""What a training leaves in its run's folder: log, curves, samples, weights, checkpoint; and when it must stop."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from vidsr.card import ModelCard
from vidsr.errors import Diverged
from vidsr.io.atomic import write_atomically
from vidsr.nets import receptive_field as measure
from vidsr.nets.reparam import fold
from vidsr.runs import Run, append_log, read_weights, trim_log, write_weights
from vidsr.train.config import Gan, Pixel, Recipe
from vidsr.train.sample_grid import Sample, draw_samples
from vidsr.train.state import State, to_bytes
from vidsr.train.tensorboard import Board
from vidsr.train.validate import Pair, enlarge, gain, validate

LOG_EVERY = 100  # steps
SHOWN = 6  # test pictures at most, as a sample of each validation
COLLAPSED = 0.01  # mean loss of a discriminator over some 500 steps, below which it teaches nothing more
BOUNDED = ("vanilla", "least_squares", "hinge", "relativistic")  # kinds of loss that end at 0

Report = Callable[[dict[str, Any]], None]
"""Called with each line of the log."""


class Record:
    """The writer of one run. Of several processes the first alone writes; all of them stop where one must."""

    def __init__(self, run: Run, recipe: Recipe, pairs: Sequence[Pair], state: State, report: Report) -> None:
        self.run, self.recipe, self._pairs, self._report = run, recipe, pairs, report
        self._board: Board | None = None
        if state.machine.first:
            write_atomically(run.recipe, recipe.to_json().encode())
            trim_log(run, state.step)
            self._board = Board(run.board, step=state.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board:
            self._board.__exit__(kind, error, trace)

    def step(self, stage: Pixel | Gan, state: State, losses: Mapping[str, Tensor]) -> None:
        """Count a step; log its losses, validate, keep the checkpoint where it is time. Raises Diverged, DiskFull."""
        state.step += 1
        recipe = self.recipe
        last = state.step in (recipe.pixel.steps, recipe.steps)
        logs, saves = state.step % LOG_EVERY == 0, state.step % stage.validate_every == 0 or last
        if logs or saves:  # .item() waits for the device: seldom
            values = {name: state.machine.mean(loss).item() for name, loss in losses.items()}
            self._check(stage, state, values)
            if logs:
                self._write({"stage": _name(state), **values, "rate": state.adam.param_groups[0]["lr"]}, state)
        if saves:
            _check_weights(stage, state)
        if saves and state.machine.first:
            self._validate(state)
            write_atomically(self.run.checkpoint, to_bytes(state, recipe))

    def keep(self, path: Path, state: State) -> None:
        """Write the averaged weights with their card, unmeasured."""
        if state.machine.first:
            self._keep(path, state, _plain(state), {})

    def _check(self, stage: Pixel | Gan, state: State, values: Mapping[str, float]) -> None:
        """Raise Diverged where the training leads nowhere, before the last good checkpoint is replaced."""
        name = _name(state)
        for key, value in values.items():
            if not math.isfinite(value) and self.recipe.not_finite == "stop":
                raise Diverged(f"the {key} loss is {value} at step {state.step}; lower {name}.rate below {stage.rate}")
        if math.isfinite(ease := values.get("judge", state.ease)):
            state.ease += 0.2 * (ease - state.ease)
        if state.ease < COLLAPSED and self.recipe.gan.kind in BOUNDED:
            raise Diverged(
                f"the discriminator tells everything apart since about step {state.step - 500}: it teaches nothing;"
                f" lower gan.judge_rate below {self.recipe.gan.judge_rate}"
            )

    def _write(self, values: Mapping[str, Any], state: State) -> None:
        if self._board:
            line = {"step": state.step, **values}
            append_log(self.run, line)
            self._board.write(line)
            self._report(line)

    def _validate(self, state: State) -> None:
        plain = _plain(state)
        ours = [enlarge(plain, pair) for pair in self._pairs]
        metrics = validate(ours, self._pairs, self.recipe.net.scale)
        samples = [Sample(pair.low, pair.bicubic, its, pair.high) for pair, its in zip(self._pairs, ours, strict=True)]
        draw_samples(samples[:: -(-len(samples) // SHOWN)], self.run.sample(state.step))
        assert self._board is not None
        self._board.show(state.step, self.run.sample(state.step))
        self._write({"stage": _name(state), **metrics}, state)
        if state.judge or gain(metrics) > state.best:
            state.best = gain(metrics)
            self._keep(self.run.weights, state, plain, metrics)

    def _receptive_field(self, plain: nn.Module) -> int:
        """Measured once a run: it takes ten seconds for a network as deep as SRResNet, and both stages must agree."""
        for known in (self.run.weights, self.run.pixel):
            if known.exists():
                return read_weights(known)[1].receptive_field
        return measure.receptive_field(plain, channels=self.recipe.net.channels)

    def _keep(self, path: Path, state: State, plain: nn.Module, metrics: Mapping[str, float]) -> None:
        recipe, channels = self.recipe, self.recipe.net.channels
        card = ModelCard(
            name=recipe.name,
            scale=recipe.net.scale,
            channels=channels,
            receptive_field=self._receptive_field(plain),
            step=measure.step(plain),
            qp=recipe.net.qp,
            parameters=measure.parameters(plain),
            macs=measure.macs(plain, channels=channels),
            recipe=f"{recipe.name} {recipe.digest()}, {state.step} steps",
            metrics={name: round(value, 4) for name, value in metrics.items()},
        )
        weights = {name: tensor.cpu().numpy() for name, tensor in state.average.state_dict().items()}
        write_weights(path, weights, card, recipe.to_json())


def _check_weights(stage: Pixel | Gan, state: State) -> None:
    """Raise Diverged where they are no numbers, as a gradient leaves them that is none though its loss was one."""
    nets = [net for net in (state.net, state.average, state.judge) if net is not None]
    sound = torch.stack([tensor.isfinite().all() for net in nets for tensor in net.state_dict().values()]).all()
    if state.machine.mean(sound.float()) < 1:  # each process has a batch normalisation of its own
        raise Diverged(
            f"the weights are no numbers any more at step {state.step}; lower {_name(state)}.rate below {stage.rate}"
        )


def _name(state: State) -> str:
    return "gan" if state.judge else "pixel"


def _plain(state: State) -> nn.Module:
    """The averaged network as it will run: folded, on the CPU."""
    return fold(deepcopy(state.average)).eval().to("cpu")
