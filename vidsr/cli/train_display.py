"""Progress display of `vidsr train`: steps, speed, losses and validations."""

import json
import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vidsr.card import BICUBIC_PREFIX
from vidsr.cli.console import Bars
from vidsr.runs import is_validation

if TYPE_CHECKING:
    from rich.console import Console

    from vidsr.train.config import Recipe

MEMORY_S = 60.0  # time constant of the moving average of the speed
PLAIN_EVERY = 1000  # steps between lines of losses if stderr is not a terminal
TRAINING = "training"

Line = dict[str, Any]
"""A line of the log: losses and learning rate, or a validation."""


class Pace:
    """Moving average of images per second. clock: returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[float, int] | None = None
        self._seconds = self._images = 0.0

    def update(self, images: int) -> None:
        """Set the total number of images; those of the first call were processed earlier and do not count."""
        now = self._clock()
        if self._last is not None:
            seconds, new = now - self._last[0], images - self._last[1]
            decay = math.exp(-seconds / MEMORY_S)
            self._seconds = decay * self._seconds + seconds
            self._images = decay * self._images + new
        self._last = now, images

    @property
    def per_second(self) -> float | None:
        """The speed; None before the second update."""
        return self._images / self._seconds if self._images and self._seconds else None


class Display(Bars):
    """A progress bar with losses and speed on a terminal, otherwise a line of JSON every PLAIN_EVERY steps.

    Validations are always printed as lines. The speed includes validation, but no steps of earlier processes.
    """

    def __init__(
        self, recipe: "Recipe", *, console: "Console | None" = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._recipe = recipe
        self._pace = Pace(clock)
        self._losses = self._validation = ""
        super().__init__(resumes=True, console=console)  # calls self.note

    def show(self, what: str, done: int, total: int, label: str = "") -> None:
        """Update the bar of a task; that of the training names its stage."""
        if what == TRAINING:
            self._pace.update(self._images(done))
            stage = sum(done > end for end in self._recipe.ends[:-1])
            label = f"{what}, {('pixel', 'gan', 'int8')[stage]}"
        super().show(what, done, total, label)

    def step(self, line: Line) -> None:
        """Show one line of the log."""
        if is_validation(line):
            self._validation = _validation_summary(line)
            self.console.print(_validation_sentence(line), soft_wrap=True)
            return
        self._losses = _losses(line)
        if not self.console.is_terminal and line["step"] % PLAIN_EVERY == 0:
            print(json.dumps(line | self._speed(line["step"])), file=sys.stderr)

    def note(self) -> str:
        """Return the last losses, the speed and the last validation."""
        pace = self._pace.per_second
        speed = f"{pace:.{0 if pace >= 10 else 2}f} images/s" if pace else ""
        return " · ".join(part for part in (self._losses, speed, self._validation) if part)

    def _speed(self, step: int) -> dict[str, float | None]:
        """Return speed and remaining time for a line of JSON; None before there is a speed."""
        pace = self._pace.per_second
        left = self._images(self._recipe.steps) - self._images(step)
        return {"images_per_s": pace and round(pace, 2), "eta_s": pace and round(left / pace)}

    def _images(self, step: int) -> int:
        """Return the number of pairs in the steps up to this one."""
        recipe = self._recipe
        pixel_end, gan_end, end = recipe.ends
        gan, int8 = (max(0, min(step, to) - begun) for begun, to in ((pixel_end, gan_end), (gan_end, end)))
        return min(step, pixel_end) * recipe.pixel.batch + gan * recipe.gan.batch + int8 * recipe.int8.batch


def _losses(line: Line) -> str:
    losses = [f"{name} {value:.3g}" for name, value in line.items() if name not in ("step", "stage", "rate")]
    return ", ".join(losses) + f" · rate {line['rate']:.2g}"


def _validation_summary(line: Line) -> str:
    """Return `31.02 dB, bicubic 28.43`, of clean images if there are any, else of coded ones."""
    kind = "clean" if "psnr_clean" in line else "coded"
    return f"{line[f'psnr_{kind}']:.2f} dB, bicubic {line[f'{BICUBIC_PREFIX}psnr_{kind}']:.2f}"


def _validation_sentence(line: Line) -> str:
    parts = [
        f"{kind}: {line[f'psnr_{kind}']:.2f} dB, SSIM {line[f'ssim_{kind}']:.4f}"
        f" (bicubic {line[f'{BICUBIC_PREFIX}psnr_{kind}']:.2f}, {line[f'{BICUBIC_PREFIX}ssim_{kind}']:.4f})"
        for kind in ("clean", "coded")
        if f"psnr_{kind}" in line
    ]
    return f"step {line['step']}: PSNR-Y " + "; ".join(parts)
