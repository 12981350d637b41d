"""What a run's log tells: losses and validations by step, and where each stage began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidsr.card import BESIDE
from vidsr.runs import Run, is_validation, read_log

FIRST_STAGE = "pixel"  # logs older than the second stage name none

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure by step."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    """As many as steps; all finite."""


@dataclass(frozen=True, slots=True)
class History:
    """The log of a run, in its order."""

    losses: Sequence[Line]
    validations: Sequence[Line]

    @classmethod
    def of(cls, run: Run) -> Self:
        """Read a log; none is an empty history."""
        losses, validations = list[Line](), list[Line]()
        for line in read_log(run):
            (validations if is_validation(line) else losses).append(line)
        return cls(losses, validations)

    @property
    def step(self) -> int:
        """How far the run has come, as far as it was logged."""
        return max((line["step"] for line in (*self.losses, *self.validations)), default=0)

    @property
    def stages(self) -> dict[str, int]:
        """The stages that the run has come to, in order, each with the last step before it that was logged."""
        last, found = 0, dict[str, int]()
        for line in self.losses:
            found.setdefault(_stage(line), last)
            last = line["step"]
        return found

    def logged(self) -> list[str]:
        """What was logged of the training, losses before learning rates."""
        names = [name for name in _numbers(self.losses) if name != "step"]
        return sorted(names, key=lambda name: (name.endswith("rate"), name != "loss"))

    def measured(self) -> list[str]:
        """What was measured of the network at validations."""
        return [name for name in _numbers(self.validations) if name != "step" and not name.startswith(BESIDE)]

    def loss(self, name: str) -> dict[str, Curve]:
        """A figure of the training for each stage that has it."""
        curves = {stage: _curve([one for one in self.losses if _stage(one) == stage], name) for stage in self.stages}
        return {stage: curve for stage, curve in curves.items() if len(curve.steps)}

    def validation(self, name: str) -> Curve:
        """A figure of the validations; bicubic's by its name with `BESIDE` before it."""
        return _curve(self.validations, name)


def _stage(line: Line) -> str:
    return str(line.get("stage", FIRST_STAGE))


def _numbers(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(name for line in lines for name, value in line.items() if _is_number(value)))


def _curve(lines: Sequence[Line], name: str) -> Curve:
    points = [(line["step"], line[name]) for line in lines if _is_number(line.get(name)) and isfinite(line[name])]
    steps, values = zip(*points, strict=True) if points else ((), ())
    return Curve(np.array(steps, np.int64), np.array(values, np.float64))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
