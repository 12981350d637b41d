"""How good the network is while it trains: on whole pictures, clean and compressed, beside bicubic."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vidsr.data.colours import COLOR
from vidsr.data.sources import find, open_runs
from vidsr.data.store import Pairs
from vidsr.errors import DataError
from vidsr.frames import Frame
from vidsr.metrics import psnr, ssim
from vidsr.resize import resize
from vidsr.video.recode import recode

Luma = NDArray[np.uint8]
CRF = 28.0


@dataclass(frozen=True, slots=True)
class Pair:
    """One test picture: as it arrives, the truth, the quantiser (0 to 51), and bicubic's luma."""

    low: Luma
    high: Luma
    quantiser: float
    bicubic: Luma


def pairs_of_folder(folder: Path, scale: int) -> list[Pair]:
    """Two pairs of every photo in `folder`, and of a picture of every film: shrunk by antialiased bicubic, and coded.

    The codec is x264. Luma of limited range; sides are cut to a multiple of twice the scale. Raises DataError.
    """
    pairs = []
    for file in find([folder]):
        (run,) = open_runs(file, channels=1, length=1, at_most=1)
        truth = run.pictures[0][..., 0]
        if min(truth.shape) < 16 * scale:
            raise DataError(f"{file} is too small to validate on: {truth.shape[1]}x{truth.shape[0]}; leave it out")
        height, width = (side // (2 * scale) * 2 for side in truth.shape)
        truth = truth[: height * scale, : width * scale]
        low = resize(truth, height, width)
        grey = np.full((height // 2, width // 2), 128, np.uint8)
        (sent,), _ = recode([Frame((low, grey, grey), COLOR)], crf=CRF)
        pairs += [_pair(low, truth, 0.0), _pair(sent.planes[0].astype(np.uint8), truth, sent.quantiser or 0.0)]
    return pairs


def pairs_of_store(pairs: Pairs, count: int) -> list[Pair]:
    """At most `count` pairs of a split, spread over all of it."""
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    low, high = pairs.low[chosen, 0, ..., 0], pairs.high[chosen, 0, ..., 0]
    return [_pair(low[i], high[i], float(pairs.quantiser[place, 0])) for i, place in enumerate(chosen)]


def _pair(low: Luma, high: Luma, quantiser: float) -> Pair:
    return Pair(low, high, quantiser, resize(low, *high.shape))


@torch.no_grad()
def validate(net: nn.Module, pairs: Sequence[Pair], scale: int) -> dict[str, float]:
    """Mean PSNR-Y and SSIM-Y (uint8 luma, border of `scale` pixels cut), ours and bicubic's; clean and coded apart."""
    rows: dict[str, list[float]] = {}
    for pair in pairs:
        x = torch.from_numpy(pair.low.astype(np.float32) / 255)[None, None]
        ours = net(x, torch.full((1, 1, 1, 1), pair.quantiser / 51))[0, 0].numpy()
        kind = "coded" if pair.quantiser else "clean"
        for name, luma in (("", np.rint(ours * 255).clip(0, 255)), ("bicubic_", pair.bicubic)):
            rows.setdefault(f"{name}psnr_{kind}", []).append(psnr(luma, pair.high, border=scale))
            rows.setdefault(f"{name}ssim_{kind}", []).append(ssim(luma, pair.high, border=scale))
    return {name: float(np.mean(values)) for name, values in rows.items()}


def gain(metrics: dict[str, float]) -> float:
    """One number to choose the best weights by: mean PSNR over bicubic's, in dB, over the kinds measured."""
    kinds = [kind for kind in ("clean", "coded") if f"psnr_{kind}" in metrics]
    return float(np.mean([metrics[f"psnr_{kind}"] - metrics[f"bicubic_psnr_{kind}"] for kind in kinds]))
