"""Validation during training: whole images, clean and compressed, beside bicubic interpolation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vidsr.card import BICUBIC_PREFIX
from vidsr.data.codec_pass import recompress
from vidsr.data.photos import Image
from vidsr.data.sources import find_sources, read_runs
from vidsr.data.store import Pairs
from vidsr.errors import DataError
from vidsr.metrics import luma_of_rgb, psnr, sharpness, ssim
from vidsr.resize import resize

CRF = 28.0


@dataclass(frozen=True, slots=True)
class ValidationPair:
    """A validation image, (height, width, channels) uint8: low resolution, ground truth, and bicubic interpolation."""

    low: Image
    high: Image
    qp: float
    """0 to 51; 0: not compressed."""
    bicubic: Image


def pairs_of_folder(folder: Path, scale: int, *, channels: int = 1) -> list[ValidationPair]:
    """Make two pairs of every photo, and of one frame of every video, in `folder`: one clean, one coded by x264.

    Images are cropped to multiples of twice the scale and downscaled by antialiased bicubic interpolation.
    channels: 1, luma of limited range, or 3, RGB. Raises DataError.
    """
    pairs = []
    for file in find_sources([folder]):
        (run,) = read_runs(file, channels=channels, length=1, at_most=1)
        truth = run[0]
        size = truth.shape[:2]
        if min(size) < 16 * scale:
            raise DataError(
                f"{file} is too small to validate on: {size[1]}x{size[0]}; expected {16 * scale} pixels or more a side"
            )
        height, width = (side // (2 * scale) * 2 for side in size)
        truth = truth[: height * scale, : width * scale]
        low = resize(truth, height, width)
        (coded,), (qp,) = recompress("libx264", [low[..., 0] if channels == 1 else low], CRF)
        pairs += [_pair(low, truth, 0.0), _pair(coded.reshape(low.shape), truth, qp)]
    return pairs


def pairs_of_store(pairs: Pairs, count: int) -> list[ValidationPair]:
    """Take at most `count` pairs of a split, evenly spaced; of several frames the first."""
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    return [_pair(pairs.low[index, 0], pairs.high[index, 0], float(pairs.qp[index, 0])) for index in chosen]


def _pair(low: Image, high: Image, qp: float) -> ValidationPair:
    return ValidationPair(low, high, qp, resize(low, *high.shape[:2]))


@torch.no_grad()
def upscale_pair(net: nn.Module, pair: ValidationPair) -> Image:
    """Return the output of a network on the CPU: (height, width, channels) uint8."""
    x = torch.from_numpy(pair.low.astype(np.float32) / 255).permute(2, 0, 1)[None]
    output = net(x, torch.full((1, 1, 1, 1), pair.qp / 51))[0].permute(1, 2, 0).numpy()
    return np.asarray(np.rint(output * 255).clip(0, 255).astype(np.uint8))


def validate(outputs: Sequence[Image], pairs: Sequence[ValidationPair], scale: int) -> dict[str, float]:
    """Return mean PSNR-Y, SSIM-Y and sharpness of network and bicubic interpolation, for clean and coded pairs.

    outputs: by `upscale_pair` for each pair. A border of `scale` pixels is not measured. RGB is converted to BT.601
    luma of limited range.
    """
    rows: dict[str, list[float]] = {}
    for pair, output in zip(pairs, outputs, strict=True):
        truth, kind = _luma(pair.high), "coded" if pair.qp else "clean"
        for prefix, image in (("", output), (BICUBIC_PREFIX, pair.bicubic)):
            luma = _luma(image)
            rows.setdefault(f"{prefix}psnr_{kind}", []).append(psnr(luma, truth, border=scale))
            rows.setdefault(f"{prefix}ssim_{kind}", []).append(ssim(luma, truth, border=scale))
            ratio = sharpness(luma, truth)
            if not math.isnan(ratio):  # NaN if the truth has no edges
                rows.setdefault(f"{prefix}sharpness_{kind}", []).append(ratio)
    return {name: float(np.mean(values)) for name, values in rows.items()}


def _luma(image: Image) -> NDArray[Any]:
    return image[..., 0] if image.shape[2] == 1 else luma_of_rgb(image)


def gain(metrics: dict[str, float]) -> float:
    """Return the mean PSNR gain over bicubic interpolation in dB, by which the best weights are chosen."""
    kinds = [kind for kind in ("clean", "coded") if f"psnr_{kind}" in metrics]
    return float(np.mean([metrics[f"psnr_{kind}"] - metrics[f"{BICUBIC_PREFIX}psnr_{kind}"] for kind in kinds]))
