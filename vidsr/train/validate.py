"""How good the network is while it trains: on whole pictures, clean and compressed, beside bicubic."""

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
class Pair:
    """One test picture, (height, width, channels) uint8: as it arrives, the truth, and bicubic's."""

    low: Image
    high: Image
    qp: float
    """0 to 51."""
    bicubic: Image


def pairs_of_folder(folder: Path, scale: int, *, channels: int = 1) -> list[Pair]:
    """Two pairs of every photo in `folder`, and of a picture of every film: shrunk by antialiased bicubic, and coded.

    The codec is x264. channels: 1, luma of limited range, or 3, RGB; sides are cut to a multiple of twice the scale.
    Raises DataError.
    """
    pairs = []
    for file in find_sources([folder]):
        (run,) = read_runs(file, channels=channels, length=1, at_most=1)
        truth = run[0]
        size = truth.shape[:2]
        if min(size) < 16 * scale:
            raise DataError(f"{file} is too small to validate on: {size[1]}x{size[0]}; leave it out")
        height, width = (side // (2 * scale) * 2 for side in size)
        truth = truth[: height * scale, : width * scale]
        low = resize(truth, height, width)
        (sent,), (qp,) = recompress("libx264", [low[..., 0] if channels == 1 else low], CRF)
        pairs += [_pair(low, truth, 0.0), _pair(sent.reshape(low.shape), truth, qp)]
    return pairs


def pairs_of_store(pairs: Pairs, count: int) -> list[Pair]:
    """At most `count` pairs of a split, spread over all of it; of several frames the first."""
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    low, high = pairs.low[chosen, 0], pairs.high[chosen, 0]
    return [_pair(low[i], high[i], float(pairs.qp[place, 0])) for i, place in enumerate(chosen)]


def _pair(low: Image, high: Image, qp: float) -> Pair:
    return Pair(low, high, qp, resize(low, *high.shape[:2]))


@torch.no_grad()
def enlarge(net: nn.Module, pair: Pair) -> Image:
    """What a network on the CPU makes of a test picture: (height, width, channels) uint8."""
    x = torch.from_numpy(pair.low.astype(np.float32) / 255).permute(2, 0, 1)[None]
    ours = net(x, torch.full((1, 1, 1, 1), pair.qp / 51))[0].permute(1, 2, 0).numpy()
    return np.asarray(np.rint(ours * 255).clip(0, 255).astype(np.uint8))


def validate(ours: Sequence[Image], pairs: Sequence[Pair], scale: int) -> dict[str, float]:
    """Mean PSNR-Y, SSIM-Y and sharpness of luma, ours and bicubic's; clean and coded apart.

    ours: what `enlarge` made of each pair. The luma of RGB is BT.601's, of limited range; a border of `scale` pixels
    does not count.
    """
    rows: dict[str, list[float]] = {}
    for pair, its in zip(pairs, ours, strict=True):
        truth, kind = _luma(pair.high), "coded" if pair.qp else "clean"
        for name, picture in (("", its), (BICUBIC_PREFIX, pair.bicubic)):
            luma = _luma(picture)
            rows.setdefault(f"{name}psnr_{kind}", []).append(psnr(luma, truth, border=scale))
            rows.setdefault(f"{name}ssim_{kind}", []).append(ssim(luma, truth, border=scale))
            sharp = sharpness(luma, truth)
            if not math.isnan(sharp):  # as of a truth without an edge
                rows.setdefault(f"{name}sharpness_{kind}", []).append(sharp)
    return {name: float(np.mean(values)) for name, values in rows.items()}


def _luma(picture: Image) -> NDArray[Any]:
    return picture[..., 0] if picture.shape[2] == 1 else luma_of_rgb(picture)


def gain(metrics: dict[str, float]) -> float:
    """One number to choose the best weights by: mean PSNR over bicubic's, in dB, over the kinds measured."""
    kinds = [kind for kind in ("clean", "coded") if f"psnr_{kind}" in metrics]
    return float(np.mean([metrics[f"psnr_{kind}"] - metrics[f"{BICUBIC_PREFIX}psnr_{kind}"] for kind in kinds]))
