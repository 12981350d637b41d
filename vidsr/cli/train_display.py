"""What `vidsr train` shows while it works: how far it is, how fast, and how well the network does."""

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

MEMORY_S = 60.0  # what happened this long ago counts a third in a pace
PLAIN_EVERY = 1000  # steps between lines of losses, where stderr is no terminal
TRAINING = "training"

Line = dict[str, Any]
"""One of the log: of losses, with their learning rate, or of a validation."""


class Pace:
    """Images a second, lately; `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[float, int] | None = None
        self._seconds = self._images = 0.0

    def receptive_field(self, images: int) -> None:
        """Take note that so many are done in all; those of the first call are older than the clock and do not count."""
        now = self._clock()
        if self._last is not None:
            seconds, fresh = now - self._last[0], images - self._last[1]
            kept = math.exp(-seconds / MEMORY_S)
            self._seconds = kept * self._seconds + seconds
            self._images = kept * self._images + fresh
        self._last = now, images

    @property
    def per_second(self) -> float | None:
        """None until something was done."""
        return self._images / self._seconds if self._images and self._seconds else None


class Display(Bars):
    """A bar and beneath it what the training comes to, on a terminal; else lines of JSON now and then.

    Validations are printed as lines on both. Speeds count what this process did, validations included, never what an
    interrupted one did before it.
    """

    def __init__(
        self, recipe: "Recipe", *, console: "Console | None" = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._recipe = recipe
        self._pace = Pace(clock)
        self._losses = self._validation = ""
        super().__init__(resumes=True, console=console)  # which asks for the note already

    def show(self, what: str, done: int, total: int, label: str = "") -> None:
        """Move the bar of a thing; that of the training names its stage."""
        if what == TRAINING:
            self._pace.receptive_field(self._images(done))
            label = f"{what}, {'pixel' if done <= self._recipe.pixel.steps else 'gan'}"
        super().show(what, done, total, label)

    def step(self, line: Line) -> None:
        """Show one line of the log."""
        if is_validation(line):
            self._validation = _gained(line)
            self.console.print(_sentence(line), soft_wrap=True)
            return
        self._losses = _losses(line)
        if not self.console.is_terminal and line["step"] % PLAIN_EVERY == 0:
            print(json.dumps(line | self._speed(line["step"])), file=sys.stderr)

    def note(self) -> str:
        """Losses and rate as last logged, the speed by now, and the last validation."""
        pace = self._pace.per_second
        speed = f"{pace:.{0 if pace >= 10 else 2}f} images/s" if pace else ""
        return " · ".join(part for part in (self._losses, speed, self._validation) if part)

    def _speed(self, step: int) -> dict[str, float | None]:
        """What is left is taken to go on as fast as lately; None before this process has done anything."""
        pace = self._pace.per_second
        left = self._images(self._recipe.steps) - self._images(step)
        return {"images_per_s": pace and round(pace, 2), "eta_s": pace and round(left / pace)}

    def _images(self, step: int) -> int:
        """How many images the steps until this one see; a clip counts as one."""
        pixel, gan = self._recipe.pixel, self._recipe.gan
        return min(step, pixel.steps) * pixel.batch + max(0, step - pixel.steps) * gan.batch


def _losses(line: Line) -> str:
    losses = [f"{name} {value:.3g}" for name, value in line.items() if name not in ("step", "stage", "rate")]
    return ", ".join(losses) + f" · rate {line['rate']:.2g}"


def _gained(line: Line) -> str:
    """`31.02 dB, bicubic 28.43`: of clean pictures, of coded ones where there are no others."""
    kind = "clean" if "psnr_clean" in line else "coded"
    return f"{line[f'psnr_{kind}']:.2f} dB, bicubic {line[f'{BICUBIC_PREFIX}psnr_{kind}']:.2f}"


def _sentence(line: Line) -> str:
    parts = [
        f"{kind}: {line[f'psnr_{kind}']:.2f} dB, SSIM {line[f'ssim_{kind}']:.4f}"
        f" (bicubic {line[f'{BICUBIC_PREFIX}psnr_{kind}']:.2f}, {line[f'{BICUBIC_PREFIX}ssim_{kind}']:.4f})"
        for kind in ("clean", "coded")
        if f"psnr_{kind}" in line
    ]
    return f"step {line['step']}: PSNR-Y " + "; ".join(parts)
