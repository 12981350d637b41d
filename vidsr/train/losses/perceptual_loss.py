"""Losses on features: of VGG19, or of the discriminator where no VGG19 can be had."""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn import functional

DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": functional.l1_loss, "mse": functional.mse_loss}

PAPER_SCALE = 1 / 12.75
"""By which the paper scales torchvision's features, so that their squares compare with those of pixels."""


def perceptual(ours: Sequence[Tensor], truth: Sequence[Tensor], weights: Sequence[float], *, distance: str) -> Tensor:
    """Weighted sum of the distances between two pictures' features, layer by layer: a number.

    ours, truth: what `nets.vgg.Vgg` gives for each; no gradient goes to the truth. distance: `mse` with features after
    activation and a weight of PAPER_SCALE² ≈ 0.006 is Ledig et al.'s (arXiv 1609.04802, equation 5), `l1` with features
    before it ESRGAN's (arXiv 1809.00219, section 3.3).
    """
    parts = [
        weight * DISTANCES[distance](mine.float(), true.detach().float())
        for mine, true, weight in zip(ours, truth, weights, strict=True)
    ]
    return sum(parts[1:], parts[0])


def feature_matching(ours: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a discriminator's maps, averaged over its layers: a number.

    ours, truth: `Verdict.maps` for each; no gradient goes to the truth. Source: pix2pixHD (arXiv 1711.11585,
    equation 4), there summed over the layers.
    """
    return perceptual(ours, truth, [1 / len(ours)] * len(ours), distance="l1")
