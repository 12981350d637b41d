"""Pairs a second from a ready store into a training loop, beside what the training of `live-x4` consumes.

Bar: three times as many.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common import parser, table

from vidsr.data.prepare import prepare
from vidsr.data.store import StoreSettings
from vidsr.train.batches import draw_batch
from vidsr.train.devices import Accelerator, default_precision
from vidsr.train.recipe_file import load_recipe
from vidsr.train.state import begin
from vidsr.train.steps import pixel_step


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=10)
    given = options.parse_args()
    if given.data is None:
        sys.exit("give --data (or VIDSR_DATA)")
    recipe, accelerator = load_recipe("live-x4"), Accelerator(precision=default_precision("cpu"))
    settings = StoreSettings(scale=4, pairs=4096, side=recipe.data.side, degradation=recipe.degradation)
    with tempfile.TemporaryDirectory() as name:
        pairs = prepare([given.data / "train"], Path(name) / "store", settings).split("train")
        torch.set_num_threads(1)  # the loader has one core, training all of them
        stage = recipe.pixel
        read = rate(lambda step: draw_batch(pairs, recipe, step, accelerator, stage), stage.batch, given.seconds)
        torch.set_num_threads(torch.get_num_interop_threads())
        state, batch = begin(recipe, accelerator), draw_batch(pairs, recipe, 0, accelerator, stage)
        eaten = rate(lambda _: pixel_step(state, recipe, batch)["loss"].item(), stage.batch, given.seconds)
    rows = [["read", f"{read:.0f}", ""], ["consumed", f"{eaten:.0f}", ""], ["ratio", f"{read / eaten:.1f}", "3"]]
    table(["pairs a second", "measured", "bar"], rows)


def rate(work: Callable[[int], object], batch: int, seconds: float) -> float:
    """Pairs a second of what is done to a batch; the first five are not counted."""
    for step in range(5):
        work(step)
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        work(steps)
        steps += 1
    return batch * steps / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
