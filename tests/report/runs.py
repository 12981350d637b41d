"""Training runs that tests write themselves, with known contents."""

import json
from pathlib import Path

import numpy as np

from vidsr.card import KEY, ModelCard
from vidsr.io.atomic import write_atomically
from vidsr.resize import resize
from vidsr.runs import Run, append_log
from vidsr.train.sample_grid import Sample, draw_samples

RECIPE = {
    "name": "mine & yours",
    "net": {"kind": "srresnet", "scale": 2},
    "degradation": {"crf": [14, 40], "codecs": ["x264", "x265", "av1"]},
    "pixel": {"steps": 2000, "rate": 1e-3},
    "gan": {"steps": 1000, "rate": 1e-4},
}
BICUBIC = {"bicubic_psnr_clean": 26.5, "bicubic_ssim_clean": 0.7, "bicubic_sharpness_clean": 0.5}


def write_recipe(folder: Path) -> Run:
    run = Run(folder)
    write_atomically(run.recipe, json.dumps(RECIPE).encode())
    return run


def write_run(folder: Path, *, until: int = 3000, grids: bool = True) -> Run:
    """A line every 10 steps; the gan stage from 2010 on; a validation and a grid every 250, the best at the last."""
    run, noise = write_recipe(folder), np.random.default_rng(0)
    for step in range(10, until + 1, 10):
        loss = 0.05 + 1 / step + noise.uniform(0, 0.02)
        line: dict[str, object] = {"step": step, "loss": loss, "rate": 1e-3 * (1 - step / 3000)}
        if step > 2000:
            line |= {
                "stage": "gan",
                "pixel": loss / 9,
                "perceptual": loss * 3,
                "adversarial": 0.7,
                "discriminator": 0.6,
            }
        append_log(run, line)
        if step % 250 == 0:
            ours = {"psnr_clean": 28 + step / 1000, "ssim_clean": 0.75 + step / 1e5, "sharpness_clean": 0.8}
            append_log(run, {"step": step, **ours, **BICUBIC})
            write_weights(run, {**ours, **BICUBIC})
            if grids:
                draw_samples([_sample(step, seed) for seed in range(2)], run.sample(step))
    return run


def write_weights(run: Run, metrics: dict[str, float]) -> None:
    """A safetensors file with a card and no weights, by the format's own rules."""
    card = ModelCard(
        name="mine", scale=2, channels=3, receptive_field=9, parameters=1234, licence="CC0", metrics=metrics
    )
    header = json.dumps({"__metadata__": {KEY: card.to_json()}}).encode()
    write_atomically(run.weights, len(header).to_bytes(8, "little") + header)


def _sample(step: int, seed: int) -> Sample:
    truth = np.random.default_rng(seed).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    low = resize(truth, 12, 12)
    bicubic = resize(low, 24, 24)
    ours = (bicubic + (truth.astype(float) - bicubic) * step / 4000).astype(np.uint8)
    return Sample(low, bicubic, ours, truth)
